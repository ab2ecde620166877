"""What it costs a builder that opens 10,000 files of an input that these are watched, and judged afterwards.

The floor is the same builder in a process in which nothing is watched. Its files are as small as files can be, so this
is the most that watching can cost: a builder that does something with them takes longer, and what it costs does not.
"""

from __future__ import annotations

from pathlib import Path

from bench.processes import HERE, python
from bench.rows import Row, against, interleaved

COUNT = 10_000
LIMIT = 1.05
TIMES = 7


def measure(scale: float, place: Path) -> list[Row]:
    """The row; `scale` is a factor on the number of files, `place` a directory to work in."""
    count = max(100, round(COUNT * scale))
    data = place / "undeclared"
    (data / "out").mkdir(parents=True)
    for number in range(count):
        (data / str(number)).write_bytes(b"x" * 100)

    def took(kind: str) -> float:
        return python([str(HERE / "opening.py"), kind, str(count), str(data)]).inside

    ours, plain = interleaved([lambda: took("watched"), lambda: took("plain")], TIMES)
    return [against(f"opening {count:,} files, watched, per file", ours, plain, LIMIT, per=count)]
