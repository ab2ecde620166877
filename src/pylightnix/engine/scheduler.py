"""When: which derivation can be decided next, and which runs can start. A state machine without I/O, clock or threads.

States of a derivation: blocked (an input is not chosen yet), ready (may be decided), building (runs are wanted or
under way), done (a choice was made).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from pylightnix.names import DerivationRef

Task = TypeVar("Task")


class Scheduler(Generic[Task]):
    """Hands out derivations in the order of the plan, as soon as their inputs are chosen, and runs in order of asking.

    Args:
        inputs: for each derivation, in the order of the plan, the derivations that it waits for.
    """

    def __init__(self, inputs: Mapping[DerivationRef, Iterable[DerivationRef]]) -> None:
        self._order = {ref: position for position, ref in enumerate(inputs)}
        self._names = list(inputs)
        self._missing: dict[DerivationRef, int] = {}
        self._users: dict[DerivationRef, list[DerivationRef]] = {}
        self._ready: list[int] = []
        self._tasks: deque[tuple[DerivationRef, Task]] = deque()
        self._open: dict[DerivationRef, int] = {}
        self._waiting: dict[DerivationRef, list[DerivationRef]] = {}
        self._stopped = False
        for ref, needed in inputs.items():
            waits = set(needed)
            if not waits:
                self._ready.append(self._order[ref])
                continue
            self._missing[ref] = len(waits)
            for dependency in waits:
                users = self._users.get(dependency)
                if users is None:
                    self._users[dependency] = [ref]
                else:
                    users.append(ref)

    def next_ready(self) -> DerivationRef | None:
        """A derivation to decide now, the first of the plan that is ready; None if there is none at the moment."""
        if self._stopped or not self._ready:
            return None
        return self._names[heapq.heappop(self._ready)]

    def done(self, ref: DerivationRef) -> None:
        """A choice was made: what waited only for it becomes ready."""
        waiting = self._waiting.pop(ref, None)
        for user in self._users.get(ref, ()) if waiting is None else waiting:
            self._missing[user] -= 1
            if self._missing[user] == 0:
                heapq.heappush(self._ready, self._order[user])

    def again(self, ref: DerivationRef) -> None:
        """A derivation that was ready, and of which nothing came, is ready to be decided once more."""
        heapq.heappush(self._ready, self._order[ref])

    def wait_for(self, ref: DerivationRef, needed: Iterable[DerivationRef]) -> None:
        """A derivation that was ready waits for some that were done, each of which is ready to be decided again."""
        wanted = set(needed)
        self._missing[ref] = len(wanted)
        for again in wanted:
            if again not in self._waiting:
                self._waiting[again] = []
                heapq.heappush(self._ready, self._order[again])
            self._waiting[again].append(ref)

    def want(self, ref: DerivationRef, tasks: Iterable[Task]) -> None:
        """Runs are wanted; when the last of them has finished, the derivation is ready to be decided again."""
        added = [(ref, task) for task in tasks]
        self._open[ref] = self._open.get(ref, 0) + len(added)
        self._tasks.extend(added)

    def next_task(self) -> tuple[DerivationRef, Task] | None:
        """A run to start now, or None."""
        return None if self._stopped or not self._tasks else self._tasks.popleft()

    def withdraw(self, ref: DerivationRef) -> bool:
        """Take a run back that was handed out and not started, and those not handed out yet; whether others go on.

        If so, the derivation is ready when the last of them has finished; else when `again` says so.
        """
        kept = [waiting for waiting in self._tasks if waiting[0] != ref]
        self._open[ref] -= 1 + len(self._tasks) - len(kept)
        self._tasks = deque(kept)
        if self._open[ref]:
            return True
        del self._open[ref]
        return False

    def finished(self, ref: DerivationRef) -> None:
        """A run of this derivation has ended well."""
        self._open[ref] -= 1
        if self._open[ref] == 0:
            del self._open[ref]
            heapq.heappush(self._ready, self._order[ref])

    def stop(self) -> None:
        """Nothing more is handed out."""
        self._stopped = True
