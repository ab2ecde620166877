"""Sees, before the first builder runs, that all that may have to be made can have what it wants, however late.

Unaware of what is made, and of what becomes of what cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pylightnix.engine.room import Room
from pylightnix.errors import ExecutorError, PylightnixError
from pylightnix.model.build import Executor
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.conditions import Conditions
from pylightnix.model.sharing import Demand
from pylightnix.names import DerivationRef


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
        return self._room.demand(_name(pinned), pinned.conditions)

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
