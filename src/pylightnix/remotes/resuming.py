"""Files on their way from a remote: each piece that has come of one stays for a later attempt, if this one dies.

They stand in a checkpoint, of which somebody is the holder until he gives it up or dies; see `store.checkpoints`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Sequence

from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import Record
from pylightnix.names import KeyRef
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.pieces import Blob
from pylightnix.store import changes
from pylightnix.store.checkpoints import drop, leave, take
from pylightnix.store.files import fresh_id, write_all
from pylightnix.store.layout import Layout

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Parts:
    """What a tree is made of, but for very little.

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
        writable = mode | stat.S_IWUSR  # or nobody but root could go on with it
        with self._open(str(len(self._files)), writable) as (path, handle):
            missing = _missing(handle, blobs)
            for _ in fetcher.stream([blob for _, blob in missing], _keeper(handle, missing)):
                pass
        self._files.append((path, target))

    def packs(self, fetcher: Fetcher, blobs: Sequence[Blob]) -> Iterator[bytes]:
        """The content of many small files, of which each piece stays as one of a large file does."""
        with self._open("packs", 0o600) as (self._packs, handle):
            missing = _missing(handle, blobs)
            coming = fetcher.stream([blob for _, blob in missing], _keeper(handle, missing))
            fresh = {offset for offset, _ in missing}
            for offset, blob in zip(_offsets(blobs), blobs, strict=False):
                yield next(coming) if offset in fresh else os.pread(handle, blob.size, offset)

    @contextlib.contextmanager
    def _open(self, name: str, mode: int) -> Iterator[tuple[str, int]]:
        path = f"{self._path}/{name}"
        changes.make_directories(self._path)
        handle = changes.open_new(path, _OPEN, mode)
        try:
            yield path, handle
        finally:
            os.close(handle)

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


def _keeper(handle: int, missing: Sequence[tuple[int, Blob]]) -> Callable[[int, bytes], None]:
    """Writes pieces, by their numbers, to where they begin."""

    def keep(number: int, data: bytes) -> None:
        os.lseek(handle, missing[number][0], os.SEEK_SET)
        write_all(handle, data)

    return keep


def _offsets(blobs: Sequence[Blob]) -> list[int]:
    """Where each begins, and the end."""
    return list(itertools.accumulate((blob.size for blob in blobs), initial=0))


def _missing(handle: int, blobs: Sequence[Blob]) -> list[tuple[int, Blob]]:
    """The pieces that are not there, by their hashes, and where they begin; of a file that is too long all of them."""
    offsets = _offsets(blobs)
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
