"""One run in a process, whatever it is told and whenever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pylightnix.executors import InlineExecutor
from pylightnix.executors.launch import Launch
from pylightnix.executors.modules import Modules
from pylightnix.executors.transport import pack
from pylightnix.model.build import BuildResult
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import Bench, failure_of, value_of

SCRIPT = """
import os, sys
from pathlib import Path
from pylightnix.executors import InlineExecutor
from pylightnix.executors.launch import Launch
from pylightnix.executors.modules import Modules
from pylightnix.executors.transport import pack
from pylightnix.testing import processes
from pylightnix.testing.bench import Bench

request = Bench(InlineExecutor(), Path(sys.argv[1])).request(processes.stop_executor, process=os.getpid())
result = Launch(request, pack(request, Modules()), dict(os.environ), "process", None).carry()
print(result.value, result.failure)
"""


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


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="tells by /proc when a process has ended")
def test_a_result_that_was_told_while_nobody_could_hear_it_counts(tmp_path: Path) -> None:
    """The executor's process is stopped, and goes on when the run has long ended."""
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE) as executor:
        os.waitid(os.P_PID, executor.pid, os.WSTOPPED)
        supervisor = Path(f"/proc/{executor.pid}/task/{executor.pid}/children").read_text().strip()
        until = time.monotonic() + 30
        while Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < until
            time.sleep(0.1)
        time.sleep(0.6)  # longer than the executor looks at the pipes at a time
        executor.send_signal(signal.SIGCONT)
        assert executor.communicate()[0] == b"returned None\n"


SLOW = """
import os, time
os.register_at_fork(after_in_parent=lambda: time.sleep(1))
"""


def leave_child(pid_file: Path) -> None:
    """Start a process that is deaf and in a session of its own, and sleep."""
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pid_file.with_suffix(".part").write_text(str(os.getpid()))
        pid_file.with_suffix(".part").rename(pid_file)
    time.sleep(60)


@pytest.mark.parametrize("now", [False, True])
def test_ended_when_the_builder_is_further_than_its_supervisor(tmp_path: Path, now: bool) -> None:
    """On a busy machine the supervisor may not run again for long after it has forked: it hears what it was told."""
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    pid = tmp_path / "pid"
    run = launch(tmp_path, leave_child, pid_file=pid)
    run.environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *filter(None, [run.environ.get("PYTHONPATH")])])
    results: list[BuildResult] = []
    thread = threading.Thread(target=lambda: results.append(run.carry()))
    thread.start()
    until = time.monotonic() + 20
    while not pid.exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    run.end(now=now)
    thread.join(20)
    assert failure_of(results[0], "killed").fields == {"stopped": True}
    assert results[0].facts["ended_processes"] == 1
    assert not processes.is_alive(int(pid.read_text()))
