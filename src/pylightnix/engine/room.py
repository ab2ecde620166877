"""What runs take of what there is: whether one fits now, or ever. Unaware of which runs these are."""

from __future__ import annotations

from collections.abc import Mapping

from pylightnix.errors import ResourceError
from pylightnix.model.conditions import Conditions

Demand = tuple[tuple[str, float], ...]
"""What one run takes: amounts by name."""

NOTHING: Demand = ()

_SLACK = 1e-9
"""Of what there is: parts that are no whole numbers do not add up to the last digit."""


class Room:
    """The resources of an executor.

    A run that says nothing takes a slot and nothing else. Of cpus a run gets at most all, so a stage that wants more
    of them than a small machine has runs there alone. Of everything else there is enough, or it is an error.

    Args:
        capacity: what runs may take together; None where the executor itself sees to that.
    """

    def __init__(self, capacity: Mapping[str, float] | None) -> None:
        self._capacity = capacity
        self._taken: dict[str, float] = {}
        self._demands: dict[int, tuple[Conditions, Demand]] = {}

    def demand(self, where: str, conditions: Conditions) -> Demand:
        """What a run takes.

        Raises:
            ResourceError: there is not so much, however long it waits.
        """
        if not conditions.resources or self._capacity is None:
            return NOTHING
        known = self._demands.get(id(conditions))
        if known is None:
            known = self._demands[id(conditions)] = (conditions, self._read(where, conditions, self._capacity))
        return known[1]

    def _read(self, where: str, conditions: Conditions, capacity: Mapping[str, float]) -> Demand:
        found = {}
        for name, amount in conditions.resources.items():
            there = capacity.get(name, 0)
            if amount > there * (1 + _SLACK) and name != "cpus":
                raise ResourceError(
                    f"a run needs {_shown(name, amount)}, and there is {_shown(name, there) if there else 'none'}",
                    where=where,
                    hint=f"say what this machine has, such as --limit {name}={_amount(name, amount)}, limits={{…}} in "
                    "the call or $PYLIGHTNIX_LIMITS; or let another executor run it",
                    resource=name,
                    wanted=amount,
                    there=there,
                )
            found[name] = min(amount, there)
        return tuple(sorted(found.items()))

    def fits(self, demand: Demand) -> bool:
        """Whether a run that takes this can start now."""
        if not demand or self._capacity is None:  # its length alone would have the machine looked at, a millisecond
            return True
        there = self._capacity
        return all(self._taken.get(name, 0.0) + amount <= there[name] * (1 + _SLACK) for name, amount in demand)

    def take(self, demand: Demand) -> None:
        """A run has started."""
        for name, amount in demand:
            self._taken[name] = self._taken.get(name, 0.0) + amount

    def give(self, demand: Demand) -> None:
        """It has ended."""
        for name, amount in demand:
            self._taken[name] -= amount


def _amount(name: str, amount: float) -> str:
    return f"{amount / 1e9:g}G" if name == "memory" else f"{amount:g}"


def _shown(name: str, amount: float) -> str:
    return f"{_amount(name, amount)} of memory" if name == "memory" else f"{amount:g} {name}"
