"""What it costs a builder that opens 10,000 files of an input that these are watched, and judged afterwards.

The floor is the same builder in a process in which nothing is watched; the limit is meant for where `_glance` could be
compiled, and each row says whether it was. One builder only opens and reads, which is the
most that watching can cost; the other parses what it reads, as builders do: it takes longer, and watching it does not.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from bench.processes import HERE, python
from bench.rows import Row, against, interleaved

COUNT = 10_000
LIMIT = 1.05
TIMES = 15


def measure(scale: float, place: Path) -> list[Row]:
    """The row; `scale` is a factor on the number of files, `place` a directory to work in."""
    count = max(100, round(COUNT * scale))
    data = place / "undeclared"
    (data / "out").mkdir(parents=True)
    for number in range(count):
        (data / str(number)).write_text(json.dumps({"number": number, "text": "x" * 70}))
    how = "watched" if find_spec("pylightnix.executors._glance") else "watched without C"
    names = {"bare": f"opening {count:,} files, {how}, per file", "json": f"each parsed as JSON, {how}, per file"}
    return [_compared(name, builder, count, data) for builder, name in names.items()]


def _compared(name: str, builder: str, count: int, data: Path) -> Row:
    def took(kind: str) -> float:
        return python([str(HERE / "opening.py"), kind, builder, str(count), str(data)]).inside

    ours, plain = interleaved([lambda: took("watched"), lambda: took("plain")], TIMES)
    return against(name, ours, plain, LIMIT, per=count)
