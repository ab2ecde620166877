"""What it costs that results outlast a loss of power: a cold realize with each durability, against none."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench.processes import HERE, python
from bench.rows import Row, against

COUNT = 300
TIMES = 5


def measure(scale: float, place: Path) -> list[Row]:
    """The rows; `scale` is a factor on the number of stages, `place` a directory to work in."""
    count = max(10, round(COUNT * scale))
    taken: dict[str, list[float]] = {"batch": [], "full": [], "none": []}
    for turn in range(TIMES):
        for durability, seconds in taken.items():
            environment = {
                "PYLIGHTNIX_STORE": str(place / "durability" / f"{durability}-{turn}"),
                "PYLIGHTNIX_DURABILITY": durability,
            }
            seconds.append(python([str(HERE / "links.py"), "chain", str(count)], environment).inside)
    none = median(taken["none"])
    return [
        against(
            f"chain of {count:,}, cold, {durability} against none, per stage",
            median(taken[durability]),
            none,
            None,
            per=count,
        )
        for durability in ("batch", "full")
    ]
