"""The rule for numbers, and what a judge makes of all that it heard."""

from __future__ import annotations

import math

import pytest

from pylightnix.comparison.differences import Tolerance, Verdict
from pylightnix.comparison.judging import Judge, brief, is_close

np = pytest.importorskip("numpy", reason="the rule is held against NumPy's")

NUMBERS = [0.0, -0.0, 1.0, 1.0 + 1e-9, 1.1, -1.0, 100, 101, 1e300, -1e300, 5e-324, math.inf, -math.inf, math.nan, 2**53]


@pytest.mark.parametrize("tolerance", [Tolerance(1e-8), Tolerance(0, 0.5), Tolerance(0.1, 1e-3), Tolerance(1, 1)])
def test_the_rule_is_that_of_numpy(tolerance: Tolerance) -> None:
    for now in NUMBERS:
        for recorded in NUMBERS:
            with np.errstate(all="ignore"):
                wanted = np.isclose(now, recorded, tolerance.rtol, tolerance.atol, equal_nan=True)
            assert is_close(now, recorded, tolerance) == bool(wanted), (now, recorded)


def test_integers_that_no_float_can_be() -> None:
    huge = 10**400
    assert is_close(huge + 1, huge, Tolerance(1e-9))
    assert not is_close(huge * 2, huge, Tolerance(1e-9))
    assert not is_close(1.5, huge, Tolerance(0.5))
    assert is_close(2**60 + 1, 2**60, Tolerance(0, 1))
    assert not is_close(2**60 + 1, 2**60, Tolerance(0, 0.5)), "as integers, not as floats"


def test_nothing_heard_is_nothing_found() -> None:
    assert Judge(Tolerance(1)).difference() is None


def test_the_first_that_is_too_far_is_shown_and_the_largest_deviation_told() -> None:
    judge = Judge(Tolerance(0, 0.5))
    judge.numbers("[0]", 1.0, 1.25)
    judge.numbers("[1]", 1.0, 3.0)
    judge.numbers("[2]", 1.0, 9.0)
    found = judge.difference()
    assert found is not None
    assert (found.verdict, found.at, found.recorded, found.now) == (Verdict.DIFFERENT, "[1]", "1.0", "3.0")
    assert (found.differing, found.deviation) == (3, 8.0)
    assert found.what == "a number differs, the first of 3, off by 8 at most"


def test_what_is_close_is_told_as_close() -> None:
    judge = Judge(Tolerance(0, 0.5))
    judge.numbers("", 1.0, 1.25)
    found = judge.difference()
    assert found is not None
    assert (found.verdict, found.what) == (Verdict.CLOSE, "a number differs within the tolerance, off by 0.25")


def test_without_a_tolerance_every_difference_counts() -> None:
    judge = Judge(Tolerance())
    judge.numbers("", 1, 1.0)
    found = judge.difference()
    assert found is not None
    assert (found.verdict, found.deviation) == (Verdict.DIFFERENT, None)


def test_a_deviation_that_is_no_number_is_no_deviation_for_programs() -> None:
    judge = Judge(Tolerance(1))
    judge.numbers("", 1.0, math.nan)
    found = judge.difference()
    assert found is not None
    assert (found.verdict, found.deviation) == (Verdict.DIFFERENT, None)


def test_what_is_shown_is_short() -> None:
    assert len(brief("x" * 1000)) == 60
    assert "bits" in brief(10**5000)
