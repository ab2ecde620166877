"""What runs want of where they run: seen, before the first builder runs, for all that may have to be made.

Unaware of what is made, and of what becomes of what cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from pylightnix.engine.room import NOTHING, UNSHARED, Room
from pylightnix.errors import ExecutorError, PylightnixError
from pylightnix.model.build import Executor
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.conditions import Conditions
from pylightnix.model.keeping import Keeper
from pylightnix.model.sharing import Demand, Share, Shares
from pylightnix.names import DerivationRef, KeyRef


def shares_for(executor: Executor, keeper: Keeper, making: Collection[str]) -> Shares | None:
    """What other calls take of what the runs of this executor take; None where each call counts for itself."""
    scope = getattr(executor, "scope", "")
    return keeper.shares(scope, making) if scope else None


class Wishes:
    """What derivations want for their runs.

    Args:
        closure: of which.
        executor: runs the builders.
        room: what there is for all runs together.
    """

    def __init__(self, closure: Closure, executor: Executor, room: Room) -> None:
        self._closure = closure
        self._executor = executor
        self._room = room

    def demand(self, pinned: Pinned) -> Demand:
        """What a run takes; ResourceError if there is not so much."""
        conditions = pinned.conditions
        return self._room.demand(_name(pinned), conditions) if conditions.resources else NOTHING

    def share(self, pinned: Pinned, home: KeyRef, conditions: Callable[[Pinned], Conditions]) -> Share | None:
        """What a run of this key takes, seen by other calls from now on; None if they were faster.

        Args:
            pinned: of which.
            home: the key.
            conditions: how the runs of a derivation are carried out.
        """
        demand = self.demand(pinned)
        if not demand:
            return UNSHARED
        takes_turns = getattr(self._executor, "takes_turns", None)
        stacked = takes_turns is not None and takes_turns(conditions(pinned))
        return self._room.share(demand, home, stacked=stacked)

    def refused(
        self, conditions: Callable[[Pinned], Conditions], is_settled: Callable[[DerivationRef], bool]
    ) -> Iterator[tuple[DerivationRef, PylightnixError]]:
        """Those that cannot have what they want, in order, and why; looked at as they are asked for.

        Args:
            conditions: how the runs of a derivation are carried out.
            is_settled: whether a derivation needs no run, or has failed already.
        """
        fine: set[int] = set()
        for pinned in self._closure.order:
            if id(pinned.conditions) in fine or is_settled(pinned.ref):
                continue
            try:
                self._see(pinned, conditions)
            except PylightnixError as error:
                yield pinned.ref, error
            else:
                fine.add(id(pinned.conditions))

    def _see(self, pinned: Pinned, conditions: Callable[[Pinned], Conditions]) -> None:
        self.demand(pinned)
        accept = getattr(self._executor, "accept", None)
        if accept is not None:
            try:
                accept(conditions(pinned))
            except ExecutorError as error:
                error.where = error.where or _name(pinned)
                raise


def _name(pinned: Pinned) -> str:
    return f"{pinned.name} {pinned.ref.short}"
