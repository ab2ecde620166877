"""Results settle together: what is synced when, what others see when, and what a refusal of the system leaves."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Build, Dep, match, promise, stage
from pylightnix.errors import BuildError, ConfigError, StoreError
from pylightnix.session.location import as_store
from pylightnix.store import changes, pending
from pylightnix.store.pending import Durability
from pylightnix.store.store import Store

Make = Callable[..., Any]
Change = tuple[str, tuple[object, ...]]


class Seen:
    """What was changed, as far as it matters here: syncs, and what became visible below `store` and `records`."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self.order: list[str] = []

    def __call__(self, name: str, paths: tuple[object, ...]) -> None:
        if name == "syncfs":
            self.order.append("sync")
        elif name == "rename" and str(paths[-1]).startswith(f"{self._root}/store/"):
            self.order.append("artifacts")
        elif name == "rename" and str(paths[-1]).startswith(f"{self._root}/records/"):
            self.order.append("record")


@stage(code="ignore")
def one(n: int, out: Path = promise("out.txt")) -> None:
    out.write_text(str(n))


@stage(code="ignore")
def after(before: Dep, out: Path = promise("out.txt")) -> str:
    out.write_text("after")
    return str(before.out.read_text())


@stage(code="ignore", matcher=match.best("n", of=4))
def several(build: Build) -> dict[str, int]:
    return {"n": build.run // 2}


def chain(count: int) -> Any:
    last = one(0)
    for _ in range(count - 1):
        last = after(last)
    return last


def test_a_record_appears_between_two_syncs_after_its_artifacts(store: Store, make: Make) -> None:
    seen = Seen(store.path)
    with changes.observed(seen):
        make()
    assert seen.order == ["artifacts", "sync", "record", "sync"]


def test_a_batch_is_synced_twice_however_many_are_in_it(store: Store) -> None:
    seen = Seen(store.path)
    with changes.observed(seen):
        pylightnix.realize(chain(3), store=store, quiet=True)
    assert seen.order == [*["artifacts"] * 3, "sync", *["record"] * 3, "sync"]


def test_full_syncs_each_and_none_syncs_nothing(tmp_path: Path) -> None:
    for durability, expected in (
        ("full", ["artifacts", "sync", "record", "sync"] * 2),
        ("none", ["artifacts"] * 2 + ["record"] * 2),
    ):
        seen = Seen(tmp_path / durability)
        with changes.observed(seen):
            pylightnix.realize(chain(2), store=Store(tmp_path / durability, durability=durability), quiet=True)
        assert seen.order == expected


@stage(code="ignore")
def length(text: Path, out: Path = promise("out.txt")) -> None:
    out.write_text(str(len(text.read_text())))


@stage(code="ignore")
def same(n: int, out: Path = promise("out.txt")) -> None:
    out.write_text("the same")


@pytest.mark.parametrize(("durability", "lasts"), [("batch", True), ("full", True), ("none", False)])
def test_what_a_realize_notes_of_what_it_reuses_is_synced_once(
    tmp_path: Path, durability: Durability, lasts: bool
) -> None:
    store = Store(tmp_path / "store", durability=durability)
    pylightnix.realize([length(same(0).out), same(1), chain(2)], store=store, quiet=True)
    seen = Seen(store.path)
    with changes.observed(seen):
        pylightnix.realize(length(same(1).out), store=store, quiet=True)
    assert seen.order == ["record", *["sync"] * lasts]
    with changes.observed(seen := Seen(store.path)):
        pylightnix.realize(length(same(1).out), store=store, quiet=True)
    assert seen.order == []


@pytest.mark.parametrize(("durability", "lasts"), [("batch", True), ("none", False)])
def test_a_root_is_synced_before_the_one_before_goes(tmp_path: Path, durability: Durability, lasts: bool) -> None:
    store = Store(tmp_path / "store", durability=durability)
    made = pylightnix.realize([one(0), one(1)], store=store, quiet=True)
    store.root("paper", made[0])
    seen: list[str] = []
    with changes.observed(lambda name, paths: seen.append(name)):
        store.root("paper", made[1])
    kept = [name for name in seen if name in ("fsync", "rename", "unlink")]
    assert kept[: kept.index("unlink")] == (["fsync", "rename", "fsync"] if lasts else ["rename"])


def test_what_is_pending_is_a_candidate_for_us_and_for_nobody_else(store: Store, make: Make) -> None:
    keeper, other = store.keeper, Store(store.path).keeper
    with keeper.together():
        record = make(value={"score": 1}, log="said")
        again = make(value={"score": 1}, log="again")
        assert record.ref == again.ref
        assert [found.ref for found in keeper.candidates(record.home, record.key)] == [record.ref]
        assert [run.index for run in keeper.runs(record)] == [0, 1]
        assert [keeper.log(record, run) for run in keeper.runs(record)] == ["said", "again"]
        assert keeper.files(record) == ("out.txt",)
        assert keeper.origin(record).hash == record.made_in
        assert other.candidates(record.home, record.key) == []
    keeper.settle()
    (found,) = other.candidates(record.home, record.key)
    assert (found.ref, found.made_in) == (record.ref, record.made_in)
    assert [other.log(found, run) for run in other.runs(found)] == ["said", "again"]
    assert os.listdir(store.path / "tmp") == []


def test_what_takes_long_does_not_keep_others_waiting_for_what_was_finished(store: Store) -> None:
    shown = threading.Event()
    end = time.monotonic() + 300

    @stage(code="ignore")
    def long(before: Dep) -> bool:
        # A sync takes as long as the disk needs for what everybody wrote.
        while time.monotonic() < end:
            if Store(store.path).realizations(name="one"):
                shown.set()
                return True
            time.sleep(0.01)
        return False

    pylightnix.realize(long(one(1)), store=store, quiet=True)
    assert shown.is_set()


def test_who_waits_for_a_run_waits_until_it_is_settled(store: Store, make: Make) -> None:
    done: list[int] = []
    keeper = store.keeper
    keeper.when_settled(lambda: done.append(0))
    with keeper.together():
        make()
        keeper.when_settled(lambda: done.append(1))
        assert done == [0]
    keeper.settle()
    assert done == [0, 1]


def test_runs_that_give_the_same_are_counted_while_they_are_pending(store: Store) -> None:
    best = pylightnix.realize(several(), store=store, quiet=True)
    assert best.value == {"n": 1}
    assert [run.index for run in best.runs] == [2, 3]
    assert sorted(len(r.runs) for r in store.realizations(name="several")) == [2, 2]


def test_what_the_system_refuses_drops_that_alone_and_is_told(store: Store, make: Make) -> None:
    good, bad = [], []
    with store.keeper.together():
        for n in range(3):
            (bad if n == 1 else good).append(make(n=n, content=str(n)))

        def refuse(name: str, paths: tuple[object, ...]) -> None:
            if name == "rename" and bad[0].ref.digits in str(paths[-1]):
                raise OSError(errno.ENOSPC, "No space left on device")

        with changes.observed(refuse), pytest.raises(StoreError, match="No space left"):
            store.keeper.settle()
    there = {record.ref for record in Store(store.path).keeper.records()}
    assert there == {record.ref for record in good}
    assert os.listdir(store.path / "tmp") == []
    assert make(n=1, content="1").ref == bad[0].ref


def test_what_was_refused_to_the_timer_is_settled_later(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "LONGEST", 0.01)
    tried = threading.Event()

    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == "syncfs":
            tried.set()
            raise OSError(errno.EIO, "Input/output error")

    with store.keeper.together(), changes.observed(refuse):
        record = make()
        assert tried.wait(30)
        with store.keeper._pending._settling:  # it is over
            assert list(Store(store.path).keeper.records()) == []
    store.keeper.settle()
    assert [found.ref for found in Store(store.path).keeper.records()] == [record.ref]


def test_where_no_thread_is_to_be_had_results_are_settled_at_the_end(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(work: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pending, "start_thread", refuse)
    with store.keeper.together():
        records = [make(n=n, content=str(n)) for n in range(2)]
    store.keeper.settle()
    assert {found.ref for found in Store(store.path).keeper.records()} == {record.ref for record in records}


def test_who_waits_for_what_is_due_settles_and_leaves_nothing_to_the_timer(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "LONGEST", 3600.0)
    acted: list[int] = []
    with store.keeper.together():
        first = make(n=1, content="1")
        store.keeper.when_settled(lambda: acted.append(1))
        assert list(Store(store.path).keeper.records()) == acted == []
        monkeypatch.setattr(pending, "DUE", 0.0)
        second = make(n=2, content="2")
        store.keeper.when_settled(lambda: acted.append(2))
        assert {record.ref for record in Store(store.path).keeper.records()} == {first.ref, second.ref}
        assert acted == [1, 2]
        assert store.keeper._pending._over is None


@pytest.mark.parametrize("at", range(12))
@pytest.mark.parametrize(("durability", "way"), [("batch", "_settle_quietly"), ("full", "settle")])
def test_interrupted_while_it_settles_what_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, way: str, at: int
) -> None:
    """What was finished is there or is made again, nothing is left, and it is told as an interruption."""
    store = Store(tmp_path / "store", durability=durability)
    pylightnix.realize(after(one(0)), store=store, quiet=True)  # the store is there
    monkeypatch.setattr(pending, "LONGEST", 3600.0)
    monkeypatch.setattr(pending, "DUE", 0.0)
    points: list[str] = []
    settle = getattr(pending.Pending, way)

    def settling(self: Any) -> None:
        def interrupt(name: str, paths: tuple[object, ...]) -> None:
            points.append(name)
            if len(points) == at + 1:
                raise KeyboardInterrupt

        with changes.observed(interrupt):
            settle(self)

    monkeypatch.setattr(pending.Pending, way, settling)
    with pytest.raises(KeyboardInterrupt):
        pylightnix.realize(after(after(one(5))), store=store, quiet=True)
    assert len(points) > at
    if durability == "batch":
        assert len([r for r in store.realizations(name="one") if r.n == 5]) == 1
    assert os.listdir(store.path / "tmp") == []
    assert {file.name for file in store.path.glob("locks/*/*")} <= {"key.lock"}
    assert pylightnix.realize(after(after(one(5))), store=store, quiet=True).value == "after"


def test_a_failure_keeps_what_was_finished_before(store: Store) -> None:
    @stage(code="ignore")
    def broken(before: Dep) -> None:
        raise ValueError("broken")

    with pytest.raises(BuildError):
        pylightnix.realize(broken(one(1)), store=store, quiet=True)
    assert [r.name for r in Store(store.path).realizations()] == ["one"]


@pytest.mark.parametrize("durability", ["batch", "full", "none"])
def test_where_it_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability) -> None:
    assert Store(tmp_path, durability=durability).keeper.durability == durability
    monkeypatch.setenv("PYLIGHTNIX_DURABILITY", durability)
    assert as_store(tmp_path).keeper.durability == durability


def test_an_unknown_one_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="'much' is no durability"):
        Store(tmp_path, durability="much")  # type: ignore[arg-type]
    monkeypatch.setenv("PYLIGHTNIX_DURABILITY", "fast")
    with pytest.raises(ConfigError) as caught:
        as_store(tmp_path)
    assert caught.value.where == "$PYLIGHTNIX_DURABILITY"
    assert "batch, full, none" in str(caught.value)
