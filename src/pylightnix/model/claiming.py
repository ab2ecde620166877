"""Who makes a run of a key: how those who share a store do not make the same twice. Pure: a contract.

The rule. To make a run one takes a slot of its key. A slot tells who else had one when it was taken; those who come
later see ours. After that, and not before, one looks again how many runs are missing: whoever had given a slot back
before had made its result visible before that. So `missing - others` runs at most are ours to make: nobody makes one
too many, and among those that wait there is always one, the first that took its slot, that sees none before it.

Nobody waits while it holds a slot: one gives the slot back and waits until one of the others has, so those who wait
for each other do not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


class Holder(NamedTuple):
    """Who makes a run.

    Attributes:
        host: name of the machine.
        process: its number there.
        stage: of what.
        since: moment in UTC by the clock of that machine, ISO 8601.
    """

    host: str
    process: int
    stage: str
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} since {self.since}"


class Other(NamedTuple):
    """Somebody else's slot: whose, and whether it was given back, or its holder is gone."""

    name: str
    holder: Holder
    is_gone: Callable[[], bool]


class Slot(Protocol):
    """The right to make one run of a key, until `release` or until this process ends, however it ends."""

    @property
    def others(self) -> Sequence[Other]:
        """Who had one when this one was taken."""
        ...

    @property
    def first(self) -> bool:
        """Whether it is the first that there ever was of its key: then nothing was ever made under it."""
        ...

    def release(self) -> None:
        """Give it back: the run's result is visible to all, or there is none. The second time does nothing."""
        ...
