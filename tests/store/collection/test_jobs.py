"""Places of jobs that nobody asks for are swept; what is waited for, runs, or is young is left."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix.store.locks import held

DAY = 86_400


def made(plant: Any, number: int, days: float) -> Path:
    """A place such as the executor makes, that was left so long ago."""
    place: Path = plant.store.path / "tmp" / "slurm" / f"{'0123456789' * 4}-{number}-4321-{number:012x}"
    (place / "4321-0123456789ab.desk").mkdir(parents=True)
    for name in ("lock", "log", "4321-0123456789ab.desk/orders"):
        (place / name).touch()
    for path in (*place.rglob("*"), place):
        os.utime(path, (time.time() - days * DAY,) * 2)
    return place


def test_old_places_are_swept_and_young_ones_left(plant: Any) -> None:
    plant.one("a")
    old, young = made(plant, 1, 31), made(plant, 2, 29)
    told = plant.store.gc(unreachable=True, dry_run=True)
    assert told.swept.tmp == (f"tmp/slurm/{old.name}",)
    assert old.exists()
    assert plant.store.gc(unreachable=True).swept.tmp == told.swept.tmp
    assert [path.exists() for path in (old, young)] == [False, True]
    plant.store.gc(unreachable=True, failed="7d")
    assert not young.exists()
    assert os.listdir(plant.store.path / "tmp") == ["slurm"]


def test_a_job_that_may_be_queued_is_left_whatever_is_kept_of_failed_runs(plant: Any) -> None:
    plant.one("a")
    new, yesterday = made(plant, 1, 0.9), made(plant, 2, 1.1)
    plant.store.gc(unreachable=True, failed="0d")
    assert [path.exists() for path in (new, yesterday)] == [True, False]


def test_what_is_waited_for_is_left(plant: Any) -> None:
    plant.one("a")
    old = made(plant, 1, 100)
    with held(f"{old}/lock"):
        plant.store.gc(unreachable=True)
        assert old.exists()
    plant.store.gc(unreachable=True)
    assert not old.exists()


@pytest.mark.parametrize("name", ["log", "4321-0123456789ab.desk/orders"])
def test_a_job_at_work_is_left(plant: Any, name: str) -> None:
    plant.one("a")
    old = made(plant, 1, 100)
    os.utime(old / name)
    plant.store.gc(unreachable=True)
    assert old.exists()


def test_what_is_no_place_of_a_job_is_left(plant: Any) -> None:
    plant.one("a")
    strange = made(plant, 1, 100).rename(plant.store.path / "tmp" / "slurm" / "notes")
    plant.store.gc(unreachable=True)
    assert strange.exists()
