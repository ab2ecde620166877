"""Failed runs that were kept: found by name, read, told when they cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

import pylightnix
from pylightnix import Store, stage
from pylightnix.errors import BuildError, DamageError, UnknownReferenceError
from pylightnix.store.failures import failures, find_failure
from pylightnix.store.layout import Layout


@stage(code="ignore")
def broken(n: int) -> None:
    print("working on", n)
    raise ValueError(f"no {n}")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    store = Store(tmp_path / "store")
    for n in (1, 2):
        with pytest.raises(BuildError):
            pylightnix.realize(broken(n), store=store, quiet=True)
    return store.keeper.layout


def test_they_are_found_by_name_and_by_its_beginning(layout: Layout) -> None:
    names = failures(layout)
    assert len(names) == 2
    for name in names:
        failed = find_failure(layout, name)
        assert failed.name == name
        assert failed.facts["stage"] == "broken"
        assert failed.facts["params"] in ({"n": 1}, {"n": 2})
        assert failed.log == f"working on {failed.facts['params']['n']}\n"
        assert find_failure(layout, name[:-1]) == failed


@pytest.mark.parametrize("name", ["", "2", "nothing", "../failed", "."])
def test_none_or_several_are_an_error(layout: Layout, name: str) -> None:
    with pytest.raises(UnknownReferenceError):
        find_failure(layout, name)


def test_without_facts_the_directory_is_found_and_damage_is_told(layout: Layout) -> None:
    first, second = failures(layout)
    (Path(layout.failed) / first / "failure.json").unlink()
    assert find_failure(layout, first).facts == {}
    (Path(layout.failed) / second / "failure.json").chmod(0o644)
    for text in ("{", "[]", '{"pylightnix": "run/1"}'):
        (Path(layout.failed) / second / "failure.json").write_text(text)
        with pytest.raises(DamageError):
            find_failure(layout, second)


def test_a_store_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert failures(Layout(tmp_path / "none")) == []
