"""Single flight under thousands of chosen interleavings; and that these would find it out if it did not hold."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Dep, match, promise, stage
from pylightnix.dsl.closure import pin
from pylightnix.engine.decide import Decider
from pylightnix.engine.events import Silent
from pylightnix.engine.realize import Realizer
from pylightnix.executors import InlineExecutor
from pylightnix.store import locks
from pylightnix.store.claims import Claims, HeldSlot
from pylightnix.store.pending import Durability, Pending
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree
from pylightnix.testing.schedules import DeadlockError, Schedule, seeds

ran: Counter[str] = Counter()


@stage(code="ignore")
def left(out: Path = promise("out")) -> None:
    ran["left"] += 1
    out.write_text("left")


@stage(code="ignore", matcher=match.best("n", of=2))
def many(source: Dep, out: Path = promise("out")) -> dict[str, int]:
    ran["many"] += 1
    out.write_text(f"run {ran['many']}")
    return {"n": ran["many"]}


@stage(code="ignore")
def right(source: Dep, out: Path = promise("out")) -> None:
    ran["right"] += 1
    out.write_text("right")


@stage(code="ignore")
def top(a: Dep, b: Dep, out: Path = promise("out")) -> None:
    ran["top"] += 1
    out.write_text("top")


DIAMOND = top(many(left()), right(left()))
OTHER = top(right(left()), many(left()))
ONCE = {"left": 1, "many": 2, "right": 1, "top": 1}


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a disk has does not matter here, and thousands of schedules would wait for it."""
    monkeypatch.setattr(Pending, "sync", lambda self: None)


def actor(
    schedule: Schedule, path: Path, asked: Any, rebuild: Callable[[Any], Any] | None = None, how: Durability = "batch"
) -> Callable[[], Any]:
    """Realizes as another process would: with a store object of its own."""

    def work() -> Any:
        closure = pin((asked,))
        again = [] if rebuild is None else [p.ref for p in closure.order if rebuild(p)]
        keeper = schedule.stepwise(Store(path, durability=how).keeper)
        realizer = Realizer(closure, keeper, InlineExecutor(), Silent(), lambda _: {}, again)
        realizer.run()
        return {p.name: realizer.decider.choices[p.ref].chosen for p in closure.order}

    return work


def sound(path: Path) -> None:
    store = Store(path)
    for realization in store.realizations():
        assert hash_tree(realization.path).digest == realization.record.tree
    assert list((path / "tmp").iterdir()) == []
    assert {file.name for file in (path / "locks").glob("*/*")} <= {"key.lock"}


def play(
    seed: int, path: Path, count: int, asked: tuple[Any, ...] = (DIAMOND,), how: Durability = "batch"
) -> list[Any]:
    """One schedule on a new store: each run was made once, all chose the same, the store is sound."""
    ran.clear()
    Store(path).create()
    schedule = Schedule(seed, stay=(0.2, 0.6, 0.9)[seed % 3])
    try:
        chose = schedule.run(*(actor(schedule, path, asked[i % len(asked)], how=how) for i in range(count)))
        sound(path)
        return chose
    finally:
        for directory in path.glob("store/*"):
            directory.chmod(0o755)
        shutil.rmtree(path)


def search(path: Path, most: int) -> str | None:
    """What is wrong in the first schedule in which something is; None if nothing is in any.

    Each result is visible at once: together, they leave less room for somebody else in between.
    """
    for seed in range(most):
        try:
            chose = play(seed, path / "s", 2, how="full")
        except (AssertionError, DeadlockError) as error:
            return str(error)
        if dict(ran) != ONCE:
            return f"{dict(ran)}"
        assert chose[0] == chose[1]
    return None


SECONDS = 4.0


@pytest.mark.parametrize(("count", "how"), [(2, "full"), (3, "full"), (2, "batch")])
def test_every_run_is_made_once(tmp_path: Path, count: int, how: Durability) -> None:
    asked = os.environ.get("PYLIGHTNIX_SCHEDULES")
    began, tried = time.monotonic(), 0
    for seed in seeds(10_000, asked):
        chose = play(seed, tmp_path / "s", count, how=how)
        assert dict(ran) == ONCE, f"seed {seed}"
        assert all(other == chose[0] for other in chose), f"seed {seed}"
        tried += 1
        if asked is None and time.monotonic() - began > SECONDS:
            break
    assert tried >= 10


def test_different_orders_never_deadlock(tmp_path: Path) -> None:
    for seed in range(30):
        play(seed, tmp_path / "s", 3, (DIAMOND, OTHER))
        assert dict(ran) == {**ONCE, "top": 2}, f"seed {seed}"


def test_without_the_lock_the_race_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Claims, "claim", lambda self, home, begin=None: HeldSlot(()))
    assert search(tmp_path, 50) is not None


def test_without_the_second_look_the_race_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first: dict[tuple[int, str], int] = {}
    look = Decider.missing

    def remember(self: Decider, pinned: Any, key: Any, remake: Any = None, **known: bool) -> int:
        wanted = first.pop((id(self), pinned.ref), None)
        return look(self, pinned, key, remake, **known) if wanted is None else wanted

    decide = Decider.decide

    def note(self: Decider, pinned: Any) -> Any:
        decision = decide(self, pinned)
        if decision.choice is None:
            first[id(self), pinned.ref] = decision.step.wanted
        return decision

    monkeypatch.setattr(Decider, "decide", note)
    monkeypatch.setattr(Decider, "missing", remember)
    assert search(tmp_path, 200) is not None


def test_waiting_while_holding_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots that are never given back: everybody waits, and the schedule says so."""
    gc.collect()  # results of other tests that nobody has in hand any more
    before = set(locks._descriptors)
    kept: list[HeldSlot] = []

    def keep(slot: HeldSlot) -> None:
        kept.append(slot)

    with monkeypatch.context() as patch:
        patch.setattr(HeldSlot, "release", keep)
        with pytest.raises(DeadlockError):
            play(1, tmp_path / "s", 2)
    for slot in kept:
        slot.release()
    assert locks._descriptors <= before, "nothing else is left open"


def test_a_seed_gives_the_same_schedule_again(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        schedule = Schedule(7)
        path = tmp_path / str(len(found))
        ran.clear()
        schedule.run(actor(schedule, path, DIAMOND), actor(schedule, path, DIAMOND))
        found.append(schedule.steps)
    assert found[0] == found[1]


def test_rebuild_is_one_more_run_in_any_case(tmp_path: Path) -> None:
    for seed in range(20):
        ran.clear()
        path = tmp_path / str(seed)
        schedule = Schedule(seed)
        again: Callable[[Any], bool] = lambda pinned: pinned.name == "left"  # noqa: E731
        schedule.run(actor(schedule, path, left()), actor(schedule, path, left(), again))
        assert ran["left"] in (1, 2)
        schedule = Schedule(seed)
        before = ran["left"]
        schedule.run(actor(schedule, path, left(), again), actor(schedule, path, left(), again))
        assert ran["left"] == before + 2


def test_what_was_collected_is_made_again_once(tmp_path: Path) -> None:
    for seed in range(20):
        ran.clear()
        path = tmp_path / str(seed)
        schedule = Schedule(seed)
        schedule.run(actor(schedule, path, left()))
        (payload,) = (path / "store").iterdir()
        payload.chmod(0o755)
        shutil.rmtree(payload)
        schedule = Schedule(seed)
        schedule.run(*[actor(schedule, path, left())] * 3)
        assert ran["left"] == 2
        sound(path)
