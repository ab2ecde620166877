"""What is told and kept of a run that fails, and that the same command passes once the cause is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Build, Store, match, stage
from pylightnix.errors import BuildError, MatcherError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.create()
    return made


def realize(asked: Any, store: Store, **keywords: Any) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True, **keywords)


def block(store: Store) -> Path:
    """Nothing can be kept."""
    failed = store.path / "failed"
    failed.rmdir()
    failed.touch()
    return failed


def nothing_left(store: Store) -> None:
    assert list((store.path / "tmp").iterdir()) == []
    assert {file.name for file in store.path.glob("locks/?/*")} <= {"key.lock"}


@stage(code="ignore")
def picky(flag: str) -> str:
    print("looking")
    if not Path(flag).exists():
        raise ValueError("no flag")
    return "done"


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_the_builders_failure_is_told_where_nothing_can_be_kept(store: Store, tmp_path: Path, executor: str) -> None:
    failed, flag = block(store), tmp_path / "flag"
    with pytest.raises(BuildError) as caught:
        realize(picky(str(flag)), store, executor=executor)
    assert str(caught.value).startswith("picky failed: ValueError: no flag")
    assert "looking" in str(caught.value)
    assert f"nothing could be kept: {failed}" in str(caught.value)
    assert "kept" not in caught.value.fields
    assert str(failed) in str(caught.value.fields["not_kept"])
    nothing_left(store)
    flag.touch()
    assert realize(picky(str(flag)), store).value == "done"


def test_a_refusal_is_told_where_nothing_can_be_kept(store: Store) -> None:
    @stage(matcher=match.only(), code="ignore")
    def unsteady(build: Build) -> int:
        return build.run

    first = realize(unsteady(), store)
    block(store)
    with pytest.raises(MatcherError, match="nothing could be kept"):
        realize(unsteady(), store, rebuild=[unsteady()])
    assert [r.ref for r in store.realizations()] == [first.ref]
    nothing_left(store)
