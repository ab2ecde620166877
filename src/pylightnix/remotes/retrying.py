"""A backend that is asked again where that may help. Unaware of which one it is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from pylightnix.errors import RemoteError
from pylightnix.remotes.backend import Backend

T = TypeVar("T")

ATTEMPTS = 4
LONGEST = 30.0
"""Seconds that are waited at most, also where a server asks for more."""


class Retrying:
    """What `backend` does, at most so many times each.

    Putting is done again too: the same bytes under the same name, so an answer that was lost does no harm.

    Args:
        backend: which one.
        attempts: how many.
        sleep: waits so many seconds.
    """

    def __init__(
        self, backend: Backend, attempts: int = ATTEMPTS, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.url = backend.url
        self.lists = backend.lists
        self.writes = backend.writes
        self._backend = backend
        self._attempts = attempts
        self._sleep = sleep

    def get(self, name: str, most: int) -> bytes | None:
        return self._try(lambda: self._backend.get(name, most))

    def put(self, name: str, data: bytes) -> None:
        self._try(lambda: self._backend.put(name, data))

    def has(self, name: str) -> bool:
        return self._try(lambda: self._backend.has(name))

    def names(self, prefix: str) -> Iterator[str]:
        yield from self._try(lambda: list(self._backend.names(prefix)))

    def remove(self, name: str) -> None:
        self._try(lambda: self._backend.remove(name))

    def close(self) -> None:
        self._backend.close()

    def _try(self, ask: Callable[[], T]) -> T:
        for attempt in range(self._attempts - 1):
            try:
                return ask()
            except RemoteError as error:
                if not error.again:
                    raise
                wait = error.wait or 0.2 * 3**attempt * random.uniform(0.5, 1.0)
                self._sleep(min(wait, LONGEST))
        return ask()
