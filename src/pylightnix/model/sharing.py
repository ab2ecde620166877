"""How the calls that share a store share a machine: what runs take is counted over all of them. Pure: a contract.

Those share that may use the same part of the same machine, which its executor tells by a text. A run of a builder that
realizes others has what it takes already, so what is made within it does not wait for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pylightnix.model.claiming import Holder

Demand = tuple[tuple[str, float], ...]
"""What one run takes: amounts by name."""

SLACK = 1e-9
"""Of what there is: parts that are no whole numbers do not add up to the last digit."""


class Share(Protocol):
    """What a run takes, until `release` or until this process ends, however it ends."""

    @property
    def devices(self) -> tuple[int, ...] | None:
        """Which of the graphics processors are its own, counted from 0; None if that is not settled here."""
        ...

    def release(self) -> None:
        """Give it back. The second time does nothing."""
        ...


class Shares(Protocol):
    """What the runs of all calls take."""

    def lacking(self, demand: Demand, free: Mapping[str, float]) -> Sequence[Holder]:
        """Those of other calls who have what a run lacks; nobody if there is enough.

        Args:
            demand: what it takes.
            free: what there is, without what runs of this call take.
        """
        ...

    def forget(self) -> None:
        """Forget what was seen of them: the next question looks anew."""
        ...

    def look(self) -> bool:
        """Look anew who takes what; whether that has changed since the last look."""
        ...

    def take(self, demand: Demand, free: Mapping[str, float], run: str, *, stacked: bool) -> Share | None:
        """Take what a run needs; None if others were faster.

        Args:
            demand: what it takes.
            free: what there is, without what runs of this call take.
            run: the key of the run, with its name.
            stacked: whether runs of this process take turns anyway, so that others of it need not wait.
        """
        ...
