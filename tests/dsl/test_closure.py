"""Closures of any shape are pinned; one that leads back to itself is an error that says how."""

from __future__ import annotations

from typing import Any

import pytest

from pylightnix import Derivation, stage
from pylightnix.dsl.closure import pin
from pylightnix.errors import GraphError


def derivation(name: str, *inputs: Derivation[Any]) -> Derivation[Any]:
    return Derivation(name=name, builder=lambda inputs: None, params={"inputs": list(inputs)}, version="1")


def lead_back(end: Derivation[Any], start: Derivation[Any]) -> None:
    """What nobody can do by describing: a derivation is there before its users are."""
    end._inputs = (*end._inputs, (start, None))


def test_a_cycle_is_told_with_its_path() -> None:
    leaf = derivation("leaf")
    first = derivation("first", leaf)
    second = derivation("second", leaf, first)
    third = derivation("third", leaf, second)
    lead_back(first, third)
    for asked in (first, second, derivation("above", third)):
        with pytest.raises(GraphError) as caught:
            pin([asked])
        told = caught.value.what.removeprefix("a cycle: ").split(" → ")
        assert told[0] == told[-1]
        assert sorted(told[1:]) == ["first", "second", "third"]
        assert caught.value.hint == "a derivation cannot be its own input"


def test_a_derivation_that_is_its_own_input() -> None:
    alone = derivation("alone")
    lead_back(alone, alone)
    with pytest.raises(GraphError, match=r"^a cycle: alone → alone\n"):
        pin([alone])


@stage(version="1")
def link(inputs: list[Any], index: int = 0) -> None: ...


def chain(length: int) -> tuple[Derivation[Any], Derivation[Any]]:
    first = last = link([], 0)
    for index in range(1, length):
        last = link([last], index)
    return first, last


def test_a_long_cycle_is_told_in_short() -> None:
    first, last = chain(10_000)
    lead_back(first, last)
    with pytest.raises(GraphError) as caught:
        pin([last])
    assert "link → … → link" in caught.value.what
    assert len(caught.value.what) < 300


def test_chains_fans_and_ladders_of_any_size() -> None:
    assert len(pin([chain(10_000)[1]]).order) == 10_000
    assert len(pin([link([link([], index) for index in range(10_000)])]).order) == 10_001
    ladder = link([])
    for index in range(60):
        ladder = link([ladder, ladder], index)
    assert len(pin([ladder]).order) == 61
