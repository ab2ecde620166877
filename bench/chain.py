"""Chain and fan of no-op stages, inline, cold and warm, against the floors; and whether time per stage grows.

The floor leaves it to the system when anything reaches the disk. So cold is compared with it at durability `none`; what
the default, `batch`, adds to that is shown beside.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from statistics import median

from bench.processes import HERE, python
from bench.rows import Row, against

SHAPES = ("chain", "fan")
COUNTS = (100, 1_000, 10_000)
REPEATS = {100: 25, 1_000: 5, 10_000: 3}
LIMITS = {"cold": 5.0, "cold, batch": None, "warm": 3.0}
FLOORS = {"cold": "cold", "cold, batch": "cold", "warm": "warm"}
GROWTH = 1.3


class Sample:
    """The times of one shape and size, in seconds, of several repetitions taken in turn.

    Each repetition has a directory of its own, and none is removed before all is measured: for minutes after many files
    were removed, some file systems (ext4) look long for each new one, which would hide what is measured here.
    """

    def __init__(self, shape: str, count: int, place: Path) -> None:
        self.shape = shape
        self.count = count
        self._place = place
        self._ours: dict[str, list[float]] = {state: [] for state in LIMITS}
        self._floor: dict[str, list[float]] = {"cold": [], "warm": []}
        self._start_up: list[float] = []

    def repeat(self) -> None:
        """One more repetition: floor and ours, cold and warm."""
        place = self._place / str(len(self._ours["cold"]))
        store, lasting, plain = place / "store", place / "lasting", place / "plain"
        plain.mkdir(parents=True)
        size = str(self.count)
        stages = [str(HERE / "links.py"), self.shape, size]
        environment = {"PYLIGHTNIX_STORE": str(store), "PYLIGHTNIX_DURABILITY": "none"}
        self._floor["cold"].append(python([str(HERE / "floors.py"), "cold", size, str(plain)]).inside)
        self._ours["cold"].append(python(stages, environment).inside)
        self._ours["cold, batch"].append(python(stages, {"PYLIGHTNIX_STORE": str(lasting)}).inside)
        self._floor["warm"].append(python([str(HERE / "floors.py"), "warm", size, str(plain)]).inside)
        self._ours["warm"].append(python(stages, environment).inside)
        self._start_up.append(self._start_up_of(place / "one"))

    def _start_up_of(self, store: Path) -> float:
        """What a warm realize of one stage takes in a new process: reading the code of the stage, opening the store.

        Taken after the imports, as that of all stages is. They take a fifth of a second, which varies by more than 100
        stages take, so that a difference of whole processes says nothing of so few.
        """
        single, environment = [str(HERE / "links.py"), self.shape, "1"], {"PYLIGHTNIX_STORE": str(store)}
        python(single, environment)
        return python(single, environment).inside

    def ours(self, state: str) -> float:
        """Our median in one of the states, without the median of starting up."""
        return median(self._ours[state]) - (median(self._start_up) if state == "warm" else 0.0)

    def floor(self, state: str) -> float:
        """The median of the floor in one of the states."""
        return median(self._floor[FLOORS[state]])


def discard(place: Path) -> None:
    """Remove a directory with a store in it, where directories are read-only."""
    for directory in [place, *(found for found in place.rglob("*") if found.is_dir() and not found.is_symlink())]:
        directory.chmod(0o755)
    shutil.rmtree(place)


def measure(scale: float, place: Path) -> list[Row]:
    """The rows; `scale` is a factor on the number of stages, `place` a directory to work in.

    All small ones are measured before the large, and what one repetition wrote is on disk before the next begins: a
    hundred stages are over before the system has written what ten thousand left to it, and would wait for that.
    """
    samples = {}
    for count in COUNTS:
        for shape in SHAPES:
            sample = samples[shape, count] = Sample(shape, max(2, round(count * scale)), place / f"{shape}-{count}")
            print(f"measuring a {shape} of {sample.count:,} …", file=sys.stderr)
            for _ in range(REPEATS[count]):
                os.sync()
                sample.repeat()
    return [row for shape in SHAPES for row in _rows(shape, [samples[shape, count] for count in COUNTS])]


def _rows(shape: str, samples: list[Sample]) -> list[Row]:
    rows = [
        against(
            f"{shape} of {sample.count:,}, {state}, per stage",
            sample.ours(state),
            sample.floor(state),
            limit,
            per=sample.count,
        )
        for sample in samples
        for state, limit in LIMITS.items()
    ]
    _, middle, large = samples
    growth = [
        against(
            f"{shape}, {state}, per stage: {large.count:,} against {middle.count:,}",
            large.ours(state) / large.count,
            middle.ours(state) / middle.count,
            GROWTH,
        )
        for state in ("cold", "warm")
    ]
    return rows + growth
