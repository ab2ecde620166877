"""The inline executor keeps the contract, costs little, and is easy to debug."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pytest

from pylightnix.executors import InlineExecutor
from pylightnix.model.build import Build, Executor
from pylightnix.model.promises import Promise
from pylightnix.testing import builders
from pylightnix.testing.bench import Bench, value_of
from pylightnix.testing.executors import ExecutorContract

SCRIPT = """
import sys
from pathlib import Path
from pylightnix.executors import InlineExecutor
from pylightnix.model.build import BuildRequest

def builder(number):
    print("before")
    breakpoint()
    print("after", number, input("name? "))
    return number

place = Path(sys.argv[1])
(place / "out").mkdir()
request = BuildRequest("stage", builder, False, {"number": 6}, {}, "key", 0, 1, str(place / "out"),
                       str(place / "scratch"), str(place / "checkpoint"), str(place / "log"))
result = InlineExecutor().submit(request).result()
print("result", result.value, result.failure)
"""

FORKING = """
import os, sys
from pathlib import Path
from pylightnix.executors import InlineExecutor
from pylightnix.testing import processes
from pylightnix.testing.bench import Bench

print("begun")
result = Bench(InlineExecutor(), Path(sys.argv[1])).run(getattr(processes, sys.argv[2]))
print(result.value, result.failure, os.wait()[1], flush=True)
"""


class TestContract(ExecutorContract):
    own_process = False
    has_error = True

    def make(self) -> Executor:
        return InlineExecutor()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(InlineExecutor(), tmp_path)


def test_debugger_at_a_terminal(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    terminal = pexpect.spawn(sys.executable, [str(script), str(tmp_path)], encoding="utf-8", timeout=20)
    terminal.expect_exact("(Pdb) ")
    assert "before" in terminal.before
    terminal.sendline("p 1+1")
    terminal.expect(r"\n2\r\n")
    terminal.expect_exact("(Pdb) ")
    terminal.sendline("number = number + 1")
    terminal.expect_exact("(Pdb) ")
    if importlib.util.find_spec("readline"):  # the cursor goes back and mends a word, as without us
        terminal.send("p nuber\x1b[D\x1b[D\x1b[Dm\n")
        terminal.expect(r"\n7\r\n")
        terminal.expect_exact("(Pdb) ")
    terminal.sendline("c")
    terminal.expect_exact("name? ")
    terminal.sendline("Ada")
    terminal.expect_exact("after 7 Ada")
    terminal.expect_exact("result 7 None")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert "before\n" in (tmp_path / "log").read_text()


def test_error_is_the_exception(bench: Bench) -> None:
    error = bench.run(builders.fail, how="unpicklable").error
    assert isinstance(error, builders.TwoPartError)


def test_interrupt_passes_and_everything_is_restored(bench: Bench) -> None:
    before, streams = builders.surroundings(), (sys.stdout, sys.stderr)

    def interrupted() -> None:
        print("before")
        builders.change_process()
        signal.raise_signal(signal.SIGINT)

    request = bench.request(interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.perform(request)
    assert builders.surroundings() == before
    assert (sys.stdout, sys.stderr) == streams
    assert Path(request.log).read_text() == "before\n"


def test_a_builder_may_use_signals_and_the_process_has_its_own_again(bench: Bench) -> None:
    """A handler of Ctrl-C, say, so that a training ends early; and one of the process that is none of Python's."""
    heard: list[int] = []
    mine = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))

    def builder() -> int:
        inner: list[int] = []
        signal.signal(signal.SIGINT, lambda number, _: inner.append(number))
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.raise_signal(signal.SIGINT)
        return len(inner)

    try:
        assert value_of(bench.run(builder)) == 1
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, mine)
    assert heard == [signal.SIGINT]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_an_alarm_of_the_process_is_left_alone(bench: Bench) -> None:
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        value_of(bench.run(builders.nothing))
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_interrupt_in_a_check_passes(bench: Bench) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(builders.note, {"table": Promise("table.txt", check=interrupted)}, text="x")


def test_prints_are_shown_on_standard_error(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    value_of(bench.run(builders.write_logs, wants_build=True))
    shown = capsys.readouterr()
    assert shown.out == ""
    for part in ("on standard output\n", "on standard error\n", "to the logger\n", "bytes"):
        assert part in shown.err


def test_what_the_listener_prints_is_not_the_builders(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    request = bench.request(builders.advance, wants_build=True, steps=2)
    value_of(bench.perform(request, lambda _, done, total: print(f"{done} of {total}")))
    assert capsys.readouterr().out == "0 of 2\n1 of 2\n2 of 2\n"
    assert not Path(request.log).exists()


def test_a_run_in_a_run(bench: Bench) -> None:
    inner = bench.request(builders.write_logs, wants_build=True)

    def outer(build: Build) -> str:
        print("one")
        bench.perform(inner)
        print("two")
        return os.getcwd()

    request = bench.request(outer, wants_build=True)
    assert value_of(bench.perform(request)) == os.getcwd()
    assert Path(request.log).read_text().startswith("one\n")
    assert Path(request.log).read_text().endswith("two\n")
    assert b"on standard output" in Path(inner.log).read_bytes()


def test_a_kept_stream_stays_usable_and_leaves_the_log_alone(bench: Bench) -> None:
    kept: list[io.TextIOBase] = []

    def keep() -> None:
        kept.append(sys.stdout)  # type: ignore[arg-type]
        print("during")

    request = bench.request(keep)
    value_of(bench.perform(request))
    kept[0].write("afterwards\n")
    kept[0].flush()
    assert Path(request.log).read_text() == "during\n"


def test_runs_of_threads_take_turns(bench: Bench) -> None:
    """Each changes directory and environment, and none sees another do so."""
    before, streams = builders.surroundings(), (sys.stdout, sys.stderr)

    def change(number: int) -> list[str]:
        os.chdir(bench.top)
        os.environ["PYLIGHTNIX_LEFT"] = str(number)
        print(number)
        time.sleep(0.01)
        return [os.environ["PYLIGHTNIX_LEFT"], os.getcwd()]

    requests = [bench.request(change, number=number) for number in range(8)]
    values: dict[int, list[str]] = {}
    threads = [
        threading.Thread(target=lambda r=request: values.update({r.arguments["number"]: value_of(bench.perform(r))}))
        for request in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == {number: [str(number), str(bench.top)] for number in range(8)}
    assert [Path(request.log).read_text() for request in requests] == [f"{number}\n" for number in range(8)]
    assert builders.surroundings() == before
    assert (sys.stdout, sys.stderr) == streams


def test_what_was_printed_is_shown_when_the_run_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where a stream of the user's holds lines back."""
    shown = tmp_path / "shown"
    with shown.open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        value_of(bench.perform(bench.request(print, sep=" and ")))
        assert shown.read_text() == "\n"


def test_a_stream_of_the_users_may_be_anything_that_can_be_written_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shown:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

    shown = Shown()
    monkeypatch.setattr(sys, "stderr", shown)
    request = bench.request(print, end="said")
    value_of(bench.perform(request))
    assert shown.text == "said"
    assert Path(request.log).read_text() == "said"


def test_no_standard_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    request = bench.request(builders.write_logs, wants_build=True)
    value_of(bench.perform(request))
    assert b"on standard error" in Path(request.log).read_bytes()


def test_overhead(bench: Bench) -> None:
    """Against a loop of Python in the same moments: alone on a machine, a run costs about one and a half."""
    request = bench.request(builders.nothing)
    bench.perform(request)
    runs, floors = [], []
    for _ in range(30):
        runs.append(_seconds(lambda: bench.perform(request)))
        floors.append(_seconds(lambda: sum(number for number in range(1_000))))
    assert min(runs) < 4 * min(floors)


def _seconds(act: Callable[[], object]) -> float:
    """Of the processor: others may have the machine meanwhile."""
    start = time.process_time()
    for _ in range(50):
        act()
    return (time.process_time() - start) / 50


def test_import_is_light() -> None:
    code = textwrap.dedent("""
        import sys, pylightnix
        before = set(sys.modules)
        import pylightnix.executors.inline, pylightnix.executors.process
        pylightnix.executors.ProcessExecutor(), pylightnix.executors.InlineExecutor()
        heavy = {"cloudpickle", "subprocess", "multiprocessing", "selectors", "ctypes", "traceback"}
        print(sorted(heavy & (set(sys.modules) - before)))
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("builder", ["return_twice", "raise_in_copy"])
def test_a_copy_of_this_process_ends_with_the_builder(tmp_path: Path, builder: str) -> None:
    """In a script, since without that it goes on with whatever its parent does."""
    run = subprocess.run([sys.executable, "-c", FORKING, str(tmp_path), builder], capture_output=True, check=False)
    assert run.stdout.splitlines() == [b"begun", b"parent None 0"]
