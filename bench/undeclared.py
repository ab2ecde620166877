"""What it costs a builder that opens 10,000 files of an input that these are watched, and judged afterwards.

The floor is the same builder in a process in which nothing is watched. One builder only opens and reads, which is the
most that watching can cost; the other parses what it reads, as builders do: it takes longer, and watching it does not.
"""

from __future__ import annotations

import json
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
        (data / str(number)).write_text(json.dumps({"number": number, "text": "x" * 70}))
    names = {"bare": f"opening {count:,} files, watched, per file", "json": "the same, each parsed as JSON"}
    return [_compared(name, how, count, data) for how, name in names.items()]


def _compared(name: str, how: str, count: int, data: Path) -> Row:
    def took(kind: str) -> float:
        return python([str(HERE / "opening.py"), kind, how, str(count), str(data)]).inside

    ours, plain = interleaved([lambda: took("watched"), lambda: took("plain")], TIMES)
    return against(name, ours, plain, LIMIT, per=count)
