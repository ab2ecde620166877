"""Sends content to a backend, a piece at a time and several at once; what is there is not sent again.

Unaware of realizations. At most so many pieces are in memory as there are workers, and a few more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from pylightnix.errors import PylightnixError
from pylightnix.hashing import digest_bytes
from pylightnix.remotes.backend import Backend
from pylightnix.remotes.compression import compress
from pylightnix.remotes.pieces import Blob, Cutter
from pylightnix.remotes.workers import Workers

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 8


class Sender:
    """Sends blobs; to be closed.

    Args:
        backend: where to.
        workers: how many requests are made at once.
        look: whether what is there counts only if it has the same bytes; else a name is enough.
    """

    def __init__(self, backend: Backend, workers: int = WORKERS, *, look: bool = False) -> None:
        self.sent = 0
        """Bytes that went over, as they were stored."""
        self._backend = backend
        self._look = look
        self._pool = Workers(workers, "pylightnix-send")
        self._room = threading.BoundedSemaphore(workers + 2)
        self._begun: set[str] = set()
        self._mutex = threading.Lock()

    def close(self) -> None:
        """Drop what has not begun; what goes on has a moment to end, or is left behind."""
        self._pool.close()

    def blob(self, data: bytes) -> Future[Blob]:
        """Send a piece; waits while enough of them are under way."""
        self._room.acquire()
        try:
            future = self._pool.submit(self._blob, data)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(lambda _: self._room.release())
        return future

    def cutter(self) -> Cutter:
        """Cuts content into pieces and sends them; gives the futures."""
        return Cutter(self.blob)

    def put(self, name: str, data: bytes) -> None:
        """Put a document under a name, now."""
        if not (self._look and self._is_there(name, data)):
            self._backend.put(name, data)
            self._count(len(data))

    def each(self, ask: Callable[[T], R], about: Iterable[T]) -> Iterator[R]:
        """What is answered about each, asked several at once."""
        return self._pool.map(ask, about)

    def _blob(self, data: bytes) -> Blob:
        blob, stored = stored_as(data)
        self.send(blob, stored)
        return blob

    def send(self, blob: Blob, stored: bytes) -> None:
        """Send a piece as it is stored, now, unless it is there."""
        if self._is_new(blob.name) and not self._is_there(blob.name, stored):
            self._backend.put(blob.name, stored)
            self._count(len(stored))

    def _is_there(self, name: str, data: bytes) -> bool:
        if not self._look:
            return self._backend.has(name)
        try:
            return self._backend.get(name, len(data)) == data
        except PylightnixError:  # it is larger, or something else is there; who cannot be reached says so when put to
            return False

    def _is_new(self, name: str) -> bool:
        """Whether nobody has begun to send it. Whoever comes second does not wait: all are waited for in the end."""
        with self._mutex:
            new = name not in self._begun
            self._begun.add(name)
            return new

    def _count(self, size: int) -> None:
        with self._mutex:
            self.sent += size


def stored_as(data: bytes) -> tuple[Blob, bytes]:
    """The blob that some content is, and the bytes that stand for it in a remote."""
    frame = compress(data)
    return Blob(digest_bytes(data), frame is not None, len(data)), data if frame is None else frame
