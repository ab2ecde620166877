"""Where inputs stand in the parameters of a realization, and what was chosen for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pylightnix
from pylightnix import Dep, Store, match, promise, stage
from pylightnix.errors import StoreError
from pylightnix.model.inputs import inputs_of, realizations_of


@dataclasses.dataclass(frozen=True)
class Options:
    part: object
    size: int = 1


@stage(code="ignore")
def part(n: int = 0, table: Path = promise("t")) -> int:
    table.write_text(str(n))
    return n


@stage(code="ignore")
def whole(one: Dep, many: object = None) -> None: ...


def realize(asked: Any, store: Path) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True)


def test_labels_are_as_one_writes_them(tmp_path: Path) -> None:
    many = {
        "a": [part(1), (part(2).table, 5)], "$odd": part(3), "$": {"$tuple": part(6)},
        "options": Options(Options({"in": part(4)})),
    }  # fmt: skip
    made = realize(whole(part(), many), tmp_path)
    for realization in (made, Store(tmp_path).realization(made.ref)):
        found = {one.label: one for one in inputs_of(realization)}
        values = {
            label: [child.value for child in chosen]
            for label, one in found.items()
            for chosen in [realizations_of(realization, one.choice)]
            if not isinstance(chosen, StoreError)
        }
        assert values == {
            "one": [0], "many['a'][0]": [1], "many['a'][1][0]": [2], "many['$odd']": [3],
            "many['$']['$tuple']": [6], "many['options'].part.part['in']": [4],
        }  # fmt: skip
        assert {label for label, one in found.items() if one.promise} == {"many['a'][1][0]"}


def test_the_choices_are_told(tmp_path: Path) -> None:
    both = part(1).with_matcher(match.all(of=1))
    made = realize(whole(part(), both), tmp_path)
    many, one = inputs_of(made)
    assert (one.choice.many, many.choice.many) == (False, True)
    assert many.choice.matcher.startswith("all(")
    assert [child.value for child in realizations_of(made, many.choice)] == [1]  # type: ignore[union-attr]
    assert inputs_of(made.deps.one) == []


def test_a_removed_input_is_an_error_to_look_at(tmp_path: Path) -> None:
    made = realize(whole(part()), tmp_path)
    Store(tmp_path).remove(made.deps.one)
    (one,) = inputs_of(made)
    error = realizations_of(made, one.choice)
    assert isinstance(error, StoreError)
    assert "removed" in str(error)
