"""A sample of the fault campaign; `make faults` does all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.campaign import KINDS, run
from faults.operations import OPERATIONS, Operation

POINTS = {
    "kill": 4,
    "kill-again": 3,
    "refusal": 4,
    "lasting-refusal": 3,
    "preemption": 3,
    "preemption-verify": 2,
    "loss-of-power": 1,
    "loss-of-power-full": 1,
}
RARE = {"realize in a process": {"kill", "preemption"}}
"""Operations of which each point takes long, and the kinds of faults that are tried nevertheless."""


def test_every_promised_kind_is_sampled() -> None:
    assert POINTS.keys() == {name for name, kind in KINDS.items() if kind.promised}


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        pytest.param(kind, operation, id=f"{kind}-{operation.name}")
        for kind in POINTS
        for operation in OPERATIONS
        if kind in RARE.get(operation.name, POINTS)
    ],
)
def test_sound(kind: str, operation: Operation, place: Path) -> None:
    row = run(kind, operation, place / "s", POINTS[kind])
    assert row.failures == []
    assert row.points > 0
