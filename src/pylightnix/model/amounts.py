"""Sizes and durations as people write them. Unaware of what they measure."""

from __future__ import annotations

import re

from pylightnix.errors import ArgumentError

DAY = 86_400.0

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
_BYTES = {"": 1, "B": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_SPANS = (
    (60, "s", 1),
    (3600, "min", 60),
    (86_400, "h", 3600),
    (86_400 * 60, "d", 86_400),
    (86_400 * 730, "mon", 2_629_746),
)
_DURATION = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>s|min|h|d|w|y)")
_SIZE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[kKMGTP]?)(?P<binary>i?)B?")

Size = str | int

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def parse_seconds(text: object, where: str = "") -> float:
    """A duration in seconds, from a text such as `90s`, `12h` or `2w`."""
    form = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if form is None:
        raise ArgumentError(f"{text!r} is no duration", where=where, hint="such as 30d, 12h, 2w; units: s min h d w y")
    return float(form["number"]) * _SECONDS[form["unit"]]


def span(seconds: float) -> str:
    """A duration in whole units: `5 s`, `3 min`, `2 h`, `45 d`, `4 mon`, `3 y`; what is less than nothing is `0 s`."""
    unit, length = next(((unit, length) for below, unit, length in _SPANS if seconds < below), ("y", 31_556_952))
    return f"{max(int(seconds // length), 0)} {unit}"


def parse_size(text: Size, where: str = "") -> int:
    """A size in bytes: `50G`, `1.5T`, `512Mi`, or a number."""
    if type(text) is int and text >= 0:
        return text
    form = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if form is None:
        raise ArgumentError(f"{text!r} is no size", where=where, hint="such as 50G, 500M, 1.5T or 512Mi")
    unit = form["unit"].replace("K", "k")
    factor = 1024 ** "_kMGTP".index(unit) if form["binary"] and unit else _BYTES[unit]
    try:
        return int(float(form["number"]) * factor)
    except OverflowError:
        raise ArgumentError("no size has so many digits", where=where, hint="such as 50G, 500M or 1.5T") from None


def size(count: int) -> str:
    """Bytes in the largest decimal unit that leaves at least one: `1.2 MB`."""
    amount = float(count)
    for unit in _SIZES:
        if amount < 999.5 or unit == _SIZES[-1]:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"
        amount /= 1000
    raise AssertionError("BUG: the last unit takes all")
