"""Inputs whose artifacts are collected: they count by their records, and are had back only where they are needed."""

import os
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Build, Dep, Store, match, promise, stage
from pylightnix.errors import CollectedError
from pylightnix.store.removal import remove_tree

CALLS: list[str] = []


@pytest.fixture
def store(tmp_path: Path) -> Store:
    CALLS.clear()
    return Store(tmp_path / "store")


@stage(code="ignore")
def raw(out: Path = promise("raw.txt")) -> None:
    CALLS.append("raw")
    out.write_text("1 2 3")


@stage(code="ignore")
def table(given: Dep = raw(), out: Path = promise("table.txt")) -> int:
    CALLS.append("table")
    out.write_text(given.out.read_text())
    return 3


@stage(code="ignore")
def report(given: Dep = table(), title: str = "t", out: Path = promise("report.txt")) -> None:
    CALLS.append("report")
    out.write_text(title + given.out.read_text())


def realize(asked: Any, store: Store, **options: Any) -> Any:
    CALLS.clear()
    return pylightnix.realize(asked, store=store, quiet=True, **options)


def planned(asked: Any, store: Store) -> list[str]:
    return [f"{step.action} {step.derivation.name}" for step in pylightnix.plan(asked, store=store)]


def collect(store: Store, *names: str) -> None:
    """Without a way back, as `gc --now` does."""
    for name in names:
        for realization in store.realizations(name=name):
            remove_tree(realization.path)


def to_trash(store: Store) -> None:
    import gc

    gc.collect()
    assert store.gc(unreachable=True).victims


def test_what_nothing_needs_is_not_made_again(store: Store) -> None:
    realize(report(), store)
    collect(store, "raw", "table")
    made = pylightnix.plan(report(), store=store)
    assert [step.action for step in made] == ["reuse"] * 3
    assert "its artifacts are not here, and nothing needs them" in made.steps[1].why
    assert not made.work
    done = realize(report(), store)
    assert CALLS == []
    assert done.deps.given.value == 3, "its record is there"
    for use in (lambda: done.deps.given.out, lambda: done.deps.given / "x", lambda: os.fspath(done.deps.given)):
        with pytest.raises(CollectedError, match=r"artifacts are not here, only its record is[^|]*realize its stage"):
            use()
    realize(report(), store, root="kept")
    assert store.verify().sound
    assert realize(table(), store).out.read_text() == "1 2 3"
    assert CALLS == ["raw", "table"]
    assert done.deps.given.out.read_text() == "1 2 3"


def test_what_a_run_needs_is_made_again_first(store: Store) -> None:
    realize(report(), store)
    collect(store, "raw", "table")
    assert planned(report(title="new"), store) == ["build raw", "build table", "build report"]
    both = {"old": report(), "new": report(title="new")}
    assert planned(both, store) == ["build raw", "build table", "reuse report", "build report"]
    realize(both, store)
    assert CALLS == ["raw", "table", "report"]


def test_what_is_made_again_needs_its_own_inputs_alone(store: Store) -> None:
    realize(report(), store)
    collect(store, "raw", "report")
    assert planned(report(), store) == ["reuse raw", "reuse table", "build report"]
    realize(report(), store)
    assert CALLS == ["report"]


def test_a_long_chain_comes_back_without_recursion(store: Store) -> None:
    @stage(code="ignore")
    def link(i: int, before: Any = None, out: Path = promise("o")) -> None:
        CALLS.append(f"link {i}")
        out.write_text(f"{i}")

    def chain(length: int) -> Any:
        made = None
        for i in range(length):
            made = link(i, made)
        return made

    realize(chain(40), store)
    collect(store, "link")
    assert planned(link(40, chain(40)), store) == ["build link"] * 41
    realize(link(40, chain(40)), store, jobs=2)
    assert planned(link(40, chain(40)), store) == ["reuse link"] * 41


def test_where_an_input_turns_out_to_be_lost_all_is_decided_anew(store: Store) -> None:
    @stage(code="ignore", matcher=match.first())
    def unsteady(out: Path = promise("o")) -> None:
        CALLS.append("unsteady")
        out.write_bytes(os.urandom(8))

    @stage(code="ignore")
    def middle(given: Dep = unsteady(), out: Path = promise("o")) -> None:
        CALLS.append("middle")
        out.write_bytes(given.out.read_bytes())

    @stage(code="ignore")
    def top(build: Build, one: Dep = unsteady(), two: Dep = middle(), x: int = 0, out: Path = promise("o")) -> None:
        CALLS.append("top")
        out.write_bytes(one.out.read_bytes() + two.out.read_bytes())

    first = realize(top(), store)
    collect(store, "unsteady")
    with pytest.warns(UserWarning, match="cannot be made again"):
        done = realize(top(x=1), store)
    assert CALLS == ["unsteady", "unsteady", "middle", "top"], "made again in vain, then anew; what saw it follows"
    assert done.deps.one == done.deps.two.deps.given != first.deps.one
    assert done.out.read_bytes() == done.deps.one.out.read_bytes() * 2
    assert store.verify().sound


def test_what_is_in_the_trash_comes_back_from_there(store: Store) -> None:
    realize(report(), store)
    to_trash(store)
    made = pylightnix.plan(report(title="new"), store=store)
    assert [step.action for step in made] == ["reuse", "fetch", "build"]
    assert "its artifacts were in the trash" in made.steps[1].why
    assert not any(one.path.exists() for one in store.realizations()), "a plan only looks"
    realize(report(title="new"), store)
    assert CALLS == ["report"]
    assert planned(report(), store) == ["reuse raw", "reuse table", "fetch report"]
    done = realize(report(), store)
    assert CALLS == []
    assert done.out.read_text() == "t1 2 3"
    assert done.path.stat().st_mode & 0o222 == 0
    assert store.verify().sound
