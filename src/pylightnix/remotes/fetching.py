"""Fetches content from a backend, several pieces at once, and gives none that is not what its name says.

Unaware of realizations.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeAlias, TypeVar

from pylightnix.errors import DamageError
from pylightnix.hashing import digest_bytes
from pylightnix.remotes.backend import Backend
from pylightnix.remotes.compression import decompress
from pylightnix.remotes.pieces import Blob
from pylightnix.remotes.workers import PARTING, Workers

T = TypeVar("T")
R = TypeVar("R")

_Coming: TypeAlias = Future[tuple[bytes, float]]
"""Content, and the seconds that it took."""

WORKERS = 8
SLOW = 4.0
"""Seconds that a piece may take before fewer are fetched at once."""

_AROUND = 4096
"""Bytes that a zstd frame may have more than what is in it."""


class Fetcher:
    """Fetches blobs; to be closed.

    Args:
        backend: where from.
        workers: how many requests are made at once; so many pieces are in memory, and one.
        address: of the remote, as it is noted.
    """

    def __init__(self, backend: Backend, workers: int = WORKERS, *, address: str = "") -> None:
        self.fetched = 0
        """Bytes that came over, as they were stored."""
        self.address = address or backend.url
        self._backend = backend
        self._workers = workers
        self._together = min(2, workers)
        self._pool = Workers(workers, "pylightnix-fetch")

    def close(self, parting: float = PARTING) -> None:
        """Drop what has not begun; what goes on has so many seconds to end, or is left behind."""
        self._pool.close(parting)

    def each(self, ask: Callable[[T], R], about: Iterable[T]) -> Iterator[R]:
        """What is answered about each, asked several at once."""
        return self._pool.map(ask, about)

    def later(self, ask: Callable[[T], R], about: T) -> Future[R]:
        """Ask something while other things go on."""
        return self._pool.submit(ask, about)

    def document(self, name: str, most: int) -> bytes | None:
        """The document of this name, now; None if there is none."""
        data = self._backend.get(name, most)
        self.fetched += len(data or b"")
        return data

    def stream(self, blobs: Iterable[Blob], keep: Callable[[int, bytes], object] | None = None) -> Iterator[bytes]:
        """The content of blobs in their order, of which the next ones are fetched meanwhile.

        Few are under way at once where each takes long: a piece counts when all of it is there.

        Args:
            blobs: which.
            keep: is given the number of each, and its content, as soon as that has come, also if another one fails.
        """
        ahead: deque[_Coming] = deque()
        new: dict[_Coming, int] = {}
        rest = iter(enumerate(blobs))
        try:
            while True:
                while len(ahead) < self._together and (one := next(rest, None)) is not None:
                    ahead.append(self._pool.submit(self._timed, one[1]))
                    new[ahead[-1]] = one[0]
                if not ahead:
                    return
                while ahead[0] in new:
                    for future in sorted(wait(new, return_when=FIRST_COMPLETED).done, key=_failed):
                        data, seconds = future.result()
                        number = new.pop(future)
                        if keep is not None:
                            keep(number, data)
                        self._adapt(seconds)
                yield ahead.popleft().result()[0]
        finally:
            for future in ahead:
                future.cancel()

    def _timed(self, blob: Blob) -> tuple[bytes, float]:
        begun = time.monotonic()
        return self.blob(blob), time.monotonic() - begun

    def _adapt(self, seconds: float) -> None:
        """So many at once that each takes some seconds at most."""
        if seconds > SLOW:
            self._together = max(1, self._together // 2)
        elif seconds < SLOW / 2:
            self._together = min(self._workers, self._together + 1)

    def blob(self, blob: Blob) -> bytes:
        """The content of a blob, now.

        Raises:
            DamageError: it is not there, or twice it was not what its name says.
            RemoteError: the remote cannot be reached, or refuses.
        """
        try:
            return self._once(blob)
        except DamageError:
            return self._once(blob)  # what was damaged on the way need not be so again

    def _once(self, blob: Blob) -> bytes:
        where = f"{self._backend.url}: {blob.name}"
        hint = "whoever has it can send it anew: pylightnix push --again"
        stored = self._backend.get(blob.name, blob.size + _AROUND)
        if stored is None:
            raise DamageError("it is not there, and something that is refers to it", where=where, hint=hint)
        self.fetched += len(stored)
        try:
            data = decompress(stored, blob.size) if blob.compressed else stored
        except DamageError as error:
            raise DamageError(error.what, where=where, hint=hint) from error
        if len(data) != blob.size or digest_bytes(data) != blob.digest:
            raise DamageError("its bytes are not those of its name", where=where, hint=hint)
        return data


def _failed(future: _Coming) -> bool:
    return future.cancelled() or future.exception() is not None
