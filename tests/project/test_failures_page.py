"""The page of what can go wrong names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_each_row_names_tests_that_there_are() -> None:
    sources = [*PROJECT.glob("tests/**/*.py"), *PROJECT.glob("src/pylightnix/testing/*.py")]
    there = {name for file in sources for name in re.findall(r"def (test_\w+)", file.read_text())}
    page = (PROJECT / "docs/failures.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.rstrip(" |").endswith("test")]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2])
        assert named, row
        assert set(named) <= there, row
