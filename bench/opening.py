"""What `bench.undeclared` measures, in a process of its own: `watched|plain COUNT DIRECTORY`; prints seconds.

In a process that is to be plain nobody ever sets the hook: once it is there it costs, whether anybody looks or not.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Self

from pylightnix.executors import InlineExecutor, work  # the watch is exchanged there
from pylightnix.model.build import BuildRequest

TIMES = 5


class Unwatching:
    """Stands for a watch that sees nothing."""

    idle = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def main(kind: str, count: int, data: Path) -> float:
    """Seconds that a builder takes which opens so many files of an input."""
    if kind == "plain":
        home: Any = work
        home.Watch = Unwatching

    def read() -> None:
        for number in range(count):
            with open(f"{data}/{number}", "rb") as stream:
                stream.read()

    out, scratch, checkpoint, log = (str(data / name) for name in ("out", "scratch", "checkpoint", "log"))
    request = BuildRequest(
        "read", read, False, {}, {}, "key", 0, 1, out, scratch, checkpoint, log, inputs=(str(data),)
    )  # fmt: skip
    executor = InlineExecutor()
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        if executor.submit(request).result().failure is not None:
            raise SystemExit("the builder failed")
        taken.append(time.perf_counter() - began)
    return median(taken)


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
