"""A plan takes over what would be chosen again, and asks again where anything differs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Derivation, Store, match, promise, realize, stage
from pylightnix import plan as plan_of
from pylightnix.engine.recollection import FEWEST
from pylightnix.model.matching import Matcher
from pylightnix.store.reading import Reader


@stage(code="ignore")
def link(build: Build, before: Dep | None, i: int, out: Path = promise("o")) -> int:
    out.write_text(f"{i} {build.seed}")
    return i


def chain(count: int = FEWEST, matcher: Matcher | None = None) -> Derivation[Any]:
    last: Derivation[Any] | None = None
    for i in range(count):
        described = link(last, i)
        last = described.with_matcher(matcher) if matcher is not None else described
    if last is None:
        raise ValueError(count)
    return last


@stage(code="ignore")
def source(name: str, out: Path = promise("o")) -> None:
    out.write_text("the same")


@stage(code="ignore")
def link_of(before: Path, i: int, out: Path = promise("o")) -> None:
    out.write_text(f"{before.read_text()} {i}")


def chain_of(name: str) -> Derivation[Any]:
    """The same results, whatever the name, in contexts of their own."""
    last: Derivation[Any] = source(name)
    for i in range(FEWEST):
        last = link_of(last.out, i)
    return last


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The stages whose candidates were looked at."""
    seen: list[str] = []
    right = Reader.candidates

    def candidates(self: Reader, home: Any, key: str) -> Any:
        seen.append(home.name)
        return right(self, home, key)

    monkeypatch.setattr(Reader, "candidates", candidates)
    return seen


def settled(target: Derivation[Any], store: Store) -> None:
    """Realize it twice: the second time all of it is older than the moment, and remembered."""
    realize(target, store=store, quiet=True)
    time.sleep(0.02)
    realize(target, store=store, quiet=True)


def test_nothing_is_looked_at_again(store: Store, looks: list[str]) -> None:
    settled(chain(), store)
    looks.clear()
    done = realize(chain(), store=store, quiet=True)
    assert looks == []
    assert done.value == FEWEST - 1
    assert done.deps.before.deps.before.value == FEWEST - 3
    assert not plan_of(chain(), store=store).work
    assert looks == []


def test_a_short_plan_is_decided_each_time(store: Store, looks: list[str]) -> None:
    settled(chain(3), store)
    looks.clear()
    realize(chain(3), store=store, quiet=True)
    assert len(looks) == 3
    assert list((store.path / "cache").glob("choices-*")) == []


def test_another_choice_upstream_is_not_overlooked(store: Store) -> None:
    settled(chain(), store)
    realize(link(None, 0), store=store, quiet=True, rebuild=[link(None, 0)])
    told = plan_of(chain(), store=store)
    assert told.counts() == {"reuse": 1, "build": 1, "waiting": FEWEST - 2}


def test_another_matcher_is_asked(store: Store, looks: list[str]) -> None:
    settled(chain(), store)
    looks.clear()
    plan_of(chain(matcher=match.first()), store=store)
    assert len(looks) == FEWEST


@pytest.mark.parametrize("matcher", [match.by(lambda given: given[0] if given else None), match.best(lambda _: 1.0)])
def test_a_function_is_always_asked(store: Store, looks: list[str], matcher: Matcher) -> None:
    settled(chain(matcher=matcher), store)
    looks.clear()
    realize(chain(matcher=matcher), store=store, quiet=True)
    assert len(looks) == FEWEST


def test_what_is_removed_is_made_again_and_nothing_else(store: Store) -> None:
    settled(chain(), store)
    done = realize(chain(), store=store, quiet=True)
    middle = done.deps.before.deps.before
    store.remove(middle)
    told = plan_of(chain(), store=store)
    assert [step.derivation.short for step in told if step.action == "build"] == [middle.context.derivation.short]


def test_a_choice_that_is_made_anew_as_before_lets_the_rest_be_taken_over(store: Store, looks: list[str]) -> None:
    settled(chain(), store)
    first = realize(chain(1), store=store, quiet=True)
    (Path(store.keeper.place(first.record)).parent / "noise").touch()
    looks.clear()
    realize(chain(), store=store, quiet=True)
    assert len(looks) == 1


@pytest.mark.parametrize("gone", [True, False])
def test_a_context_that_is_lost_is_noted_again_after_a_repair(store: Store, gone: bool) -> None:
    settled(chain_of("old"), store)
    settled(chain_of("new"), store)
    path = next(store.path.glob("records/*-link_of/*/context-*.json"))
    path.unlink()
    if not gone:
        path.write_text("{")
    assert not store.verify(repair=True).sound
    assert not path.exists()
    realize(chain_of("new"), store=store, quiet=True)
    assert path.exists()
    assert store.verify().sound
