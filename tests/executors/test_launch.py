"""One run in a process, whatever it is told and whenever."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pylightnix.executors import InlineExecutor
from pylightnix.executors.launch import Launch
from pylightnix.executors.modules import Modules
from pylightnix.executors.transport import pack
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import Bench, failure_of, value_of


def launch(tmp_path: Path, builder: object, **arguments: object) -> Launch:
    request = Bench(InlineExecutor(), tmp_path).request(builder, **arguments)  # type: ignore[arg-type]
    return Launch(request, pack(request, Modules()), dict(os.environ), "process", None)


def test_ended_before_it_began(tmp_path: Path) -> None:
    run = launch(tmp_path, processes.sleep, pid_file=tmp_path / "pid")
    run.end()
    start = time.monotonic()
    assert failure_of(run.carry(), "killed").fields == {"stopped": True}
    assert time.monotonic() - start < 10


def test_ended_after_it_ended(tmp_path: Path) -> None:
    run = launch(tmp_path, builders.give, value=1)
    assert value_of(run.carry()) == 1
    run.end()
    run.end(now=True)
    run.kill()


def test_a_request_that_nobody_reads(tmp_path: Path) -> None:
    """The worker dies before it has read a request larger than a pipe."""
    run = launch(tmp_path, builders.give, value="x" * 10_000_000)
    run.parcel = b"\xff" * len(run.parcel)
    assert run.carry().failure is not None
