"""What the kernel counts of its kills is read, and nothing is made up where it does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix.executors.starving import starved


@pytest.mark.parametrize(
    ("text", "found"),
    [("nr_free_pages 7\noom_kill 3\noom_kill_x 9\n", 3), ("nr_free_pages 7\n", None), ("oom_kill many\n", None)],
    ids=["counted", "not counted", "unknown"],
)
def test_starved(tmp_path: Path, text: str, found: int | None) -> None:
    file = tmp_path / "vmstat"
    assert starved(str(file)) is None
    file.write_text(text)
    assert starved(str(file)) == found
