"""What this machine has, and which graphics processors a run gets."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pylightnix import realize, stage
from pylightnix.executors.machine import Devices, cpus, gpus, machine_capacity
from pylightnix.model.conditions import Conditions


def test_this_machine() -> None:
    capacity = machine_capacity()
    assert capacity["cpus"] == cpus() >= 1
    assert 2**26 < capacity["memory"] < 2**50
    assert capacity["gpus"] == len(gpus())


@pytest.mark.parametrize(
    ("visible", "names"), [("", ()), ("-1", ()), ("0,1", ("0", "1")), ("GPU-a, GPU-b", ("GPU-a", "GPU-b"))]
)
def test_visible_devices(monkeypatch: pytest.MonkeyPatch, visible: str, names: tuple[str, ...]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == names


def test_each_device_is_handed_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    devices = Devices(2)
    one = Conditions(resources={"gpus": 1})
    first, second = devices.take(one), devices.take(one)
    assert (first, second) == (["3"], ["5"])
    devices.give(first)
    assert devices.take(one) == ["3"]
    assert devices.take(Conditions()) is None
    assert devices.take(Conditions(resources={"gpus": 0.5})) is None
    assert devices.take(Conditions(resources={"gpus": 0})) == []


@stage(code="ignore", resources={"gpus": 1})
def on_gpu(place: str, n: int) -> str:
    """Which device; returns when both have begun."""
    mine = os.environ["CUDA_VISIBLE_DEVICES"]
    Path(place, str(n)).touch()
    until = time.monotonic() + 20
    while sum(1 for _ in Path(place).iterdir()) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    return mine


def test_runs_beside_each_other_have_devices_of_their_own(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    asked = [on_gpu(str(place), n) for n in range(2)]
    found = realize(asked, store=tmp_path / "s", jobs=2, limits={"gpus": 2}, quiet=True)
    assert len({one.value for one in found}) == 2
