"""Threads of Pylightnix that work beside builders, and for none of them. Unaware of what they do."""

from __future__ import annotations

import os
from _thread import get_ident, start_new_thread
from collections.abc import Callable

_own: set[int] = set()


def start_thread(work: Callable[[], None]) -> None:
    """Let a thread of its own do this, which ends with the process.

    Nobody waits until it has begun: where other processes have all processors, `Thread.start` does so for milliseconds.
    """
    ended: list[bool] = []

    def run() -> None:
        try:
            work()
        finally:
            ended.append(True)
            _own.discard(get_ident())

    thread = start_new_thread(run, ())
    _own.add(thread)
    if ended:
        _own.discard(thread)


def own_threads() -> set[int]:
    """Those at work at this moment, by their numbers."""
    return _own.copy()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_own.clear)
