"""Files on their way from a remote: each piece that has come of one stays for a later attempt, if this one dies.

They stand in a checkpoint, of which somebody is the holder until he gives it up or dies; see `store.checkpoints`.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Sequence

from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import Record
from pylightnix.names import KeyRef
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.pieces import PIECE, Blob
from pylightnix.store import changes
from pylightnix.store.checkpoints import drop, leave, take
from pylightnix.store.files import fresh_id, open_plain, write_all
from pylightnix.store.layout import Layout

WORTH = 8 * PIECE
"""Bytes of small files that are worth it, since they are written twice then. Of less, all is fetched again."""

_READ = 1 << 20

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Parts:
    """What is not small of one tree.

    Args:
        layout: of the store.
        record: of a realization that has the tree.
    """

    def __init__(self, layout: Layout, record: Record) -> None:
        home = KeyRef(f"{record.tree[:DIGITS]}{record.ref[DIGITS:]}")
        self._path = take(layout.checkpoints, home, 0, fresh_id())
        self._files: list[tuple[str, str]] = []
        self._packs = ""

    def fetch(self, fetcher: Fetcher, blobs: Sequence[Blob], mode: int, target: str) -> None:
        """Have a file, which gets to its place by `place`; errors as those of `Fetcher.stream`.

        Args:
            fetcher: asks the remote.
            blobs: the content.
            mode: of the file, less the umask; it can be written until it is sealed.
            target: its place.
        """
        path = f"{self._path}/{len(self._files) if target else 'packs'}"
        changes.make_directories(self._path)
        handle = changes.open_new(path, _OPEN, mode | stat.S_IWUSR)  # or nobody but root could go on with it
        try:
            missing = _missing(handle, blobs)

            def keep(number: int, data: bytes) -> None:
                os.lseek(handle, missing[number][0], os.SEEK_SET)
                write_all(handle, data)

            fetcher.gather([blob for _, blob in missing], keep)
        finally:
            os.close(handle)
        self._files.append((path, target))

    def packs(self, fetcher: Fetcher, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """The content of many small files, of which each piece stays as one of a large file does."""
        self.fetch(fetcher, blobs, 0o600, "")
        path, _ = self._files.pop()
        self._packs = path
        with open_plain(path) as file:
            while data := file.read(_READ):
                yield data

    def place(self) -> None:
        """Put all files to their places: nothing is left of them here."""
        for path, target in self._files:
            changes.move(path, target)
        if self._packs:
            changes.remove_file(self._packs)
        drop(self._path)

    def leave(self) -> None:
        """Leave what came to the next attempt."""
        leave(self._path)


def _missing(handle: int, blobs: Sequence[Blob]) -> list[tuple[int, Blob]]:
    """The pieces that are not there, by their hashes, and where they begin; of a file that is too long all of them."""
    offsets = list(itertools.accumulate((blob.size for blob in blobs), initial=0))
    if os.fstat(handle).st_size > offsets[-1]:
        changes.shorten(handle, 0)
    missing = []
    with open(handle, "rb", closefd=False, buffering=0) as file:
        for offset, blob in zip(offsets, blobs, strict=False):
            if os.fstat(handle).st_size > offset:
                file.seek(offset)
                data = file.read(blob.size)
                if len(data) == blob.size and digest_bytes(data) == blob.digest:
                    continue
            missing.append((offset, blob))
    return missing
