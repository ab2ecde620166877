"""The clock of this machine, and moments as text. Both may be wrong by centuries: what comes of that is no error.

Unaware of what the moments are of. Where only a span counts, `time.monotonic` is the one to ask.
"""

from __future__ import annotations

import functools
import math
import time

_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The first and the last second of years that have four digits."""


def now() -> float:
    """Seconds since 1970."""
    try:
        return time.time()
    except OverflowError:
        return time.clock_gettime(time.CLOCK_REALTIME)


def is_beyond_python() -> bool:
    """Whether Python's own functions fail of it: 64 bits of nanoseconds end in the year 2262."""
    try:
        time.time()
    except OverflowError:
        return True
    return False


def iso(moment: float) -> str:
    """A moment (seconds since 1970) in UTC, ISO 8601, whole seconds; the nearest that has a year of four digits."""
    return f"{_second(_within(moment))}+00:00"


def utc_now() -> str:
    """This moment: UTC, ISO 8601, with microseconds."""
    moment = _within(now())
    second = math.floor(moment)
    return f"{_second(second)}.{min(int((moment - second) * 1e6), 999_999):06d}+00:00"


def stamp(moment: float) -> str:
    """As `iso`, without marks between the numbers and without the zone: for names, which order as the moments do."""
    return _second(_within(moment)).replace("-", "").replace(":", "")


def _within(moment: float) -> float:
    return min(max(moment, _FIRST), _LAST)


@functools.lru_cache(maxsize=4)
def _second(moment: float) -> str:
    year, month, day, hour, minute, second, *_ = time.gmtime(math.floor(moment))
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
