"""Values on one line."""

from __future__ import annotations

from typing import Any

import pytest

from pylightnix.cli.values import brief
from pylightnix.model.config import Opaque


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"accuracy": 0.9722222222, "n": 3}, "accuracy=0.972222 n=3"),
        ({"a": [1, 2.5]}, "{'a': [1, 2.5]}"),
        ({"not a name": 1}, "{'not a name': 1}"),
        ({}, "{}"),
        ([1, (2,), None, True, "x"], "[1, (2,), None, True, 'x']"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
        (123456789.0, "123456789.0"),
        (Opaque("mod:Outer.Options", {"lr": 0.1, "name": "a"}), "Outer.Options(lr=0.1, name='a')"),
        ([10**6000], "[<int of 19932 bits>]"),
        ({"n": -(10**6000), "deep": 2}, "n=<int of 19932 bits> deep=2"),
        ([(10**6000,), {"a b": 10**6000}], "[(<int of 19932 bits>,), {'a b': <int of 19932 bits>}]"),
        (Opaque("mod:Colour", "RED"), "Colour.RED"),
        (Opaque("mod:Date", [2030, 1]), "Date([2030, 1])"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert brief(value) == text


def test_long_ones_are_cut() -> None:
    assert brief("x" * 100, 10) == "'xxxxxxxx…"
    assert len(brief(list(range(1000)), 60)) == 60
