"""A moment of all at once; `make faults` does half a minute."""

from __future__ import annotations

from pathlib import Path

from faults.storm import ACTS, storm


def test_all_at_once(place: Path) -> None:
    row = storm(place / "storm", 2.0, processes=4)
    assert row.failures == []
    assert row.points > len(ACTS)
