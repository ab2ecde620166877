"""When: which derivation can be decided next, and which runs can start. A state machine without I/O, clock or threads.

States of a derivation: blocked (an input is not chosen yet), ready (may be decided), building (runs are wanted or
under way), done (a choice was made).

Of the runs that can start the one with the greatest weight does, which is how long it is likely to take: where a long
one starts last, all but one slot are idle at the end. One whose weight is not known goes first, for it may be the
longest of all, and once it has ended more is known. Among equals the order is that of asking.

One for which there is no room lets others pass, but not for ever: see `PASSED`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Generic, TypeVar

from pylightnix.engine.room import NOTHING
from pylightnix.model.sharing import Demand
from pylightnix.names import DerivationRef

Task = TypeVar("Task")

PASSED = 16
"""How many runs may take of what another one, whose turn it is, waits for. Then what it lacks is kept for it, and only
what is likely to have ended long before passes: what takes less than half of the time of a run for which it waits."""


def _always(_: Demand) -> bool:
    return True


class Scheduler(Generic[Task]):
    """Hands out derivations in the order of the plan, as soon as their inputs are chosen, and runs by weight.

    Args:
        inputs: for each derivation, in the order of the plan, the derivations that it waits for.
    """

    def __init__(self, inputs: Mapping[DerivationRef, Iterable[DerivationRef]]) -> None:
        self._order = {ref: position for position, ref in enumerate(inputs)}
        self._names = list(inputs)
        self._missing: dict[DerivationRef, int] = {}
        self._users: dict[DerivationRef, list[DerivationRef]] = {}
        self._ready: list[int] = []
        self._tasks: dict[Demand, list[tuple[float, int, DerivationRef, Task]]] = {}  # heaps, none of them empty
        self._asked = 0
        self._passed: dict[Demand, int] = {}
        self._out: dict[DerivationRef, list[tuple[float, Demand]]] = {}  # those handed out that take something
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

    def want(
        self, ref: DerivationRef, tasks: Iterable[Task], weight: float | None = None, demand: Demand = NOTHING
    ) -> None:
        """Runs are wanted; when the last of them has finished, the derivation is ready to be decided again.

        Args:
            ref: of which derivation.
            tasks: the runs.
            weight: how long each is likely to take, None if that is not known.
            demand: what each takes.
        """
        rank = -inf if weight is None else -weight
        heap = self._tasks.setdefault(demand, [])
        before = self._asked
        for task in tasks:
            heapq.heappush(heap, (rank, self._asked, ref, task))
            self._asked += 1
        self._open[ref] = self._open.get(ref, 0) + self._asked - before

    @property
    def has_tasks(self) -> bool:
        """Whether there is a run to start, be there room for it or not."""
        return not self._stopped and bool(self._tasks)

    def next_task(self, fits: Callable[[Demand], bool] = _always) -> tuple[DerivationRef, Task] | None:
        """A run to start now, of those that fit; None if there is none."""
        if self._stopped or not self._tasks:
            return None
        demand = self._next_demand(fits)
        if demand is None:
            return None
        heap = self._tasks[demand]
        rank, _, ref, task = heapq.heappop(heap)
        if not heap:
            del self._tasks[demand]
        if demand:
            self._passed.pop(demand, None)
            self._out.setdefault(ref, []).append((rank, demand))
        return ref, task

    def _next_demand(self, fits: Callable[[Demand], bool]) -> Demand | None:
        """What the run takes that is to start; those whose turn it is before, and that lack something, are passed."""
        if len(self._tasks) == 1:
            (only,) = self._tasks
            return only if fits(only) else None
        lacking: list[tuple[Demand, set[str]]] = []
        for (rank, _), demand in sorted((heap[0][:2], demand) for demand, heap in self._tasks.items()):
            if not fits(demand):
                lacking.append((demand, {name for name, amount in demand if not fits(((name, amount),))}))
                continue
            names = {name for name, _ in demand}
            passed = [(other, missing) for other, missing in lacking if missing & names]
            if all(self._lets_pass(other, missing, rank) for other, missing in passed):
                for other, _ in passed:
                    self._passed[other] = self._passed.get(other, 0) + 1
                return demand
        return None

    def _lets_pass(self, waiting: Demand, missing: set[str], rank: float) -> bool:
        if self._passed.get(waiting, 0) < PASSED:
            return True
        out = (one for runs in self._out.values() for one in runs)
        return any(theirs < 2 * rank and any(name in missing for name, _ in taken) for theirs, taken in out)

    def _back(self, ref: DerivationRef) -> None:
        """One that was handed out takes nothing any more; which of its derivation makes no difference."""
        runs = self._out.get(ref)
        if runs is not None:
            runs.pop()
            if not runs:
                del self._out[ref]

    def withdraw(self, ref: DerivationRef) -> bool:
        """Take a run back that was handed out and not started, and those not handed out yet; whether others go on.

        If so, the derivation is ready when the last of them has finished; else when `again` says so.
        """
        self._back(ref)
        self._open[ref] -= 1 + self._take_back(ref)
        if self._open[ref]:
            return True
        del self._open[ref]
        return False

    def drop(self, ref: DerivationRef) -> None:
        """Take back all runs of a derivation, of which none was handed out: nothing more comes of it."""
        self._take_back(ref)
        self._open.pop(ref, None)

    def _take_back(self, ref: DerivationRef) -> int:
        taken = 0
        for demand, heap in list(self._tasks.items()):
            kept = [waiting for waiting in heap if waiting[2] != ref]
            if len(kept) == len(heap):
                continue
            taken += len(heap) - len(kept)
            heapq.heapify(kept)
            if kept:
                self._tasks[demand] = kept
            else:
                del self._tasks[demand]
        return taken

    def finished(self, ref: DerivationRef) -> None:
        """A run of this derivation has ended well."""
        self._back(ref)
        self._open[ref] -= 1
        if self._open[ref] == 0:
            del self._open[ref]
            heapq.heappush(self._ready, self._order[ref])

    def failed(self, ref: DerivationRef) -> None:
        """A run has given nothing, or the derivation cannot be decided: nothing more comes of it than what runs."""
        if self._open.get(ref):
            self.finished(ref)

    def stop(self) -> None:
        """Nothing more is handed out."""
        self._stopped = True
