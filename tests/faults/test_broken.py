"""The campaign can fail: stores that are broken on purpose are caught, each by the kind of fault that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import broken
from faults.campaign import KINDS, run
from faults.killing import kill, kill_again
from faults.losing_power import lose_power
from faults.operations import OPERATIONS
from faults.preempting import preempt, preempt_by_verify
from faults.refusing import refuse, refuse_on
from faults.stand import Stand

POINTS = {"refusal": 40, "loss-of-power": 5, "loss-of-power-full": 5}
"""At how many points the broken stores are looked at: the others at 16."""

BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("kind", "store", "operation", "told"),
    [
        ("kill", broken.record_before_artifacts, "realize three runs", "it has no run"),
        ("kill", broken.one_temporary_name, "keep a failure", "File exists"),
        ("kill-again", broken.one_temporary_name, "keep a failure", "File exists"),
        ("refusal", broken.nothing_cleared_up, "realize three runs", "left: "),
        ("refusal", broken.files_left_open, "init", "descriptors are left open"),
        ("refusal", broken.errors_of_the_system, "realize three runs", "an error that is not ours"),
        ("lasting-refusal", broken.errors_of_the_system, "realize three runs", "an error that is not ours"),
        ("preemption", broken.slots_for_everybody, "realize three runs", "builders ran"),
        ("preemption-verify", broken.record_before_artifacts, "realize three runs", "it has no run"),
        ("preemption-collect", broken.nothing_held, "realize", "not there"),
        ("loss-of-power", broken.visible_at_once, "realize three runs", "it has not the form of record/1"),
        ("kill", broken.content_sent_last, "push", "what it offers cannot be had"),
        ("kill", broken.archives_in_their_place, "export", "what it offers cannot be had"),
        ("loss-of-power", broken.new_directories_forgotten, "push", "lost after it returned"),
        ("loss-of-power-full", broken.visible_at_once, "realize three runs", "it has not the form of record/1"),
    ],
)
def test_broken_store_is_caught(kind: str, store: broken.Broken, operation: str, told: str, place: Path) -> None:
    with store():
        row = run(kind, BY_NAME[operation], place / "s", POINTS.get(kind, 16))
    assert any(told in failure for failure in row.failures), row


def test_every_kind_catches_one() -> None:
    (mark,) = test_broken_store_is_caught.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == {name for name, kind in KINDS.items() if kind.promised}


def test_a_disk_that_does_not_sync_is_caught(place: Path) -> None:
    row = lose_power(Stand(BY_NAME["realize"], place / "s"), 4, forgetful=True)
    assert any("lost after it returned" in failure for failure in row.failures)


@pytest.mark.parametrize("kind", [kill, kill_again, refuse, refuse_on, preempt, preempt_by_verify])
def test_a_point_at_which_nothing_happened_counts_as_failed(kind: object, place: Path) -> None:
    stand = Stand(BY_NAME["init"], place / "s", foreign=kind in (kill, kill_again))
    stand.calls += 3
    assert kind(stand, 2).failures  # type: ignore[operator]
