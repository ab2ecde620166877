"""What it costs a builder that opens 10,000 files of an input that these are watched."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Self

from bench.rows import Row, against, interleaved
from pylightnix.executors import InlineExecutor, work  # the watch is exchanged there
from pylightnix.model.build import BuildRequest

COUNT = 10_000
LIMIT = 1.05


class Unwatching:
    """Stands for a watch that sees nothing."""

    idle = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def measure(scale: float, place: Path) -> list[Row]:
    """The row; the floor is the same run unwatched, in turn. The hook itself is there in both."""
    count = max(100, round(COUNT * scale))
    data = place / "undeclared"
    (data / "out").mkdir(parents=True)
    for number in range(count):
        (data / str(number)).write_bytes(b"x" * 100)

    def read() -> None:
        for number in range(count):
            with open(f"{data}/{number}", "rb") as stream:
                stream.read()

    out, scratch, checkpoint, log = (str(data / name) for name in ("out", "scratch", "checkpoint", "log"))
    request = BuildRequest(
        "read", read, False, {}, {}, "key", 0, 1, out, scratch, checkpoint, log, inputs=(str(data),)
    )  # fmt: skip
    executor = InlineExecutor()
    home: Any = work
    watch = home.Watch

    def took(kind: Any) -> float:
        home.Watch = kind
        try:
            began = time.perf_counter()
            executor.submit(request)
            return time.perf_counter() - began
        finally:
            home.Watch = watch

    ours, plain = interleaved([lambda: took(watch), lambda: took(Unwatching)], 15)
    return [against(f"opening {count:,} files, watched, per file", ours, plain, LIMIT, per=count)]
