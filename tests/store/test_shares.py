"""Shares: what others take is seen, each device goes to one, and the dead take nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pylightnix.model.sharing import Demand
from pylightnix.store.layout import Layout
from pylightnix.store.locks import held
from pylightnix.store.shares import HeldShare, Shares, sweep_shares

RUN = f"{'0' * 40}-train"
GPU: Demand = (("gpus", 1.0),)


def shares(path: Path, scope: str = "a", making: frozenset[str] = frozenset()) -> Shares:
    return Shares(Layout(path), scope, making)


def take(one: Shares, demand: Demand = GPU, there: float = 2) -> HeldShare:
    """A share that another thread has taken."""
    found: list[HeldShare | None] = []

    def ask() -> None:
        found.append(one.take(demand, {"gpus": there}, RUN, stacked=False))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found[0] is not None
    return found[0]


def test_each_device_goes_to_one(tmp_path: Path) -> None:
    first, second = shares(tmp_path), shares(tmp_path)
    assert (take(first).devices, take(second).devices) == ((0,), (1,))
    assert [holder.stage for holder in second.lacking(GPU, {"gpus": 1})] == ["train"]
    assert shares(tmp_path).take(GPU, {"gpus": 2}, RUN, stacked=False) is None


def test_one_call_gives_each_of_its_runs_another_device(tmp_path: Path) -> None:
    one = shares(tmp_path)
    assert (take(one, there=2).devices, take(one, there=1).devices) == ((0,), (1,))
    assert one.lacking(GPU, {"gpus": 0}) == []


def test_parts_are_counted_and_have_no_device(tmp_path: Path) -> None:
    first = shares(tmp_path)
    assert take(first, (("gpus", 0.5),), 1).devices is None
    assert not shares(tmp_path).lacking((("gpus", 0.5),), {"gpus": 1})
    assert shares(tmp_path).lacking((("gpus", 0.6),), {"gpus": 1})


@pytest.mark.parametrize(
    ("scope", "making"), [("b", frozenset()), ("a", frozenset({RUN}))], ids=["elsewhere", "within"]
)
def test_what_is_taken_elsewhere_or_by_the_run_that_asks_is_not_lacked(
    tmp_path: Path, scope: str, making: frozenset[str]
) -> None:
    take(shares(tmp_path), there=1)
    assert shares(tmp_path).lacking(GPU, {"gpus": 1})
    assert not shares(tmp_path, scope, making).lacking(GPU, {"gpus": 1})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"run": 1}'], ids=["empty", "cut off", "a list", "a part"])
def test_what_cannot_be_read_takes_nothing(tmp_path: Path, content: bytes) -> None:
    Layout(tmp_path).ensure()
    (tmp_path / "locks" / "shares").mkdir(parents=True)
    file = tmp_path / "locks" / "shares" / "a@host@1-000000000000.lock"
    file.write_bytes(content)
    with held(str(file)):
        assert not shares(tmp_path).lacking(GPU, {"gpus": 1})
        assert file.exists()


def test_what_nobody_holds_is_removed(tmp_path: Path) -> None:
    Layout(tmp_path).ensure()
    (tmp_path / "locks" / "shares").mkdir(parents=True)
    for scope in ("a", "b"):
        (tmp_path / "locks" / "shares" / f"{scope}@host@1-000000000000.lock").touch()
    assert not shares(tmp_path).lacking(GPU, {"gpus": 1})
    assert os.listdir(tmp_path / "locks" / "shares") == ["b@host@1-000000000000.lock"]
    assert sweep_shares(str(tmp_path / "locks")) == 1
    assert os.listdir(tmp_path / "locks" / "shares") == []


def test_it_is_seen_when_somebody_gives_back(tmp_path: Path) -> None:
    share = take(shares(tmp_path))
    other = shares(tmp_path)
    assert other.lacking(GPU, {"gpus": 1})
    assert not other.look()
    for _ in range(2):
        share.release()
    assert other.look()
    assert not other.lacking(GPU, {"gpus": 1})
    assert os.listdir(tmp_path / "locks" / "shares") == ["shares.lock"]
