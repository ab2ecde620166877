"""What this machine has, and which graphics processors a run gets."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pylightnix import realize, stage
from pylightnix.executors import cgroups
from pylightnix.executors.machine import Devices, cpus, gpus, machine_capacity
from pylightnix.model.conditions import Conditions


def test_this_machine() -> None:
    capacity = machine_capacity()
    assert capacity["cpus"] == cpus() >= 1
    assert 2**26 < capacity["memory"] < 2**50
    assert capacity["gpus"] == len(gpus())


V2 = {"groups": "0::/user/me\n"}
V1 = {"groups": "4:memory:/docker/x\n1:cpu,cpuacct:/docker/x\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "processors", "memory"),
    [
        (V2, None, None),
        ({**V2, "top/user/me/cpu.max": "max 100000", "top/user/me/memory.max": "max"}, None, None),
        ({**V2, "top/user/me/cpu.max": "250000 100000", "top/user/me/memory.max": "4000"}, 2.5, 4000),
        ({**V2, "top/user/cpu.max": "50000 100000", "top/user/me/cpu.max": "max 100000"}, 0.5, None),
        ({"groups": "0::/\n", "top/cpu.max": "100000 50000", "top/memory.max": "7"}, 2.0, 7),
        ({**V1, "top/cpu/cpu.cfs_quota_us": "-1", "top/cpu/cpu.cfs_period_us": "100000"}, None, None),
        (
            {
                **V1, "top/cpu/cpu.cfs_quota_us": "150000", "top/cpu/cpu.cfs_period_us": "100000",
                "top/memory/docker/x/memory.limit_in_bytes": "9", "top/memory/memory.limit_in_bytes": "100",
            },
            1.5, 9,
        ),
        ({**V2, "top/user/me/cpu.max": "nonsense", "top/user/me/memory.max": ""}, None, None),
    ],
    ids=["nothing said", "no limit", "limits", "above", "container", "first version", "limits of it", "nonsense"],
)  # fmt: skip
def test_what_a_container_was_given(
    tmp_path: Path, files: dict[str, str], processors: float | None, memory: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    where = (str(tmp_path / "groups"), str(tmp_path / "top"))
    assert cgroups.processors(*where) == processors
    assert cgroups.memory(*where) == memory


def test_nothing_is_said_where_there_are_no_groups(tmp_path: Path) -> None:
    assert cgroups.processors(str(tmp_path / "none"), str(tmp_path)) is None


@pytest.mark.parametrize(("given", "got"), [(0.5, 1), (1.0, 1), (1.9, 1), (1000.0, None), (None, None)])
def test_there_is_no_more_than_was_given(monkeypatch: pytest.MonkeyPatch, given: float | None, got: int | None) -> None:
    whole = cpus()
    monkeypatch.setattr(cgroups, "processors", lambda: given)
    monkeypatch.setattr(cgroups, "memory", lambda: 1000)
    assert cpus() == (whole if got is None else got)
    assert machine_capacity()["memory"] == 1000


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
