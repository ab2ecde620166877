"""Divides long work of a command among children: forked copies of this process. Unaware of what the work is.

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
"""Items that are worth a child: making one, and having its results, takes as long as some hundreds of them."""

MOST = 4
"""Processes at a time, this one included: more than that wait for the file system."""


def divided(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], least: int = LEAST) -> list[R]:
    """What the work gives for all items, in no particular order; errors as it raises them.

    Args:
        work: gives results that can be pickled for some of the items; it only looks, so it may be done again.
        items: all of them.
        least: items that a child is worth.
    """
    count = min(MOST, _processors(), len(items) // least)
    if count < 2 or not hasattr(os, "fork") or threading.active_count() > 1:
        return work(items)
    parts = [items[start::count] for start in range(count)]
    children: list[_Child[T, R]] = []
    try:
        while len(children) < count - 1:
            try:
                children.append(_Child(work, parts[1 + len(children)]))
            except OSError:  # no more processes, or pipes, than these
                break
        found = [result for part in (parts[0], *parts[1 + len(children) :]) for result in work(part)]
        for child in children:
            results = child.results()
            found += work(child.part) if results is None else results
    finally:
        for child in children:
            child.stop_reading()  # of all, before any is waited for: a later child has what an earlier one writes to
        for child in children:
            child.wait()
    return found


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Child(Generic[T, R]):
    """A child at a part of the work; OSError if there can be none."""

    def __init__(self, work: Callable[[Sequence[T]], list[R]], part: Sequence[T]) -> None:
        self.part = part
        self._reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            self._process = os.fork()
            if self._process == 0:
                _work_as_child(work, part, self._reader, writer)
        except OSError:
            os.close(self._reader)
            raise
        finally:
            os.close(writer)

    def results(self) -> list[R] | None:
        """What it found; None if it failed, in whatever way."""
        with open(self._reader, "rb", closefd=False) as stream:
            data = stream.read()
        with contextlib.suppress(pickle.UnpicklingError, EOFError):
            found: list[R] = pickle.loads(data)  # nobody but the child could write there
            return found
        return None

    def stop_reading(self) -> None:
        """Let it find that nobody reads, if it has something to say still."""
        os.close(self._reader)

    def wait(self) -> None:
        """Wait for its end."""
        os.waitpid(self._process, 0)


def _work_as_child(work: Callable[[Sequence[T]], list[R]], part: Sequence[T], reader: int, writer: int) -> None:
    """Never returns: nothing of the parent is to be ended but the child itself."""
    try:
        os.close(reader)
        with open(writer, "wb") as stream:
            pickle.dump(work(part), stream, pickle.HIGHEST_PROTOCOL)
    except BaseException:  # the parent does the part itself, and tells what is wrong
        os._exit(1)
    os._exit(0)
