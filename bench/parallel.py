"""Two runs at a time: how near 16 runs of a second are to half the time, and what 1,000 that do nothing cost.

The floor of work is the same burning of cycles in two plain processes that share it, started before the clock; that of
nothing is as many bare starts of Python, two at a time.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.processes import HERE, python
from bench.rows import Row, against, interleaved

RUNS, NOTHINGS = 16, 1_000
TIMES = 3


def bare_starts(count: int) -> float:
    """Seconds of so many starts of Python that do nothing, two at a time."""
    began = time.perf_counter()
    living: list[subprocess.Popen[bytes]] = []
    for _ in range(count):
        if len(living) == 2:
            living.pop(0).wait()
        living.append(subprocess.Popen([sys.executable, "-c", "pass"]))
    for process in living:
        process.wait()
    return time.perf_counter() - began


def measure(scale: float, place: Path) -> list[Row]:
    """The rows; `scale` is a factor on the numbers of runs, `place` a directory to work in."""
    runs, nothings = max(2, 2 * round(RUNS * scale / 2)), max(2, round(NOTHINGS * scale))
    script = str(HERE / "pairs.py")
    stores = iter(range(1_000_000))

    def realized(what: str, count: int) -> float:
        store = place / f"parallel-{next(stores)}"
        return python([script, what, str(count)], {"PYLIGHTNIX_STORE": str(store)}).inside

    def ideal() -> float:
        return python([script, "floor", str(runs)]).inside

    work = interleaved([lambda: realized("work", runs), ideal], TIMES)
    nothing = interleaved([lambda: realized("nothing", nothings), lambda: bare_starts(nothings)], TIMES)
    return [
        against(f"{runs} runs of a second of work on two workers, all", work[0], work[1], 1 / 0.9),
        against(f"{nothings:,} runs of nothing with jobs=2, each", nothing[0], nothing[1], 1.5, per=nothings),
    ]
