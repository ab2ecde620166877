"""The shelf in memory keeps what a shelf must: folding, runs, contexts, artifacts, collection."""

from __future__ import annotations

import pytest

from pylightnix.errors import BadNameError, ConfigError, StoreError
from pylightnix.model.records import hash_realization, seed_of
from pylightnix.model.shelf import Shelf
from pylightnix.testing.memory import MemoryShelf, candidates_of


def test_it_is_a_shelf() -> None:
    shelf: Shelf = MemoryShelf()
    assert isinstance(shelf, MemoryShelf)


def test_equal_results_fold_and_different_ones_do_not() -> None:
    shelf = MemoryShelf()
    one = shelf.put("x", value=1, artifacts={"a": b"1"})
    assert shelf.put("x", value=1, artifacts={"a": b"1"}) == one
    others = [shelf.put("x", value=1, artifacts={"a": b"2"}), shelf.put("x", value=2, artifacts={"a": b"1"})]
    others += [
        shelf.put("x", value=1, artifacts={"b": b"1"}),
        shelf.put("x", value=1, artifacts={"a": b"1"}, params={"p": 1}),
    ]
    assert len({one, *others}) == 5
    assert [run.index for run in one.runs] == [0, 1]
    record = one.record
    assert record.ref.digits == hash_realization(record.key, record.tree, record.value_hash)[:40]
    assert [run.seed for run in one.runs] == [seed_of(record.key, 0), seed_of(record.key, 1)]


def test_candidates_are_those_of_a_name_by_reference() -> None:
    shelf = MemoryShelf.of(1, 2, 3, name="x")
    shelf.put("y", value=1)
    refs = [candidate.ref for candidate in shelf.candidates("x")]
    assert len(refs) == 3
    assert refs == sorted(refs)
    assert candidates_of(1, 2, 3, name="x") == shelf.candidates("x")


def test_the_key_depends_on_what_is_seen_of_an_input() -> None:
    shelf = MemoryShelf()
    one, other = shelf.put("data", artifacts={"a": b"1"}), shelf.put("data", artifacts={"a": b"2"})
    made = [shelf.put("model", inputs={"data": given}) for given in (one, other, one)]
    assert made[0].record.key == made[2].record.key != made[1].record.key
    assert made[0].deps.data == one
    assert made[1].deps.data == other


def test_a_realization_that_is_used_twice_keeps_the_context_in_which_it_was_made() -> None:
    shelf = MemoryShelf()
    raws = [shelf.put("raw", artifacts={"a": data}) for data in (b"1", b"2")]
    tables = [shelf.put("table", artifacts={"t": b"same"}, inputs={"raw": raw}) for raw in raws]
    models = [shelf.put("model", inputs={"table": table}) for table in tables]
    assert tables[0] != tables[1]
    assert models[0] == models[1]
    assert len({run.context.hash for run in models[0].runs}) == 2
    assert models[1].deps.table == tables[0]
    assert models[1].deps.table.deps.raw == raws[0]


def test_artifacts_are_read_through_the_shelf_and_can_be_collected() -> None:
    shelf = MemoryShelf()
    made = shelf.put("x", artifacts={"d/b": b"2", "d/a": b"1", "é": b""}, promises={"out": "d", "file": "d/a"})
    assert made.files == ("d/a", "d/b", "é")
    assert shelf.artifact(made.file) == b"1"
    assert {name: kept.kind for name, kept in made.record.promises.items()} == {"out": "directory", "file": "file"}
    with pytest.raises(IsADirectoryError):
        shelf.artifact(made.out)
    with pytest.raises(FileNotFoundError):
        shelf.artifact(made / "none")
    shelf.collect(made)
    assert len(made.files) == 0
    with pytest.raises(FileNotFoundError):
        shelf.artifact(made.file)
    assert shelf.candidates("x") == (made,)


def test_what_a_store_would_refuse_is_refused() -> None:
    shelf = MemoryShelf()
    with pytest.raises(BadNameError):
        shelf.put("no name")
    with pytest.raises(BadNameError):
        shelf.put("x", artifacts={"../a": b""})
    with pytest.raises(ConfigError):
        shelf.put("x", value={1})
    with pytest.raises(ConfigError):
        shelf.put("x", params={"p": {1}})
    with pytest.raises(StoreError, match="names no artifact"):
        shelf.put("x", promises={"out": "a"})
    made = shelf.put("x")
    with pytest.raises(StoreError, match="no context"):
        shelf.context(made.record, "0" * 64)
    assert shelf.candidates("x") == (made,)
