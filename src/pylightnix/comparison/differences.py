"""What a comparison finds: equal, close, or different, at which place, and by how much. Pure values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from pylightnix.errors import ArgumentError


class Verdict(StrEnum):
    """What came of a comparison."""

    EQUAL = "equal"
    CLOSE = "close"
    DIFFERENT = "different"


_ORDER = list(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The one that counts where there are several; equal where there is none."""
    return max(verdicts, key=_ORDER.index, default=Verdict.EQUAL)


class Tolerance(NamedTuple):
    """How far a number may be off: |now - recorded| <= atol + rtol * |recorded|, as in `numpy.isclose`; NaN is NaN.

    Attributes:
        rtol: relative to the recorded number.
        atol: absolute.
    """

    rtol: float = 0.0
    atol: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether nothing may be off: then bytes count, and not what they mean."""
        return not (self.rtol or self.atol)

    @classmethod
    def parse(cls, rtol: object, atol: object) -> Tolerance:
        """ArgumentError if one of them is no finite number of at least 0."""
        for name, given in (("rtol", rtol), ("atol", atol)):
            if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given < math.inf:
                raise ArgumentError(
                    f"{name}={given!r} is no tolerance",
                    where="check",
                    hint="give a finite number of at least 0, such as 1e-6",
                )
        return cls(float(rtol), float(atol))  # type: ignore[arg-type]


class Difference(NamedTuple):
    """A place at which two results differ.

    Attributes:
        place: "value", or the relative path of an artifact.
        verdict: close or different.
        what: what differs, a few words.
        at: the first difference in it: a byte (from 0), a line (from 1), an index, the path in a value; may be empty.
        recorded, now: what is there, shortened; empty where that says nothing.
        differing: how many numbers, cells or items differ, where they were counted.
        deviation: the largest |now - recorded| of these; None where none is a finite number.
    """

    place: str
    verdict: Verdict
    what: str
    at: str = ""
    recorded: str = ""
    now: str = ""
    differing: int | None = None
    deviation: float | None = None

    def line(self) -> str:
        """All of it in one line: what was recorded stands before the arrow."""
        where = f"{self.place} {self.at}" if self.at else self.place
        if not (self.recorded or self.now):
            return f"{where}: {self.what}"
        return f"{where}: {self.recorded} → {self.now}; {self.what}"
