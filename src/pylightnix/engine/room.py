"""What runs take of what there is: whether one fits now, or ever. Unaware of which runs these are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from pylightnix.errors import ResourceError
from pylightnix.model.claiming import Holder
from pylightnix.model.conditions import Conditions
from pylightnix.model.sharing import SLACK, Demand, Share, Shares

NOTHING: Demand = ()


def _nothing() -> None:
    return None


class _Unshared:
    """The share of a run that takes nothing, or where each call counts for itself."""

    devices = None

    def release(self) -> None:
        """There is nothing to give back."""


UNSHARED = _Unshared()


class Room:
    """The resources of an executor.

    A run that says nothing takes a slot and nothing else. Of cpus a run gets at most all, so a stage that wants more
    of them than a small machine has runs there alone. Of everything else there is enough, or it is an error.

    Args:
        capacity: what runs may take together; None where the executor itself sees to that.
        shares: gives what runs of other calls take of the same, None if each call counts for itself; asked when needed.

    Attributes:
        lacking: who has what a run lacks that would fit but for other calls, at the last look.
    """

    def __init__(self, capacity: Mapping[str, float] | None, shares: Callable[[], Shares | None] = _nothing) -> None:
        self.lacking: Sequence[Holder] = ()
        self._told: set[tuple[str, int]] = set()
        self._capacity = capacity
        self._seen = False
        self._sharing = shares
        self._taken: dict[str, float] = {}
        self._demands: dict[int, tuple[Conditions, Demand]] = {}

    def demand(self, where: str, conditions: Conditions) -> Demand:
        """What a run takes whose stage says so.

        Raises:
            ResourceError: there is not so much, however long it waits.
        """
        if self._capacity is None:
            return NOTHING
        known = self._demands.get(id(conditions))
        if known is None:
            known = self._demands[id(conditions)] = (conditions, self._read(where, conditions, self._capacity))
        return known[1]

    def _read(self, where: str, conditions: Conditions, capacity: Mapping[str, float]) -> Demand:
        found = {}
        for name, amount in conditions.resources.items():
            there = capacity.get(name, 0)
            if amount > there * (1 + SLACK) and name != "cpus":
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

    @functools.cached_property
    def _shares(self) -> Shares | None:
        return self._sharing()

    def fits(self, demand: Demand) -> bool:
        """Whether a run that takes this can start now."""
        if not demand or self._capacity is None:  # its length alone would have the machine looked at, a millisecond
            return True
        for name, amount in demand:
            if self._taken.get(name, 0.0) + amount > self._capacity[name] * (1 + SLACK):
                return False
        if self._shares is None:
            return True
        self._seen = True
        lacking = self._shares.lacking(demand, self._free())
        self.lacking = lacking or self.lacking
        return not lacking

    def forget(self) -> None:
        """See what other calls take when that is asked for, and not what was seen before."""
        self.lacking = ()
        if self._seen and self._shares is not None:
            self._shares.forget()
        self._seen = False

    def news(self) -> Sequence[Holder]:
        """Of those who have what a run lacks, one for each process that was not given here before."""
        by_process = {(holder.host, holder.process): holder for holder in self.lacking}
        new = by_process.keys() - self._told
        self._told |= new
        return [holder for who, holder in by_process.items() if who in new]

    def freed(self) -> bool:
        """Whether what other calls take has changed, if a run lacks it."""
        return bool(self.lacking) and self._shares is not None and self._shares.look()

    def share(self, demand: Demand, run: str, *, stacked: bool) -> Share | None:
        """Let other calls see what a run takes, which fitted and is not nothing; None if they were faster."""
        if self._shares is None:
            return UNSHARED
        return self._shares.take(demand, self._free(), run, stacked=stacked)

    def _free(self) -> Mapping[str, float]:
        return {name: there - self._taken.get(name, 0.0) for name, there in (self._capacity or {}).items()}

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
