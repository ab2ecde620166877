"""A realization in the hand, read through a shelf in memory; and what of it a builder sees."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import HiddenError, PylightnixError, UnknownPromiseError
from pylightnix.model.named import Named
from pylightnix.model.realization import Realization
from pylightnix.model.visible import VisibleInput
from pylightnix.names import DerivationRef
from pylightnix.testing.memory import MemoryShelf


@pytest.fixture
def shelf() -> MemoryShelf:
    return MemoryShelf()


@pytest.fixture
def table(shelf: MemoryShelf) -> Realization[Any]:
    return shelf.put(
        "digits",
        artifacts={"data/digits.npz": b"12345", "notes.txt": b""},
        promises={"table": "data/digits.npz"},
        params={"size": 8},
        log="read 1,797 images\n",
    )


@pytest.fixture
def model(shelf: MemoryShelf, table: Realization[Any]) -> Realization[Any]:
    return shelf.put(
        "model",
        value={"accuracy": 0.9, "shape": (1, 2)},
        artifacts={"model.joblib": b"x"},
        promises={"weights": "model.joblib"},
        params={"depth": 8, "name": "deep", "opt": {"rate": 0.1}},
        inputs={"data": table},
    )


def test_a_realization_shows_what_it_is(model: Realization[Any]) -> None:
    assert model.name == "model"
    assert model.ref == model.record.ref
    assert model.ref.name == "model"
    assert model.value == {"accuracy": 0.9, "shape": (1, 2)}
    assert model.path.name == model.ref
    assert model.files == ("model.joblib",)
    assert dict(model.promises) == {"weights": model.path / "model.joblib"}
    assert dict(model.params) == {"depth": 8, "name": "deep", "opt": {"rate": 0.1}}
    assert [run.index for run in model.runs] == [0]
    assert repr(model) == f"Realization({model.ref.short}-model, value={model.value!r})"


def test_what_is_not_there_is_none(table: Realization[Any]) -> None:
    assert table.value is None
    assert table.log == "read 1,797 images\n"
    assert repr(table) == f"Realization({table.ref.short}-digits)"


def test_promises_and_parameters_are_attributes(model: Realization[Any]) -> None:
    assert model.weights == model.promises["weights"] == model.promises.weights
    assert model.depth == model.params["depth"] == model.params.depth == 8
    assert model.opt == {"rate": 0.1}


def test_own_attributes_win_and_the_mappings_reach_the_rest(model: Realization[Any]) -> None:
    assert model.name == "model"
    assert model.params["name"] == "deep"


def test_a_promise_wins_over_a_parameter(shelf: MemoryShelf) -> None:
    both = shelf.put("x", artifacts={"a": b"1"}, promises={"out": "a"}, params={"out": 5})
    assert both.out == both.path / "a"
    assert both.params["out"] == 5


def test_it_is_a_place(model: Realization[Any]) -> None:
    assert model / "other.txt" == model.path / "other.txt"
    assert os.fspath(model) == str(model.path)
    assert Path(model) == model.path


def test_an_unknown_attribute_lists_what_there_is(model: Realization[Any]) -> None:
    with pytest.raises(UnknownPromiseError) as caught:
        _ = model.wieghts
    assert str(caught.value) == (
        "model has no promise or parameter 'wieghts'\n  promises: weights; parameters: depth, name, opt"
    )
    assert not hasattr(model, "wieghts")
    for mapping, kind in ((model.promises, "promise"), (model.params, "parameter"), (model.deps, "input")):
        with pytest.raises(UnknownPromiseError, match=f"no {kind} is named 'none_such'"):
            _ = mapping.none_such
        with pytest.raises(KeyError):
            _ = mapping["none_such"]


def test_ipython_is_told_of_everything(model: Realization[Any]) -> None:
    assert {"weights", "depth", "value", "deps", "path"} <= set(dir(model))
    assert "weights" in dir(model.promises)
    assert not hasattr(model, "_repr_html_x")  # names with _ are asked for by tools: no file is read for them


def test_the_ancestry_can_be_walked(shelf: MemoryShelf, model: Realization[Any], table: Realization[Any]) -> None:
    report = shelf.put("report", inputs={"best": model}, params={"title": "x"})
    assert report.deps.best == model
    assert report.deps.best.deps.data == table
    assert report.deps.best.deps.data.table == table.table
    assert list(report.deps) == ["best"]
    assert dict(report.params) == {"title": "x"}
    assert dict(table.deps) == {}


def test_equality_is_that_of_references(shelf: MemoryShelf, model: Realization[Any], table: Realization[Any]) -> None:
    again = Realization[Any](model.record, shelf)
    assert again == model
    assert hash(again) == hash(model)
    assert model != table
    assert model != model.ref
    assert len({again, model, table}) == 2


def test_equal_results_fold_and_the_newest_log_is_shown(shelf: MemoryShelf) -> None:
    one, two = shelf.put("x", value=1, log="first"), shelf.put("x", value=1, log="second")
    assert one == two
    assert [run.index for run in one.runs] == [0, 1]
    assert one.log == "second"


def test_without_runs_there_is_no_log(shelf: MemoryShelf, table: Realization[Any]) -> None:
    shelf._runs[table.ref].clear()
    assert table.log == ""


def test_an_attribute_error_below_a_property_is_seen_as_it_is(model: Realization[Any]) -> None:
    class Broken(MemoryShelf):
        def derivation(self, ref: DerivationRef) -> Mapping[str, Any]:
            raise AttributeError("from below")

        def origin(self, record: Any) -> Any:
            return model.context

    broken = Realization[Any](model.record, Broken())
    for name in ("params", "deps", "no_such_thing"):
        with pytest.raises(AttributeError, match="from below"):
            getattr(broken, name)


def test_a_realization_can_be_copied(model: Realization[Any]) -> None:
    again = copy.copy(model)
    assert again == model
    assert again.weights == model.weights


# Named.


def test_named_is_a_mapping_and_its_own_methods_win() -> None:
    named = Named("promise", {"b": 1, "a": 2, "items": 3, "_x": 4})
    assert (named.b, named["items"], named._x) == (1, 3, 4)
    assert callable(named.items)
    assert list(named) == ["b", "a", "items", "_x"]
    assert named == {"a": 2, "b": 1, "items": 3, "_x": 4}
    assert repr(Named("promise", {"a": Path("x")})) == f"{{a: {Path('x')!r}}}"
    assert "a" in dir(named)
    for again in (copy.copy(named), copy.deepcopy(named), pickle.loads(pickle.dumps(named))):
        assert again == named
        assert again.b == 1
    with pytest.raises(UnknownPromiseError, match="no promise is named 'c'") as caught:
        _ = named.c
    assert caught.value.hint == "known: _x, a, b, items"
    with pytest.raises(UnknownPromiseError, match="known: none"):
        _ = Named("input", {}).x


# What a builder sees.


def list_nothing(path: Path) -> tuple[str, ...]:
    return (f"files of {path.name}",)


@pytest.fixture
def visible() -> VisibleInput[Any]:
    promises = {"table": "data/digits.npz", "log": "train.log"}
    return VisibleInput(Path("/s/0123-digits"), promises, {"size": 8, "ref": "mine"}, {"n": 1}, list_nothing)


def test_a_builder_sees_promises_parameters_value_and_files(visible: VisibleInput[Any]) -> None:
    assert isinstance(visible, Realization)
    assert visible.table == Path("/s/0123-digits/data/digits.npz")
    assert visible.size == 8
    assert visible.value == {"n": 1}
    assert visible.path == Path("/s/0123-digits")
    assert visible / "x" == Path("/s/0123-digits/x")
    assert os.fspath(visible) == "/s/0123-digits"
    assert visible.files == ("files of 0123-digits",)
    assert visible.promises["log"] == Path("/s/0123-digits/train.log")
    assert visible.params["ref"] == "mine"
    assert repr(visible) == "Realization(0123-digits)"
    assert {"table", "size", "value"} <= set(dir(visible))


@pytest.mark.parametrize("name", ["deps", "ref", "runs", "log", "context", "record", "shelf", "name"])
def test_a_builder_sees_nothing_else_and_is_told_why(visible: VisibleInput[Any], name: str) -> None:
    with pytest.raises(HiddenError, match="the rest is not in its key") as caught:
        getattr(visible, name)
    assert caught.value.hint


def test_nothing_public_of_a_realization_is_seen_by_oversight(visible: VisibleInput[Any]) -> None:
    seen = set()
    for name in (name for name in dir(Realization) if not name.startswith("_")):
        try:
            found = getattr(visible, name)
            seen.add(name)
            if callable(found) and not isinstance(found, Named):
                found()
        except (HiddenError, TypeError):
            seen.discard(name)
    assert seen == {"path", "value", "promises", "params", "files"}


def test_what_a_builder_misspells_is_an_unknown_promise(visible: VisibleInput[Any]) -> None:
    with pytest.raises(UnknownPromiseError, match="the input has no promise or parameter 'tabel'") as caught:
        _ = visible.tabel
    assert caught.value.hint == "promises: log, table; parameters: ref, size"
    assert not isinstance(caught.value, HiddenError)


def test_what_a_builder_sees_can_be_sent_to_another_process(visible: VisibleInput[Any]) -> None:
    again = pickle.loads(pickle.dumps(visible))
    assert again == visible
    assert hash(again) == hash(visible)
    assert again.table == visible.table
    assert (again.value, dict(again.params), again.files) == (visible.value, dict(visible.params), visible.files)


def test_a_realization_is_never_what_a_builder_sees_of_it(visible: VisibleInput[Any], model: Realization[Any]) -> None:
    assert visible != model
    assert model != visible
    assert visible != VisibleInput(Path("/s/other"), {}, {}, None, list_nothing)


def test_hidden_things_are_errors_of_the_package() -> None:
    assert issubclass(HiddenError, PylightnixError)
