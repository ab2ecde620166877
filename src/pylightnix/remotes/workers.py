"""Threads that ask a remote several things at once, and for which nobody waits long in the end.

What is asked may hang for minutes, in a library or in the kernel, where no signal gets to. So these are daemon threads:
whoever is interrupted leaves them behind. Unaware of what is asked.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

PARTING = 1.0
"""Seconds that what is under way gets to end."""

Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Workers:
    """Some threads; to be closed.

    Args:
        most: how many.
        name: of each.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._mutex = threading.Lock()

    def submit(self, do: Callable[..., R], *about: Any) -> Future[R]:
        """Have something done as soon as a thread is free; it is dropped if this was closed."""
        future: Future[R] = Future()
        with self._mutex:
            if self._closed:
                future.cancel()
                return future
            self._tasks.put((future, do, about))
            if len(self._threads) < self._most:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def map(self, do: Callable[[T], R], about: Iterable[T]) -> Iterator[R]:
        """What is given for each, in their order; all is asked at once."""
        futures = [self.submit(do, one) for one in about]
        return _results(futures)

    def close(self, parting: float = PARTING) -> None:
        """Drop what has not begun, and give what has so many seconds to end; what still goes on is left behind."""
        with self._mutex:
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    task[0].cancel()
        until = time.monotonic() + parting
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            _carry_out(task)
            del task  # what it holds may be large


def _carry_out(task: Task) -> None:
    future, do, about = task
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = do(*about)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


def _results(futures: list[Future[R]]) -> Iterator[R]:
    """The results in order; the rest is dropped if nobody wants it."""
    futures.reverse()
    try:
        while futures:
            yield futures.pop().result()
    finally:
        for future in futures:
            future.cancel()
