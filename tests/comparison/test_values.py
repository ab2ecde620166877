"""Values are compared place by place; the first difference is named by its path."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pylightnix.comparison.differences import Difference, Tolerance, Verdict
from pylightnix.comparison.judging import Judge
from pylightnix.comparison.values import compare_values


def found(recorded: Any, now: Any, rtol: float = 0.0, atol: float = 0.0) -> Difference | None:
    judge = Judge(Tolerance(rtol, atol))
    compare_values(recorded, now, judge)
    return judge.difference()


@pytest.mark.parametrize(
    "value", [None, True, 0, -0.0, 1.5, math.nan, math.inf, "x", [], {}, [1, [2, {"a": (3, None)}]], 10**400]
)
def test_equal(value: Any) -> None:
    assert found(value, value) is None
    assert found(value, value, rtol=0.1) is None


@pytest.mark.parametrize(
    ("recorded", "now", "at"),
    [
        ({"a": {"b": [1, 2, 3]}}, {"a": {"b": [1, 5, 4]}}, ".a.b[1]"),
        ({"odd key": 1}, {"odd key": 2}, "['odd key']"),
        ({"a": 1}, {}, ".a"),
        ({}, {"a": 1}, ".a"),
        ([1, 2], [1], ""),
        ([1], (1,), ""),
        (1, "1", ""),
        (1, True, ""),
        (None, 0, ""),
        ("a", "b", ""),
        (0.0, -0.0, ""),
        (1, 1.0, ""),
        (math.nan, 1.0, ""),
    ],
)
def test_different(recorded: Any, now: Any, at: str) -> None:
    difference = found(recorded, now)
    assert difference is not None
    assert (difference.verdict, difference.at) == (Verdict.DIFFERENT, at)


def test_a_tolerance_is_for_numbers_alone() -> None:
    close = found({"a": 1.0, "n": 3}, {"a": 1.001, "n": 3.0}, rtol=0.01)
    assert close is not None
    assert (close.verdict, close.at, close.differing) == (Verdict.CLOSE, ".a", 2)
    for recorded, now in ((True, False), ("1.0", "1.001"), ([1.0], [1.0, 1.0]), (1, True)):
        difference = found(recorded, now, rtol=1, atol=1)
        assert difference is not None
        assert difference.verdict is Verdict.DIFFERENT


def test_depth_is_no_limit() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    other: Any = 2
    for _ in range(50_000):
        other = [other]
    assert found(deep, other) is not None
    while deep:  # Python itself would recurse to free it
        deep = deep[0] if isinstance(deep, list) else None
        other = other[0] if isinstance(other, list) else None
