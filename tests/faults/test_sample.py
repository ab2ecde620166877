"""A sample of the fault campaign; `make faults` does all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.campaign import KINDS, run
from faults.operations import OPERATIONS, Operation

POINTS = {
    "kill": 5,
    "kill-again": 4,
    "refusal": 6,
    "lasting-refusal": 4,
    "preemption": 4,
    "preemption-verify": 3,
    "loss-of-power": 3,
    "loss-of-power-full": 2,
}
SLOW = "realize in a process"
"""An interpreter is started for each point."""


def test_every_promised_kind_is_sampled() -> None:
    assert POINTS.keys() == {name for name, kind in KINDS.items() if kind.promised}


@pytest.mark.parametrize("kind", POINTS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_sound(kind: str, operation: Operation, place: Path) -> None:
    row = run(kind, operation, place / "s", POINTS[kind] if operation.name != SLOW else 2)
    assert row.failures == []
    assert row.points >= 2
