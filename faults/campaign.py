"""All kinds of faults by name, and one of them tried on one operation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from faults.killing import kill, kill_again
from faults.kinds import Row
from faults.operations import Operation
from faults.preempting import preempt, preempt_by_verify
from faults.refusing import refuse, refuse_on
from faults.stand import Stand


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        campaign: tries it at all points, or at so many.
        foreign: whether the changes of builders and executors are points too.
    """

    campaign: Callable[[Stand, int | None], Row]
    foreign: bool = False


KINDS = {
    "kill": Kind(kill, foreign=True),
    "kill-again": Kind(kill_again, foreign=True),
    "refusal": Kind(refuse),
    "lasting-refusal": Kind(refuse_on),
    "preemption": Kind(preempt),
    "preemption-verify": Kind(preempt_by_verify),
}


def run(kind: str, operation: Operation, place: Path, most: int | None = None) -> Row:
    """Try a kind of fault on an operation, at all its points or at so many of them, in an empty place."""
    found = KINDS[kind]
    return found.campaign(Stand(operation, place, foreign=found.foreign), most)
