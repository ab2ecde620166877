"""Supervisors that a nursery forks are as those of a new process, and what becomes of it harms no later run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from pylightnix.executors import ProcessExecutor
from pylightnix.model.build import BuildResult
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import Bench, failure_of, value_of, wait_for


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    executor = ProcessExecutor(slots=2)
    yield Bench(executor, tmp_path)
    executor.stop()


def nursery_of(worker: int) -> int:
    return parent_of(parent_of(worker))


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def ancestors() -> list[int]:
    supervisor = os.getppid()
    return [os.getpid(), supervisor, parent_of(supervisor)]


def draw() -> list[float | str | int]:
    return [random.random(), os.urandom(8).hex()]


def test_runs_share_a_nursery_and_nothing_else(bench: Bench) -> None:
    first, second = (value_of(bench.run(ancestors)) for _ in range(2))
    assert first[2] == second[2] != os.getpid()
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_runs_inherit_no_random_state(bench: Bench) -> None:
    first, second = (value_of(bench.run(draw)) for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def linger(begun: Path, end: Path) -> str:
    begun.write_text(str(os.getpid()))
    while not end.exists():
        time.sleep(0.01)
    return "done"


@pytest.fixture
def lingering(bench: Bench) -> tuple[Future[BuildResult], Path, int]:
    """A run, the file that lets it return, and its process."""
    begun, end = bench.top / "begun", bench.top / "end"
    future = bench.executor.submit(bench.request(linger, begun=begun, end=end))
    assert isinstance(future, Future)
    wait_for(lambda: begun.exists() and begun.read_text() != "")
    return future, end, int(begun.read_text())


def test_a_killed_nursery_ends_no_run_and_the_next_run_has_another(
    bench: Bench, lingering: tuple[Future[BuildResult], Path, int]
) -> None:
    future, end, worker = lingering
    first = nursery_of(worker)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not processes.is_alive(first))
    _, supervisor, second = value_of(bench.run(ancestors))
    assert second != first
    end.touch()
    assert value_of(future.result(10)) == "done"
    wait_for(lambda: not processes.is_alive(supervisor))


def test_a_run_without_its_nursery_is_stopped_as_another(
    bench: Bench, lingering: tuple[Future[BuildResult], Path, int]
) -> None:
    future, _, worker = lingering
    os.kill(nursery_of(worker), signal.SIGKILL)
    bench.executor.stop()
    assert failure_of(future.result(0), "killed").fields == {"stopped": True}
    assert not processes.is_alive(worker)


def test_what_watched_over_a_run_without_its_nursery_is_missed(
    lingering: tuple[Future[BuildResult], Path, int],
) -> None:
    future, _, worker = lingering
    supervisor = parent_of(worker)
    os.kill(parent_of(supervisor), signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    assert "the process that watched over the run was killed by SIGKILL" in failure_of(future.result(10), "killed").what
    wait_for(lambda: not processes.is_alive(worker))


def test_a_nursery_that_is_killed_before_it_forks_is_replaced(bench: Bench) -> None:
    _, _, nursery = value_of(bench.run(ancestors))
    os.kill(nursery, signal.SIGSTOP)
    waiting = bench.executor.submit(bench.request(builders.give, value=1))
    time.sleep(0.3)
    os.kill(nursery, signal.SIGKILL)
    assert isinstance(waiting, Future)
    assert value_of(waiting.result(10)) == 1


def test_who_told_a_run_to_end_is_told(lingering: tuple[Future[BuildResult], Path, int]) -> None:
    future, _, worker = lingering
    os.kill(parent_of(worker), signal.SIGHUP)
    failure = failure_of(future.result(10), "killed")
    assert failure.what == "the run was ended because SIGHUP came to the process that watched over it"
    assert "memory" not in failure.hint


def test_who_killed_a_worker_is_told_as_far_as_the_kernel_tells(
    lingering: tuple[Future[BuildResult], Path, int],
) -> None:
    future, _, worker = lingering
    os.kill(worker, signal.SIGKILL)
    failure = failure_of(future.result(10), "killed")
    assert failure.what == "the process was killed by SIGKILL"
    assert failure.hint.startswith("somebody sent that signal")


def test_a_variable_that_counts_while_python_comes_up_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def flags() -> list[int]:
        return [sys.flags.hash_randomization, sys.flags.optimize]

    monkeypatch.setenv("PYTHONHASHSEED", "random")
    before = value_of(bench.run(flags))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    after = value_of(bench.run(flags))
    assert (before[0], after[0]) == (1, 0)


SCRIPT = """
import os, sys, time
from pathlib import Path
from pylightnix.executors import ProcessExecutor
from pylightnix.testing.bench import Bench
from pylightnix.model.build import BuildResult
from pylightnix.testing import builders

executor = ProcessExecutor()
bench = Bench(executor, Path(sys.argv[1]))
print(bench.run(os.getppid).failure, flush=True)
children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
nursery = next(iter(executor._nurseries._nurseries.values()))._process.pid
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(60)
print(nursery, child, flush=True)
os.kill(os.getpid(), 9)
"""


def test_it_ends_with_its_executor_although_a_forked_child_has_its_socket(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n"
        nursery, child = map(int, process.stdout.readline().split())
    try:
        wait_for(lambda: not processes.is_alive(nursery))
        assert processes.is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


ORPHANED = """
import os, sys, time
from pathlib import Path
from pylightnix.executors import ProcessExecutor
from pylightnix.testing.bench import Bench
from pylightnix.testing import processes

executor = ProcessExecutor()
bench = Bench(executor, Path(sys.argv[1]))
file = Path(sys.argv[1]) / "pid"
future = executor.submit(bench.request(processes.sleep, pid_file=file))
while not file.exists() or not file.read_text():
    time.sleep(0.01)
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(60)
print(file.read_text(), child, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_run_ends_with_its_executor_although_a_forked_child_has_its_pipes(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", ORPHANED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker, child = map(int, process.stdout.readline().split())
    try:
        wait_for(lambda: not processes.is_alive(worker))
        assert processes.is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_an_executor_that_nobody_stops_leaves_no_nursery(tmp_path: Path) -> None:
    executor = ProcessExecutor()
    _, _, nursery = value_of(Bench(executor, tmp_path).run(ancestors))
    assert processes.is_alive(nursery)
    del executor
    wait_for(lambda: not processes.is_alive(nursery))


def test_what_modules_with_stages_import_is_there_and_nothing_that_keeps_or_makes(bench: Bench) -> None:
    """Else each run imports it anew, which takes longer than all else that a quick run does."""

    def loaded() -> list[str]:
        return sorted({".".join(name.split(".")[1:3]) for name in sys.modules if name.startswith("pylightnix.")})

    found = set(value_of(bench.run(loaded)))
    assert {"dsl.stage", "dsl.match", "model.promises", "model.build"} <= found
    assert not {name for name in found if name.split(".")[0] in ("store", "engine", "session", "cli")}


def test_a_nursery_that_does_not_fork_holds_nobody_up_who_stops(bench: Bench) -> None:
    """It may be stopped, or still be coming up from a slow file system."""
    _, _, nursery = value_of(bench.run(ancestors))
    os.kill(nursery, signal.SIGSTOP)
    waiting = bench.executor.submit(bench.request(builders.give, value=1))
    time.sleep(0.3)
    start = time.monotonic()
    bench.executor.stop()
    assert time.monotonic() - start < 8
    assert waiting.result(0).failure is not None
    assert not processes.is_alive(nursery)
