"""Threads of Pylightnix that work beside builders, and for none of them. Unaware of what they do."""

from __future__ import annotations

import os
from _thread import get_ident, start_new_thread
from collections.abc import Callable

_at_work: set[int] = set()


def start_thread(work: Callable[[], None]) -> None:
    """Let a thread of its own do this, which ends with the process.

    Nobody waits until it has begun: where other processes have all processors, `Thread.start` does so for milliseconds.

    Raises:
        RuntimeError: the system gives no more threads.
    """

    def run() -> None:
        _at_work.add(get_ident())
        try:
            work()
        finally:
            _at_work.discard(get_ident())

    start_new_thread(run, ())


def is_own(thread: int) -> bool:
    """Whether the thread of this number is one of these, and at work."""
    return thread in _at_work


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_at_work.clear)
