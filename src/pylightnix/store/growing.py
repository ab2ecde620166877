"""A file that somebody else is writing: opened once, so it is read to its end wherever it is moved meanwhile."""

from __future__ import annotations

import contextlib
import os
import stat

from pylightnix.store.files import open_plain

CHUNK = 1 << 18


class GrowingFile:
    """What is appended to a file, as it comes. Nothing is ever locked or written.

    Args:
        path: where it is, or will be.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = -1
        self._at = 0
        self._size = 0

    def open(self, path: str | None = None) -> bool:
        """Whether it is open now, at this path or at its own: it is there, and a plain file."""
        if self._handle < 0:
            with contextlib.suppress(OSError), open_plain(path or self._path) as stream:
                if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    self._handle = os.dup(stream.fileno())
        return self._handle >= 0

    def more(self) -> bytes:
        """What was appended since the last time, a portion of it; empty if there is nothing."""
        data = os.pread(self._handle, CHUNK, self._at) if self.open() else b""
        self._at += len(data)
        return data

    def end(self, most: int) -> bytes | None:
        """Its last bytes, at most so many; None if nothing was appended since the last time."""
        if not self.open():
            return None
        size = os.fstat(self._handle).st_size
        if size == self._size:
            return None
        self._size = size
        return os.pread(self._handle, most, max(size - most, 0))

    @property
    def size(self) -> int:
        """How many bytes were read by `more`."""
        return self._at

    def close(self) -> None:
        """Let go of it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
