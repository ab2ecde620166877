"""The log file of one run, of bounded size: its beginning, and of what is too much its end. Unaware of who writes."""

from __future__ import annotations

import threading
from io import FileIO

HEAD = 60 * 2**20
TAIL = 4 * 2**20


class RunLog:
    """Made when the first byte is written; errors of the disk never reach the builder, `problem` keeps the first.

    Args:
        path: the file.
        head: bytes that are written as they come.
        tail: bytes that are kept of what comes after these (in memory, up to twice as many); appended by `close`.
    """

    def __init__(self, path: str, head: int = HEAD, tail: int = TAIL) -> None:
        self.problem = ""
        self._path = path
        self._room = head
        self._tail = tail
        self._last = bytearray()
        self._dropped = 0
        self._file: FileIO | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def made(self) -> bool:
        """Whether there is a file."""
        return self._file is not None

    def write(self, data: bytes) -> None:
        """Take some bytes; ignored once the log is closed."""
        with self._lock:
            if not data or self._closed:
                return
            if self._room:
                now, data = data[: self._room], data[self._room :]
                self._room -= len(now)
                self._append(now)
            if data:
                self._hold(data)

    def close(self) -> None:
        """Write what was held back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._last:
                self._append_last()
            if self._file is not None:
                self._file.close()

    def _append_last(self) -> None:
        self._trim()
        if self._dropped:
            self._append(b"\n[... %d bytes left out ...]\n" % self._dropped)
        self._append(bytes(self._last))
        self._last.clear()

    def _hold(self, data: bytes) -> None:
        self._last += data[-self._tail :]
        self._dropped += max(0, len(data) - self._tail)
        if len(self._last) > 2 * self._tail:
            self._trim()

    def _trim(self) -> None:
        surplus = max(0, len(self._last) - self._tail)
        del self._last[:surplus]
        self._dropped += surplus

    def _append(self, data: bytes) -> None:
        if self.problem or not data:
            return
        try:
            if self._file is None:
                self._file = FileIO(self._path, "ab")
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            self.problem = f"the log is not complete: {error.strerror or error}"
