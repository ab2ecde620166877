"""What is there already of what was asked for; and that looking writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Dep, Store, match, stage
from pylightnix.errors import TargetError
from pylightnix.session.standing import standing


@stage(code="ignore")
def even(n: int = 0) -> int:
    return n - n % 2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def realize(asked: Any, store: Store, **keywords: Any) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True, **keywords)


def snapshot(store: Store) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in store.path.rglob("*")}


def test_it_is_what_realize_gives(store: Store) -> None:
    made = realize({"a": even(), "b": [even(3)]}, store)
    found = standing({"a": even(), "b": [even(3)]}, store)
    assert found == {"a": (made["a"],), "b": [(made["b"][0],)]}


def test_what_must_be_built_is_an_error(store: Store) -> None:
    with pytest.raises(TargetError, match="not realized in this store"):
        standing(even(), store)
    assert not store.path.exists()
    realize(even(), store)
    with pytest.raises(TargetError, match="even"):
        standing([even(), even(9)], store)


def test_looking_notes_no_use(store: Store) -> None:
    """The same choice by another matcher is another context, which realize would note."""

    @stage(code="ignore")
    def use(data: Dep) -> int:
        return int(data.value)

    first = realize(use(even()), store)
    other = use(even().with_matcher(match.first()))
    before = snapshot(store)
    assert not pylightnix.plan(other, store=store).work
    assert standing(other, store) == (first,)
    assert snapshot(store) == before
    realize(other, store)
    assert snapshot(store) != before


def test_rebuild_takes_names_and_beginnings_of_references(store: Store) -> None:
    @stage(code="ignore")
    def pair(one: Dep = even(), two: Dep = even(2)) -> None: ...

    realize(pair(), store)

    def wanted(*rebuild: object) -> list[str]:
        return [step.derivation for step in pylightnix.plan(pair(), store=store, rebuild=rebuild) if step.wanted]

    everything = [step.derivation for step in pylightnix.plan(pair(), store=store)]
    assert wanted("even") == everything[:2]
    assert wanted(everything[1][:12]) == [everything[1]]
    assert wanted("even", pair()) == everything[:2]  # the pair waits
    assert [step.action for step in pylightnix.plan(pair(), store=store, rebuild="pair")] == ["reuse", "reuse", "build"]
    for text in ("odd", ""):
        with pytest.raises(TargetError, match="there are: even, pair"):
            wanted(text)
