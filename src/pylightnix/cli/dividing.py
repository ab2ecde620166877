"""Divides long work of a command among copies of this process. Unaware of what the work is.

Threads would take longer than one alone: whoever returns from a call of the system waits for the interpreter.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

LEAST = 1000
"""Items that are worth a copy: making one, and having its results, takes as long as some hundreds of them."""

MOST = 4
"""Copies at a time, this process included: more than that wait for the file system."""


def divided(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], least: int = LEAST) -> list[R]:
    """What the work gives for all items, in no particular order; errors as it raises them.

    Args:
        work: gives results that can be pickled for some of the items; it only looks, so it may be done again.
        items: all of them.
        least: items that a copy is worth.
    """
    count = min(MOST, _processors(), len(items) // least)
    if count < 2 or not hasattr(os, "fork") or threading.active_count() > 1:
        return work(items)
    parts = [items[start::count] for start in range(count)]
    copies = [_Copy(work, part) for part in parts[1:]]
    try:
        found = work(parts[0])
        for copy in copies:
            results = copy.results()
            found += work(copy.part) if results is None else results
    finally:
        for copy in copies:
            copy.stop_reading()  # of all, before any is waited for: a later copy has what an earlier one writes to
        for copy in copies:
            copy.wait()
    return found


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Copy(Generic[T, R]):
    """A copy of this process at a part of the work."""

    def __init__(self, work: Callable[[Sequence[T]], list[R]], part: Sequence[T]) -> None:
        self.part = part
        self._reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._reader)
            _work_as_copy(work, part, writer)
        os.close(writer)

    def results(self) -> list[R] | None:
        """What it found; None if it failed, in whatever way."""
        with open(self._reader, "rb", closefd=False) as stream:
            data = stream.read()
        with contextlib.suppress(pickle.UnpicklingError, EOFError):
            found: list[R] = pickle.loads(data)  # nobody but the copy could write there
            return found
        return None

    def stop_reading(self) -> None:
        """Let it find that nobody reads, if it has something to say still."""
        os.close(self._reader)

    def wait(self) -> None:
        """Wait for its end."""
        os.waitpid(self._process, 0)


def _work_as_copy(work: Callable[[Sequence[T]], list[R]], part: Sequence[T], writer: int) -> None:
    """Never returns: nothing of this process is to be ended but the copy itself."""
    try:
        with open(writer, "wb") as stream:
            pickle.dump(work(part), stream, pickle.HIGHEST_PROTOCOL)
    except BaseException:  # the process that was copied does the part itself, and tells what is wrong
        os._exit(1)
    os._exit(0)
