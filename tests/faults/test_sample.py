"""A sample of the fault campaign; `make faults` does all of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faults.campaign import KINDS, stand_for
from faults.operation import Operation
from faults.operations import OPERATIONS
from faults.stand import Stand, quick_place

POINTS = {
    "kill": 2,
    "kill-again": 2,
    "refusal": 2,
    "lasting-refusal": 2,
    "preemption": 2,
    "preemption-verify": 2,
    "preemption-collect": 2,
    "loss-of-power": 1,
    "loss-of-power-full": 1,
}
SOME = {
    "realize in a process": {"kill", "preemption"},
    "copy": {"kill", "refusal", "preemption-collect"},
    "push": {"kill", "lasting-refusal", "preemption", "loss-of-power"},
    "push the rest": {"preemption-collect"},
    "pull": {"kill", "refusal", "preemption", "loss-of-power"},
    "export": {"kill", "refusal", "loss-of-power"},
    "import": {"kill", "preemption-collect"},
    "build under a second key": {"kill", "refusal", "preemption", "preemption-collect"},
    "empty the trash": {"kill", "preemption"},
    "keep by a link": {"kill"},
    "keep by a lock file": {"refusal", "loss-of-power"},
}
"""Operations of which not all is tried, since it takes long or is much like others: the kinds of faults that are."""

FULL = {"realize", "make again"}
"""Operations that are tried in this durability too."""


def is_sampled(kind: str, operation: Operation) -> bool:
    return kind in SOME.get(operation.name, POINTS) and (kind != "loss-of-power-full" or operation.name in FULL)


@pytest.fixture(scope="module")
def stands() -> Iterator[Callable[[str, Operation], Stand]]:
    """Operations made ready, for several kinds of faults where these need the same."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir=quick_place()) as place:
        known: dict[tuple[object, ...], Stand] = {}

        def stand(kind: str, operation: Operation) -> Stand:
            wanted = operation.name, *KINDS[kind][1:]
            if wanted not in known:
                known[wanted] = stand_for(kind, operation, Path(place) / str(len(known)))
            return known[wanted]

        yield stand


def test_every_promised_kind_is_sampled() -> None:
    assert POINTS.keys() == {name for name, kind in KINDS.items() if kind.promised}


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        pytest.param(kind, operation, id=f"{operation.name}-{kind}")
        for operation in OPERATIONS
        for kind in POINTS
        if is_sampled(kind, operation)
    ],
)
def test_sound(kind: str, operation: Operation, stands: Callable[[str, Operation], Stand]) -> None:
    row = KINDS[kind].campaign(stands(kind, operation), POINTS[kind])
    assert row.failures == []
    assert row.points > 0
