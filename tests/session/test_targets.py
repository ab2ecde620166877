"""What was asked for, and its shape."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

import pylightnix
from pylightnix import Derivation, Store, promise, stage
from pylightnix.errors import ArgumentError, TargetError
from pylightnix.session.targets import Targets


@stage(code="ignore")
def data(n: int = 0, out: Path = promise("out.txt")) -> int:
    out.write_text(str(n))
    return n


@stage(code="ignore")
def needs(n: int, out: Path = promise("out.txt")) -> None:
    out.write_text(str(n))


class Pair(NamedTuple):
    deep: object
    flat: object


class Deeper(list[Any]):
    pass


def shape(asked: object) -> Any:
    """The shape with the parameter of each derivation at its place."""
    targets = Targets(asked)
    return targets.fill(lambda index: targets.derivations[index]._params.trees()["n"])


@pytest.mark.parametrize(
    ("asked", "filled"),
    [
        (data(3), 3),
        (data, 0),
        ([data(1), data(2)], [1, 2]),
        ((data(1), data(2)), (1, 2)),
        ((data(1),), (1,)),
        ([], []),
        ((), ()),
        ({}, {}),
        ({"a": data(1), "b": [data(2), (data(3), {"c": data(4)})]}, {"a": 1, "b": [2, (3, {"c": 4})]}),
        ({1: data(1), None: data(2), (3, 4): data(3)}, {1: 1, None: 2, (3, 4): 3}),
        (Pair(data(1), [data(2)]), Pair(1, [2])),
        (Deeper([data(1)]), [1]),
        (OrderedDict(b=data(1), a=data(2)), {"b": 1, "a": 2}),
        (MappingProxyType({"a": data(1)}), {"a": 1}),
        (UserDict({"a": data(1)}), {"a": 1}),
        ([data(1), data(1)], [1, 1]),
    ],
    ids=range(16),
)
def test_a_shape_is_kept(asked: object, filled: object) -> None:
    assert shape(asked) == filled
    assert type(shape(asked)) is type(filled)


def test_derivations_are_in_the_order_of_asking() -> None:
    targets = Targets({"a": [data(1), data(2)], "b": (data(3),)})
    assert [d.name for d in targets.derivations] == ["data"] * 3
    assert all(isinstance(d, Derivation) for d in targets.derivations)
    seen: list[int] = []
    targets.fill(seen.append)
    assert seen == [0, 1, 2]


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


class Loud:
    def __repr__(self) -> str:
        return "\x1b[2J" + "x" * 10_000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (None, "target: None is no derivation"),
        (5, "target: 5 is no derivation"),
        ("data", "target: 'data' is no derivation"),
        ({data(): 1}, "is no derivation"),
        ({1, 2}, "is no derivation"),
        ([data(), 5], "target[1]: 5 is no derivation"),
        ({"a": [data(), {"b": "x"}]}, "target['a'][1]['b']: 'x' is no derivation"),
        (print, "target: <built-in function print> is a function, no stage"),
        ([lambda: data(1)], "is a function, no stage"),
        (data().out, "is a promise of a derivation"),
        (Rude(), "something of type Rude is no derivation"),
        (Loud(), r"target: \x1b[2Jxxx"),
        (Path("x"), "is no derivation"),
        ((d for d in [data()]), "is no derivation"),
    ],
    ids=range(14),
)
def test_what_is_no_derivation_is_refused_with_its_place(asked: object, said: str) -> None:
    with pytest.raises(TargetError) as caught:
        Targets(asked)
    text = str(caught.value)
    assert said in text
    assert "\n  " in text, "what to do next"
    assert len(text) < 500
    assert "\x1b" not in text


def test_a_stage_that_needs_arguments_says_which() -> None:
    with pytest.raises(ArgumentError, match="n"):
        Targets([needs])


def test_what_contains_itself_is_refused() -> None:
    asked: list[Any] = [data()]
    asked.append({"again": asked})
    with pytest.raises(TargetError, match="deeper than 100 levels") as caught:
        Targets(asked)
    assert "contain itself" in caught.value.hint
    assert len(str(caught.value)) < 300


def test_a_shape_may_be_deep() -> None:
    asked: Any = data(7)
    for _ in range(100):
        asked = [asked]
    found = shape(asked)
    for _ in range(100):
        (found,) = found
    assert found == 7
    with pytest.raises(TargetError):
        Targets([asked])


def test_a_realization_is_asked_for_like_a_derivation(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    done = pylightnix.realize({"x": data(1), "y": Pair(data(2), ())}, store=store, quiet=True)
    assert done["x"].value == 1
    assert done["y"] == Pair(done["y"].deep, ())
    assert pylightnix.realize([done["x"], data(2)], store=store, quiet=True) == [done["x"], done["y"].deep]
    assert pylightnix.realize([], store=store, quiet=True) == []
