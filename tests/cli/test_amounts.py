"""Sizes, durations, ages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pylightnix.cli.amounts import age, count, duration
from pylightnix.model.amounts import size, span

NOW = datetime(2030, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_951, "10 kB"), (999_499, "999 kB"),
     (999_500, "1.0 MB"), (2 * 10**9, "2.0 GB"), (10**18, "1000 PB")],
)  # fmt: skip
def test_sizes(amount: int, text: str) -> None:
    assert size(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.00 s"),
        (0.123, "0.12 s"),
        (12.34, "12.3 s"),
        (99.99, "1 min 40 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("past", "text"),
    [({"seconds": -5}, "0 s"), ({"seconds": 59}, "59 s"), ({"minutes": 59}, "59 min"), ({"hours": 23}, "23 h"),
     ({"days": 59}, "59 d"), ({"days": 61}, "2 mon"), ({"days": 800}, "2 y")],
)  # fmt: skip
def test_ages(past: dict[str, int], text: str) -> None:
    assert age((NOW - timedelta(**past)).isoformat(), NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.3, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (45.7 * 86_400, "45 d"), (1e9, "31 y")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_an_age_that_cannot_be_read() -> None:
    assert age("", NOW) == "?"
    assert age("2030-01-01T00:00:00", NOW) == "24 h" or age("2030-01-01T00:00:00", NOW) == "1 d"


def test_counts() -> None:
    assert [count(n, "run") for n in (0, 1, 2, 1000)] == ["0 runs", "1 run", "2 runs", "1,000 runs"]
