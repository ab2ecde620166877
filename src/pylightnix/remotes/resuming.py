"""Large files on their way from a remote: what has come of one stays for a later attempt, if this one dies.

They stand in a checkpoint, of which somebody is the holder until he gives it up or dies; see `store.checkpoints`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import Record
from pylightnix.names import KeyRef
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.pieces import PIECE, Blob
from pylightnix.store import changes
from pylightnix.store.checkpoints import drop, leave, take
from pylightnix.store.files import fresh_id, write_all
from pylightnix.store.layout import Layout

LEAST = 4 * PIECE
"""Bytes of a file that is worth it."""

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Parts:
    """The large files of one tree.

    Args:
        layout: of the store.
        record: of a realization that has the tree.
    """

    def __init__(self, layout: Layout, record: Record) -> None:
        home = KeyRef(f"{record.tree[:DIGITS]}{record.ref[DIGITS:]}")
        self._path = take(layout.checkpoints, home, 0, fresh_id())
        self._files: list[tuple[str, str]] = []

    def fetch(self, fetcher: Fetcher, blobs: Sequence[Blob], mode: int, target: str) -> None:
        """Have a file, which gets to its place by `place`; errors as those of `Fetcher.stream`.

        Args:
            fetcher: asks the remote.
            blobs: the content.
            mode: of the file, less the umask; it can be written until it is sealed.
            target: its place.
        """
        path = f"{self._path}/{len(self._files)}"
        changes.make_directories(self._path)
        handle = changes.open_new(path, _OPEN, mode | stat.S_IWUSR)  # or nobody but root could go on with it
        try:
            there = _there(handle, blobs)
            os.lseek(handle, sum(blob.size for blob in blobs[:there]), os.SEEK_SET)
            for data in fetcher.stream(blobs[there:]):
                write_all(handle, data)
        finally:
            os.close(handle)
        self._files.append((path, target))

    def place(self) -> None:
        """Put all files to their places: nothing is left of them here."""
        for path, target in self._files:
            changes.move(path, target)
        drop(self._path)

    def leave(self) -> None:
        """Leave what came to the next attempt."""
        leave(self._path)


def _there(handle: int, blobs: Sequence[Blob]) -> int:
    """How many pieces from the start on are there, by their hashes; a file that is too long is no beginning of it."""
    if os.fstat(handle).st_size > sum(blob.size for blob in blobs):
        os.lseek(handle, 0, os.SEEK_SET)
        changes.shorten(handle, 0)
        return 0
    with open(handle, "rb", closefd=False, buffering=0) as file:
        for number, blob in enumerate(blobs):
            data = file.read(blob.size)
            if len(data) != blob.size or digest_bytes(data) != blob.digest:
                return number
    return len(blobs)
