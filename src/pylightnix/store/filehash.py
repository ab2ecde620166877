"""The content hash of an open file, in constant memory and on all cores. Unaware of names and trees.

The file is never mapped: a file that shrinks while it is mapped would end the process by a signal.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from pylightnix.errors import StoreError
from pylightnix.hashing import ContentHasher, content_hasher, digest_bytes

_SMALL = 128 << 10
"""Up to this size one read and one thread are fastest."""

_CHUNK = 1 << 20
"""Bytes per read of a file that is neither small nor big."""

_BIG = 16 << 20
"""From this size a second thread reads while the first one hashes; for less, starting it does not pay."""

_BUFFER = 4 << 20
"""Bytes of each of the two buffers for big files; below 2 MiB handing them over costs more than it hides."""

_PROCESS = os.getpid()
"""Where this module was loaded. A forked child lacks its parent's hashing threads and would wait for them for ever."""


def go_on() -> None:
    """Nobody stops it."""


def hash_file(fd: int, size: int, between: Callable[[], None] = go_on) -> str:
    """The BLAKE3 hash of a regular file's bytes, 64 hexadecimal digits.

    Args:
        fd: an open file, at its start; it stays open.
        size: its size in bytes, as the system tells.
        between: is called between reads of at most 4 MiB; what it raises ends it.

    Raises:
        StoreError: there were more or fewer bytes, so the file was changed meanwhile.
        OSError: reading failed.
    """
    if size <= _SMALL:
        data = os.read(fd, size + 1)
        if len(data) == size:
            return digest_bytes(data)
        os.lseek(fd, 0, os.SEEK_SET)  # some file systems give less than was asked for
    hasher = content_hasher(threads=size > _SMALL and os.getpid() == _PROCESS)
    with io.FileIO(fd, closefd=False) as file:
        total = (_feed_overlapped if size >= _BIG else _feed)(hasher, file, size, between)
    if total != size:
        raise StoreError("the file changed while it was read", hint="no process may write to it any more")
    return hasher.hexdigest()


def _feed(hasher: ContentHasher, file: io.FileIO, size: int, between: Callable[[], None]) -> int:
    """Hash at most one read more than `size` bytes; returns how many there were."""
    buffer = bytearray(min(size + 1, _CHUNK))
    view = memoryview(buffer)
    total = 0
    while total <= size and (count := file.readinto(buffer)):
        hasher.update(view[:count])
        total += count
        between()
    return total


def _feed_overlapped(hasher: ContentHasher, file: io.FileIO, size: int, between: Callable[[], None]) -> int:
    """As `_feed`, while a second thread fills one of two buffers, the other is hashed."""
    free: SimpleQueue[memoryview | None] = SimpleQueue()
    filled: SimpleQueue[tuple[memoryview, int] | BaseException] = SimpleQueue()
    for _ in range(2):
        free.put(memoryview(bytearray(_BUFFER)))
    reader = threading.Thread(target=_read_ahead, args=(file, free, filled), daemon=True)
    reader.start()
    total = 0
    try:
        while total <= size:
            item = filled.get()
            if isinstance(item, BaseException):
                raise item
            view, count = item
            if not count:
                break
            hasher.update(view[:count])
            total += count
            between()
            free.put(view)
    finally:
        free.put(None)
        reader.join()
    return total


def _read_ahead(
    file: io.FileIO,
    free: SimpleQueue[memoryview | None],
    filled: SimpleQueue[tuple[memoryview, int] | BaseException],
) -> None:
    """Fill buffers until the file ends, a None comes or reading fails; the error is handed on."""
    count = 1
    while count and (view := free.get()) is not None:
        try:
            count = file.readinto(view)
        except BaseException as error:
            filled.put(error)
            return
        filled.put((view, count))
