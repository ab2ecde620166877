"""All kinds of faults by name, and one of them tried on one operation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from faults.killing import kill, kill_again
from faults.kinds import Row
from faults.losing_power import lose_power
from faults.operation import Operation
from faults.preempting import preempt, preempt_by_collect, preempt_by_verify
from faults.refusing import refuse, refuse_on
from faults.stand import Stand
from pylightnix.store.pending import Durability


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        campaign: tries it at all points, or at so many.
        foreign: whether the changes of builders and executors are points too.
        durability: of the store.
        promised: whether the store is to take it well; else it is tried only when asked for by name.
    """

    campaign: Callable[[Stand, int | None], Row]
    foreign: bool = False
    durability: Durability = "batch"
    promised: bool = True


KINDS = {
    "kill": Kind(kill, foreign=True),
    "kill-again": Kind(kill_again, foreign=True),
    "refusal": Kind(refuse),
    "lasting-refusal": Kind(refuse_on),
    "preemption": Kind(preempt),
    "preemption-verify": Kind(preempt_by_verify),
    "preemption-collect": Kind(preempt_by_collect),
    "loss-of-power": Kind(lose_power),
    "loss-of-power-full": Kind(lose_power, durability="full"),
    "loss-of-power-unordered": Kind(functools.partial(lose_power, ordered=False), promised=False),
}


def stand_for(kind: str, operation: Operation, place: Path) -> Stand:
    """An operation made ready for a kind of fault, in an empty place."""
    return Stand(operation, place, foreign=KINDS[kind].foreign, durability=KINDS[kind].durability)


def run(kind: str, operation: Operation, place: Path, most: int | None = None) -> Row:
    """Try a kind of fault on an operation, at all its points or at so many of them, in an empty place."""
    return KINDS[kind].campaign(stand_for(kind, operation, place), most)
