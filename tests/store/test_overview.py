"""A glance at each realization of a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pylightnix
from pylightnix import Build, Store, stage
from pylightnix.errors import DamageError
from pylightnix.store.files import fresh_id
from pylightnix.store.overview import entries, glances


@stage(code="ignore")
def same(n: int = 0) -> int:
    return n


@stage(code="ignore")
def lucky(build: Build) -> int:
    (build.out / "inner").mkdir()
    (build.out / "inner" / "seed").write_text("12345")
    return build.seed


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    for rebuild in ((), (same(),), (lucky(),)):
        pylightnix.realize([same(), same(1), lucky()], store=store, quiet=True, rebuild=rebuild)
    return store


def test_runs_ages_and_presence(store: Store) -> None:
    found = list(glances(store.keeper))
    assert sorted(
        (glance.record.ref.name, glance.record.value, glance.runs) for glance in found if glance.runs
    ) == sorted(
        [("same", 0, 2), ("same", 1, 1), *(("lucky", one.value, 1) for one in store.realizations(name="lucky"))]
    )
    for glance in found:
        runs = store.realization(glance.record.ref).runs
        assert glance.started == runs[-1].started
        assert glance.present
    again = [glance.record.ref for glance in glances(store.keeper)]
    assert [glance.record.ref for glance in found] == again, "a stable order"


def test_of_a_run_that_was_made_again_the_first_time_counts_and_the_last_is_its_age(store: Store) -> None:
    """As `Reader.runs` has it, in whatever order a directory is listed."""
    paths = sorted(Path(store.path).glob("records/*-lucky/*/run-*.json"))
    for path in paths:
        document = json.loads(path.read_text())
        for year in ("2999", "2998", "2997"):
            again = {**document, "started": f"{year}{document['started'][4:]}"}
            data = json.dumps(again, sort_keys=True, separators=(",", ":"))
            (path.parent / f"run-{document['index']}-{fresh_id()}.json").write_text(data)
    assert paths
    for glance in glances(store.keeper):
        runs = store.realization(glance.record.ref).runs
        assert glance.latest == runs[-1].started
        assert glance.started.startswith("2999" if glance.record.ref.name == "lucky" else "20")
        assert glance.runs == len(runs)


def test_keys_choose(store: Store) -> None:
    same = list(store.keeper.homes("same"))
    assert {glance.record.ref.name for glance in glances(store.keeper, same)} == {"same"}


def test_an_empty_store_has_none(tmp_path: Path) -> None:
    assert list(glances(Store(tmp_path / "none").keeper)) == []


def test_a_run_that_cannot_be_read_has_no_age(store: Store) -> None:
    for path in Path(store.path).glob("records/*-lucky/*/run-*.json"):
        path.chmod(0o644)
        path.write_text("{")
    assert {glance.started for glance in glances(store.keeper, store.keeper.homes("lucky"))} == {""}


def test_a_run_is_read_however_its_file_is_written(store: Store) -> None:
    starts = {glance.started for glance in glances(store.keeper)}
    for path in Path(store.path).glob("records/*/*/run-*.json"):
        path.chmod(0o644)
        document = json.loads(path.read_text())
        path.write_text(json.dumps({"started": document.pop("started"), **document}, indent=1))
    assert {glance.started for glance in glances(store.keeper)} == starts


def test_artifacts_that_are_gone_are_noticed(store: Store) -> None:
    (one, _) = store.realizations(name="lucky")
    one.path.chmod(0o755)
    one.path.rename(store.path / "tmp" / "away")
    assert [glance.present for glance in glances(store.keeper) if glance.record.ref == one.ref] == [False]


def test_entries_are_those_of_the_manifest(store: Store) -> None:
    (one, _) = store.realizations(name="lucky")
    assert [(entry.kind, entry.path, entry.size) for entry in entries(store.keeper, one.record)] == [
        ("directory", "inner", 0),
        ("file", "inner/seed", 5),
    ]
    (path,) = Path(store.path).glob(f"records/*/{one.ref.digits}/manifest.jsonl")
    path.unlink()
    with pytest.raises(DamageError, match="cannot be read"):
        entries(store.keeper, one.record)
