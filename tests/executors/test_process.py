"""The process executor keeps the contract, and leaves no process behind whoever dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from pylightnix.errors import ExecutorError
from pylightnix.executors import ProcessExecutor
from pylightnix.model.build import Build, Executor
from pylightnix.model.conditions import Isolation
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import TABLE, Bench, failure_of, value_of, wait_for
from pylightnix.testing.executors import ExecutorContract


class TestContract(ExecutorContract):
    isolations = get_args(Isolation)

    def make(self) -> Executor:
        return ProcessExecutor(slots=2)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    executor = ProcessExecutor(slots=3)
    yield Bench(executor, tmp_path)
    executor.stop()


def family(marker: str) -> list[int]:
    """The processes that have a word in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marker.encode() in (folder / "environ").read_bytes() and processes.is_alive(int(folder.name)):
                found.append(int(folder.name))
    return found


def test_a_killed_worker_fails_only_its_own_run(bench: Bench) -> None:
    doomed_file, other_file = bench.top / "doomed", bench.top / "other"
    doomed = bench.executor.submit(bench.request(processes.sleep, pid_file=doomed_file))
    other = bench.executor.submit(bench.request(sleep_until, pid_file=other_file, end=bench.top / "end"))
    wait_for(lambda: doomed_file.exists() and other_file.exists())
    os.kill(int(doomed_file.read_text()), signal.SIGKILL)
    failure = failure_of(doomed.result(10), "killed")
    assert failure.fields["signal"] == "SIGKILL"
    assert "memory" in failure.hint
    assert not other.done()
    (bench.top / "end").touch()
    assert value_of(other.result(10)) == "woken"
    assert value_of(bench.run(builders.give, value=1)) == 1


def test_a_killed_supervisor_takes_all_with_it(bench: Bench) -> None:
    def kill_parent(pid_file: Path) -> None:
        subprocess.Popen(["sleep", "60"])
        pid_file.write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    pid_file = bench.top / "pid"
    start = time.monotonic()
    failure = failure_of(bench.run(kill_parent, pid_file=pid_file), "killed")
    assert "SIGKILL" in failure.what
    assert time.monotonic() - start < 5
    wait_for(lambda: not processes.is_alive(int(pid_file.read_text())))
    value_of(bench.run(builders.nothing))


def test_what_a_killed_supervisor_leaves_is_ended(bench: Bench) -> None:
    """Also what left group and session, and what forks as fast as it can; and nothing of another run."""

    def leave_and_kill(held: Path) -> None:
        handle = os.open(held, os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)  # for as long as one of them is there
        subprocess.Popen(["sleep", "60"], start_new_session=True, pass_fds=[handle])
        if os.fork() == 0:
            until = time.monotonic() + 20
            while time.monotonic() < until and os.fork() == 0:
                os.setsid()
            os._exit(0)
        time.sleep(0.2)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    other = bench.executor.submit(bench.request(sleep_until, pid_file=bench.top / "other", end=bench.top / "end"))
    wait_for((bench.top / "other").exists)
    failure = failure_of(bench.run(leave_and_kill, held=bench.top / "held"), "killed")
    assert failure.what == "the process that watched over the run was killed by SIGKILL"
    with (bench.top / "held").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not other.done()
    (bench.top / "end").touch()
    assert value_of(other.result(10)) == "woken"


def test_a_noisy_survivor_is_not_listened_to_for_long(bench: Bench) -> None:
    """It left the group and the session, and both who would adopt it are killed: the one that we cannot end."""

    def leave_and_kill(pid_file: Path) -> None:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                pid_file.write_text(str(os.getpid()))
                for _ in range(1000):
                    os.write(1, b"noise\n")
                    time.sleep(0.01)
            os._exit(0)
        wait_for(pid_file.exists)
        supervisor = os.getppid()
        nursery = int(Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(nursery, signal.SIGKILL)
        os.kill(supervisor, signal.SIGKILL)
        time.sleep(60)

    start = time.monotonic()
    failure_of(bench.run(leave_and_kill, pid_file=bench.top / "pid"), "killed")
    assert time.monotonic() - start < 9
    with contextlib.suppress(OSError):
        os.kill(int((bench.top / "pid").read_text()), signal.SIGKILL)


def test_a_result_without_a_watcher_does_not_count(bench: Bench) -> None:
    """What was left killed the supervisor, and may write on; where this is faster, it ends what was left."""
    for _ in range(30):
        result = bench.run(processes.leave_killer_of_parents)
        if result.failure is not None:
            break
        assert result.facts["ended_processes"] == 1
    failure = failure_of(result, "killed")
    assert "the process that watched over the run was killed by SIGKILL" in failure.what
    value_of(bench.run(builders.nothing))


def test_a_builder_that_stops_itself_is_told_of_and_can_go_on(bench: Bench) -> None:
    request = bench.request(processes.stop_itself, heard=bench.top / "heard")
    future = bench.executor.submit(request)
    log = Path(request.log)
    wait_for(lambda: log.exists() and b"\n" in log.read_bytes())
    told = re.fullmatch(
        rf"pylightnix: the process was stopped by signal {signal.SIGSTOP:d}; it goes on after: kill -CONT (\d+)\n",
        log.read_text(),
    )
    assert told
    assert not future.done()
    os.kill(int(told[1]), signal.SIGCONT)
    assert value_of(future.result(10)) == "went on"


def test_a_stopped_builder_hears_when_it_is_to_end(tmp_path: Path) -> None:
    bench = Bench(ProcessExecutor(), tmp_path)
    heard = tmp_path / "heard"
    request = bench.request(processes.stop_itself, heard=heard)
    future = bench.executor.submit(request)
    wait_for(Path(request.log).exists)
    bench.executor.stop()
    assert heard.exists()
    assert failure_of(future.result(0), "killed").fields == {"stopped": True}


def test_slots(bench: Bench) -> None:
    """Three at a time, the fourth when one of them has ended."""
    files = [bench.top / f"file{number}" for number in range(4)]
    end = bench.top / "end"
    futures = [bench.executor.submit(bench.request(sleep_until, pid_file=file, end=end)) for file in files]
    wait_for(lambda: all(file.exists() for file in files[:3]))
    time.sleep(0.2)
    assert not files[3].exists()
    end.touch()
    assert [value_of(future.result(10)) for future in futures] == ["woken"] * 4


def test_cancelled_while_queued(tmp_path: Path) -> None:
    bench = Bench(ProcessExecutor(), tmp_path)
    end = bench.top / "end"
    first = bench.executor.submit(bench.request(sleep_until, pid_file=bench.top / "a", end=end))
    second = bench.executor.submit(bench.request(builders.nothing))
    assert second.cancel()
    end.touch()
    assert value_of(first.result(10)) == "woken"
    assert second.cancelled()
    bench.executor.stop()


@pytest.mark.parametrize("stubborn", [False, True])
def test_stop(tmp_path: Path, stubborn: bool) -> None:
    """SIGTERM ends a run; one that ignores it is killed two seconds later; one that waits never begins."""
    bench = Bench(ProcessExecutor(), tmp_path)
    file = bench.top / "pid"
    running = bench.executor.submit(bench.request(processes.sleep, pid_file=file, stubborn=stubborn))
    waiting = bench.executor.submit(bench.request(builders.nothing))
    wait_for(file.exists)
    start = time.monotonic()
    bench.executor.stop()
    assert (1.9 if stubborn else 0) < time.monotonic() - start < (3.9 if stubborn else 1.9)
    assert not processes.is_alive(int(file.read_text()))
    for future in (running, waiting):
        assert failure_of(future.result(0), "killed").fields == {"stopped": True}
    with pytest.raises(ExecutorError):
        bench.executor.submit(bench.request(builders.nothing))


def test_stop_while_a_run_starts(tmp_path: Path) -> None:
    for pause in (0, 0.01, 0.03, 0.06, 0.1):
        bench = Bench(ProcessExecutor(), tmp_path / str(pause))
        future = bench.executor.submit(bench.request(processes.sleep, pid_file=tmp_path / f"{pause}.pid"))
        time.sleep(pause)
        start = time.monotonic()
        bench.executor.stop()
        assert time.monotonic() - start < 3.9
        assert failure_of(future.result(0), "killed").fields == {"stopped": True}


def test_stop_interrupted_ends_at_once(tmp_path: Path) -> None:
    bench = Bench(ProcessExecutor(), tmp_path)
    file = bench.top / "pid"
    future = bench.executor.submit(bench.request(processes.sleep, pid_file=file, stubborn=True))
    wait_for(file.exists)
    threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bench.executor.stop()
    assert time.monotonic() - start < 1.9
    assert not processes.is_alive(int(file.read_text()))
    assert failure_of(future.result(0), "killed").fields == {"stopped": True}


SCRIPT = """
import os, signal, subprocess, sys, time
from pathlib import Path
from pylightnix.executors import ProcessExecutor
from pylightnix.model.build import BuildRequest

def hide(ready):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    subprocess.Popen(["sleep", "60"], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    ready.touch()
    time.sleep(60)

place = Path(sys.argv[1])
executor = ProcessExecutor(slots=2)
for name in "ab":
    (place / name).mkdir()
    arguments = {"ready": place / f"{name}.ready"}
    executor.submit(BuildRequest("stage", hide, False, arguments, {}, "key", 0, 1, str(place / name),
                                 str(place / "scratch"), str(place / "checkpoint"), str(place / "log")))
while not all((place / f"{name}.ready").exists() for name in "ab"):
    time.sleep(0.01)
print("ready", flush=True)
if sys.argv[2] == "wait":
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT", "exit"])
def test_a_dead_parent_leaves_no_process(tmp_path: Path, how: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    marker = f"PYLIGHTNIX_FAMILY={tmp_path}-{os.getpid()}"
    name, value = marker.split("=")
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), "exit" if how == "exit" else "wait"],
        env={**os.environ, name: value},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        if how != "exit":
            wait_for(lambda: len(family(marker)) >= 9)  # parent; two supervisors, workers, sleeps, daemons
            parent.send_signal(signal.Signals[how])
        parent.wait(10)
    wait_for(lambda: not family(marker), 5)


def test_main_script(tmp_path: Path) -> None:
    """A script's functions, classes and constants are there, its source too, and pickle finds its names."""
    (tmp_path / "beside.py").write_text("FACTOR = 7\n")
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"[42, 'Point(x=3)', 'script.py', '{tmp_path}', 'script.py', 7]"
    assert lines[1].startswith("ZeroDivisionError: ")
    assert "    return 1 // number  # the line" in lines
    assert "in divide" in done.stdout


MAIN = """
import os, pickle, sys
from dataclasses import dataclass
from pathlib import Path
import beside
from pylightnix.executors import ProcessExecutor
from pylightnix.model.build import BuildRequest

@dataclass
class Point:
    x: int

FACTOR = 14
def scale(x): return x * FACTOR

def builder(point, table):
    if not isinstance(point, Point):
        raise TypeError(point)
    table.write_bytes(pickle.dumps(point))
    again = pickle.loads(table.read_bytes())
    main = sys.modules["__main__"]
    return [scale(point.x), repr(again), Path(main.__file__).name, os.getcwd(), sys.argv[0], beside.FACTOR]

def divide(number):
    return 1 // number  # the line

if __name__ == "__main__":
    from pylightnix.model.promises import Promise
    place = Path("place").absolute()
    (place / "out").mkdir(parents=True)
    executor = ProcessExecutor()
    def run(builder, promises, **arguments):
        return executor.submit(BuildRequest("stage", builder, False, arguments, promises, "key", 0, 1,
                               str(place / "out"),
                               str(place / "scratch"), str(place / "checkpoint"), str(place / "log"))).result()
    first = run(builder, {"table": Promise("table")}, point=Point(3))
    print(first.value if first.failure is None else first.failure)
    second = run(divide, {}, number=0).failure
    print(second.what)
    print(second.traceback)
"""


def test_ignored_signals_of_the_parent_are_not_inherited(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(IGNORING)
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[True, True, True, True] None\n"


IGNORING = """
import signal, sys
from pathlib import Path
from pylightnix.executors import ProcessExecutor
from pylightnix.model.build import BuildRequest

for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGCHLD", "SIGUSR1"):
    signal.signal(signal.Signals[name], signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])

def look():
    return [
        all(signal.getsignal(n) == signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)),
        signal.getsignal(signal.SIGINT) == signal.default_int_handler,
        signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
        not signal.pthread_sigmask(signal.SIG_BLOCK, []),
    ]

place = Path(sys.argv[1])
(place / "out").mkdir()
result = ProcessExecutor().submit(BuildRequest("stage", look, False, {}, {}, "key", 0, 1, str(place / "out"),
    str(place / "scratch"), str(place / "checkpoint"), str(place / "log"))).result()
print(result.value, result.failure)
"""


def test_peak_memory_is_of_the_run(bench: Bench) -> None:
    """Neither of this process, nor without the run's own children."""
    here = bytearray(300 * 2**20)
    here[::4096] = b"x" * len(here[::4096])
    small = bench.run(builders.nothing).facts["peak_memory"]
    own = bench.run(use_memory, mebibytes=200, child=False).facts["peak_memory"]
    of_child = bench.run(use_memory, mebibytes=200, child=True).facts["peak_memory"]
    assert small < 100 * 2**20
    assert own > 200 * 2**20
    assert of_child > 200 * 2**20
    assert len(here) == 300 * 2**20


def test_a_thread_left_behind_is_not_waited_for_long(bench: Bench) -> None:
    start = time.monotonic()
    assert value_of(bench.run(processes.leave_thread)) == "done"
    assert time.monotonic() - start < 8


def test_exit_handlers_run(bench: Bench) -> None:
    def register(mark: Path) -> None:
        import atexit

        atexit.register(mark.touch)

    value_of(bench.run(register, mark=bench.top / "mark"))
    assert (bench.top / "mark").exists()


def test_a_crash_after_the_result_does_not_count(bench: Bench) -> None:
    def register() -> str:
        import atexit

        atexit.register(os.abort)
        return "done"

    assert value_of(bench.run(register)) == "done"


def test_the_environment_is_that_of_the_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLIGHTNIX_LEFT", "here")
    monkeypatch.chdir(bench.top)
    seen = value_of(bench.run(builders.surroundings))
    assert (seen["left"], seen["cwd"]) == ("here", str(bench.top))


def test_the_working_directory_is_gone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = bench.top / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert value_of(bench.run(builders.give, value=1)) == 1


def test_a_process_that_does_not_come_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    request = bench.request(builders.nothing)
    failure = failure_of(bench.perform(request), "transport")
    assert "did not come up" in failure.what
    assert Path(request.log).stat().st_size > 0


def test_no_process_can_be_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    failure = failure_of(bench.run(builders.nothing), "transport")
    assert "no process could be started" in failure.what


def test_a_terminal_reaches_none_of_its_processes(bench: Bench) -> None:
    """Neither worker nor supervisor is in this session, so Ctrl-C is ours to pass on."""
    sessions = value_of(bench.run(lambda: [os.getsid(0), os.getsid(os.getppid())]))
    assert os.getsid(0) not in sessions
    assert sessions[0] != sessions[1]


def test_bad_slots() -> None:
    with pytest.raises(ExecutorError, match="0 slots"):
        ProcessExecutor(slots=0)


def test_large_requests_and_values(bench: Bench) -> None:
    text = "ab" * 5_000_000
    assert value_of(bench.run(builders.give, value=text)) == text


def test_progress_is_throttled(bench: Bench) -> None:
    heard: list[float] = []
    start = time.monotonic()
    request = bench.request(advance_slowly, wants_build=True)
    value_of(bench.perform(request, lambda _, done, __: heard.append(done)))
    assert 5 <= len(heard) <= (time.monotonic() - start) * 10 + 2
    assert heard[-1] == 599


def test_descriptors_are_not_inherited(bench: Bench) -> None:
    with open(os.devnull) as stream:
        os.set_inheritable(stream.fileno(), True)
        assert value_of(bench.run(list_descriptors)) <= 3 + 2  # standard ones, events, the listing itself


def test_no_descriptors_leak(bench: Bench) -> None:
    value_of(bench.run(builders.note, TABLE, text="x"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        value_of(bench.run(builders.note, TABLE, text="x"))
    bench.run(processes.die, how="SIGKILL")
    assert len(os.listdir("/proc/self/fd")) == before


def sleep_until(pid_file: Path, end: Path) -> str:
    pid_file.touch()
    while not end.exists():
        time.sleep(0.01)
    return "woken"


def use_memory(mebibytes: int, child: bool) -> None:
    code = f"data = b'x' * ({mebibytes} * 2**20)"
    if child:
        subprocess.run([sys.executable, "-c", code], check=True)
    else:
        exec(code)


def advance_slowly(build: Build) -> None:
    for step in range(600):
        build.progress(step)
        time.sleep(0.001)


def list_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
