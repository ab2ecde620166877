"""Verdicts, tolerances, and how a difference is told."""

from __future__ import annotations

from typing import Any

import pytest

from pylightnix.comparison.differences import Difference, Tolerance, Verdict, worst
from pylightnix.errors import ArgumentError


def test_the_worst_counts() -> None:
    assert worst([]) is Verdict.EQUAL
    assert worst([Verdict.CLOSE, Verdict.EQUAL]) is Verdict.CLOSE
    assert worst([Verdict.CLOSE, Verdict.DIFFERENT, Verdict.EQUAL]) is Verdict.DIFFERENT


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), True, "1e-3", None])
def test_what_is_no_tolerance(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match=r"rtol=.*is no tolerance"):
        Tolerance.parse(wrong, 0)
    with pytest.raises(ArgumentError, match=r"atol=.*is no tolerance"):
        Tolerance.parse(0, wrong)


def test_exact_is_without_any_tolerance() -> None:
    assert Tolerance.parse(0, 0).is_exact
    assert not Tolerance.parse(0, 1).is_exact
    assert not Tolerance.parse(1e-9, 0).is_exact


def test_a_finding_is_told_in_a_line() -> None:
    assert Difference("a.txt", Verdict.DIFFERENT, "it differs").line() == "a.txt: it differs"
    told = Difference("a.csv", Verdict.CLOSE, "a number differs", "row 2", "1", "2").line()
    assert told == "a.csv row 2: 1 → 2; a number differs"
