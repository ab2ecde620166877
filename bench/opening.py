"""What `bench.undeclared` measures, in a process of its own: `watched|plain bare|json COUNT DIRECTORY`.

Prints seconds of the processor, since a machine with other work to do says nothing by the time that passes.
In a process that is to be plain nobody ever sets the hook: once it is there it costs, whether anybody looks or not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Self

from pylightnix.executors import InlineExecutor, work  # the watch is exchanged there
from pylightnix.model.build import BuildRequest

TIMES = 5


class Unwatching:
    """Stands for a watch that sees nothing."""

    idle = True

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def bare(data: Path, count: int) -> None:
    """Opens, reads and closes, and nothing else."""
    for number in range(count):
        with open(f"{data}/{number}", "rb") as stream:
            stream.read()


def as_json(data: Path, count: int) -> None:
    """What builders do with many small files: reach them by the input's path, parse them, use them."""
    total = 0
    for number in range(count):
        total += json.loads((data / str(number)).read_text())["number"]


BUILDERS: dict[str, Callable[[Path, int], None]] = {"bare": bare, "json": as_json}


def main(kind: str, how: str, count: int, data: Path) -> float:
    """Seconds of the processor that a builder takes which opens so many files of an input."""
    if kind == "plain":
        home: Any = work
        home.Watch = Unwatching

    def read() -> None:
        BUILDERS[how](data, count)

    out, scratch, checkpoint, log = (str(data / name) for name in ("out", "scratch", "checkpoint", "log"))
    request = BuildRequest(
        "read", read, False, {}, {}, "key", 0, 1, out, scratch, checkpoint, log, inputs=(str(data),)
    )  # fmt: skip
    executor = InlineExecutor()
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        if executor.submit(request).result().failure is not None:
            raise SystemExit("the builder failed")
        taken.append(time.process_time() - began)
    return median(taken)


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
