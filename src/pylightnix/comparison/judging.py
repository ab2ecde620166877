"""Tells numbers that are close from those that are not, and keeps the first of each and the largest deviation. Pure."""

from __future__ import annotations

import math
from fractions import Fraction

from pylightnix.comparison.differences import Difference, Tolerance, Verdict
from pylightnix.model.shown import shown

Number = int | float

_WIDEST = 60
"""Characters of what is shown of one side."""


def is_close(now: Number, recorded: Number, tolerance: Tolerance) -> bool:
    """See `Tolerance`."""
    if now == recorded or (now != now and recorded != recorded):  # noqa: PLR0124  (NaN alone differs from itself)
        return True
    if not (_is_finite(now) and _is_finite(recorded)):
        return False
    try:
        return abs(now - recorded) <= tolerance.atol + tolerance.rtol * abs(recorded)
    except OverflowError:  # integers that no float can be
        off = abs(Fraction(now) - Fraction(recorded))
        return off <= Fraction(tolerance.atol) + Fraction(tolerance.rtol) * abs(Fraction(recorded))


def _is_finite(number: Number) -> bool:
    return isinstance(number, int) or math.isfinite(number)


def _off(now: Number, recorded: Number) -> float:
    try:
        return abs(float(now - recorded))
    except OverflowError:
        return math.inf


def is_number(value: object) -> bool:
    """Whether a tolerance applies to it: truth values are no numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def brief(value: object) -> str:
    """A value in a message."""
    return cut(shown(value))


def cut(text: str) -> str:
    """Text in a message."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


class Judge:
    """Hears of every difference in one file or value, and says in the end what that amounts to.

    Args:
        tolerance: for numbers.
    """

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self._differing = 0
        self._largest = 0.0
        self._first: Difference | None = None

    def numbers(self, at: str, recorded: Number, now: Number, told: tuple[str, str] | None = None) -> None:
        """Two numbers that are not the same to the letter; `told`: how they are written, if not as Python does."""
        close = not self.tolerance.is_exact and is_close(now, recorded, self.tolerance)
        before, after = told or (brief(recorded), brief(now))
        self.note(at, before, after, "a number", close=close, largest=_off(now, recorded))

    def other(self, at: str, recorded: str, now: str, what: str) -> None:
        """A difference that no tolerance covers."""
        self.note(at, recorded, now, what, close=False)

    def note(
        self, at: str, recorded: str, now: str, what: str, *, close: bool, largest: float = 0.0, differing: int = 1
    ) -> None:
        """Any difference, or several of which this is the first that matters."""
        self._differing += differing
        self._largest = max(self._largest, math.inf if math.isnan(largest) else largest)
        verdict = Verdict.CLOSE if close else Verdict.DIFFERENT
        if self._first is None or (self._first.verdict is Verdict.CLOSE and not close):
            self._first = Difference("", verdict, what, at, recorded, now)

    def difference(self) -> Difference | None:
        """What it amounts to; None if nothing differs. The place is for the caller to fill in."""
        first = self._first
        if first is None:
            return None
        what = f"{first.what} differs"
        if first.verdict is Verdict.CLOSE:
            what = f"{first.what} differs within the tolerance"
        if self._differing > 1:
            what = f"{what}, the first of {self._differing:,}"
        if self._largest:
            what = f"{what}, off by {self._largest:.6g}{' at most' if self._differing > 1 else ''}"
        deviation = self._largest if 0 < self._largest < math.inf else None
        return first._replace(what=what, differing=self._differing, deviation=deviation)
