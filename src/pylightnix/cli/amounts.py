"""Sizes, durations and ages as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from pylightnix.clock import utc_now
from pylightnix.model.amounts import span


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
    """How long ago a moment (ISO 8601, UTC) was, such as `3 min`; `?` if it is none."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return "?"
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return span(((now or this_moment()) - moment).total_seconds())


def this_moment() -> datetime:
    """Now, in UTC."""
    return datetime.fromisoformat(utc_now())


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`, `1,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
