"""Sizes, durations and ages as people read them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

_AGES = (
    (60, "s", 1),
    (3600, "min", 60),
    (86_400, "h", 3600),
    (86_400 * 60, "d", 86_400),
    (86_400 * 730, "mon", 2_629_746),
)


def duration(seconds: float) -> str:
    """Seconds as `0.12 s`, `12.3 s`, `3 min 20 s` or `2 h 5 min`."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.2f} s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def roughly(seconds: float) -> str:
    """Seconds as a guess is told: `a few seconds`, `40 s`, `3 min`, `2 h 10 min`."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 55:
        return f"{round(seconds, -1):.0f} s"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"{minutes} min"
    hours, left = divmod(round(minutes, -1), 60)
    return f"{hours} h {left} min" if left else f"{hours} h"


def left(remaining: tuple[float, bool] | None) -> str:
    """What is left, in words, with a comma before; empty if nothing is known of it."""
    if remaining is None:
        return ""
    seconds, whole = remaining
    return f", {'about' if whole else 'at least'} {roughly(seconds)} left"


def age(started: str, now: datetime | None = None) -> str:
    """How long ago a moment (ISO 8601, UTC) was: `5 s`, `3 min`, `2 h`, `12 d`, `4 mon`, `3 y`; `?` if it is none."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return "?"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    for limit, unit, length in _AGES:
        if seconds < limit:
            return f"{max(int(seconds // length), 0)} {unit}"
    return f"{int(seconds // 31_556_952)} y"


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`, `1,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
