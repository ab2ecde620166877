"""Ctrl-C and SIGTERM, once and twice, and what is left of a command that was ended so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pylightnix.cli.commands import pylightnix
from pylightnix.cli.ending import run
from pylightnix.testing.bench import wait_for

DEAF = '''
import os, signal, time
from pathlib import Path
from pylightnix import promise, stage

HERE = Path(__file__).parent

@stage(code="ignore")
def deaf(n: int = 0, out: Path = promise("out.txt")) -> None:
    """Goes on whatever it is asked, and says when it was."""
    def hear(*_: object) -> None:
        (HERE / "asked").touch()

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hear)
    (HERE / f"begun{n}").write_text(str(os.getpid()))
    while not (HERE / "go").exists():
        time.sleep(0.01)
    out.write_text("made")

@stage(code="ignore")
def swallows(out: Path = promise("out.txt")) -> None:
    goes_on = True
    while goes_on:
        try:  # around all that it does: the signal comes whenever it comes
            (HERE / "begun0").write_text(str(os.getpid()))
            while not (HERE / "go").exists():
                time.sleep(0.01)
            goes_on = False
        except KeyboardInterrupt:
            (HERE / "asked").touch()
    out.write_text("made")

@stage(code="ignore")
def polite(n: int = 0, out: Path = promise("out.txt")) -> None:
    (HERE / f"begun{n}").write_text(str(os.getpid()))
    while not (HERE / "go").exists():
        time.sleep(0.01)
    out.write_text("made")

def three():
    return [polite(n=n) for n in range(3)]
'''


@pytest.fixture
def start(cli: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    (cli.directory / "deaf.py").write_text(DEAF)
    started: list[subprocess.Popen[str]] = []

    def begin(*args: str, before: str = "", begun: int = 1) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["sh", "-c", f'{before} exec "$@"', "sh", cli.command, "realize", *args],
            cwd=cli.directory, env=cli.environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        files = [cli.directory / f"begun{n}" for n in range(begun)]
        wait_for(lambda: all(file.exists() and file.read_text() for file in files))
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("case", ["swallows --executor=inline", "deaf --executor=process"])
def test_twice_is_at_once(cli: Any, start: Any, case: str, how: signal.Signals) -> None:
    """Whatever the builder does about it; and the next one finds everything as if nothing had been."""
    name, executor = case.split()
    running = start(f"deaf.py:{name}", executor)
    running.send_signal(how)
    wait_for((cli.directory / "asked").exists)
    assert running.poll() is None
    running.send_signal(how)
    told = running.communicate(timeout=30)[1]
    assert running.returncode == 130
    assert "interrupted again: ended at once" in told
    assert "Traceback" not in told
    wait_for(lambda: gone(int((cli.directory / "begun0").read_text())))
    (cli.directory / "go").touch()
    assert "1 run," in cli("realize", f"deaf.py:{name}", executor).stderr
    assert "no damage" in cli("verify").stderr


LATE = """
import atexit, os, signal, sys, time
from pathlib import Path
from pylightnix import stage

HERE = Path(__file__).parent

class Late:
    begun, go = str(HERE / "ending"), str(HERE / "end")

    def __del__(self, exists=os.path.exists, open=open, sleep=time.sleep) -> None:
        open(self.begun, "w").close()
        while not exists(self.go):
            sleep(0.01)

late = Late()
if os.environ["WHEN"] == "modules":
    sys.late = late  # taken apart when Python has no handlers any more
else:
    atexit.register(late.__del__)

@stage(code="ignore")
def waits() -> None:
    (HERE / "begun0").write_text("begun")
    time.sleep(60 if os.environ["STATUS"] == "130" else 0)
"""


@pytest.mark.parametrize(("status", "when"), [(0, "modules"), (0, "atexit"), (130, "modules")])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_what_comes_at_the_very_end_changes_nothing(
    cli: Any, start: Any, how: signal.Signals, status: int, when: str
) -> None:
    """It was ended by the signal if that came after all was done; with Dask that takes a tenth of a second."""
    (cli.directory / "late.py").write_text(LATE)
    cli.environ |= {"STATUS": str(status), "WHEN": when}
    running = start("late.py:waits", "--executor=inline")
    if status:
        running.send_signal(how)
    wait_for((cli.directory / "ending").exists)
    running.send_signal(how)
    (cli.directory / "end").touch()
    told = running.communicate(timeout=30)[1]
    assert running.returncode == status
    assert "Traceback" not in told


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_once_nothing_new_starts_and_all_is_given_back(cli: Any, start: Any, how: signal.Signals) -> None:
    running = start("deaf.py:three", "-j", "2", begun=2)
    running.send_signal(how)
    out, told = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert told.splitlines()[-1] == "interrupted: what was finished is kept"
    assert not (cli.directory / "begun2").exists()
    for n in range(2):
        assert gone(int((cli.directory / f"begun{n}").read_text()))
    assert list((cli.store / "tmp").iterdir()) == []
    assert {file.name for file in cli.store.glob("locks/*/*")} <= {"key.lock"}


def test_what_is_ignored_stays_ignored(cli: Any, start: Any) -> None:
    """A job in the background is not ended by the Ctrl-C that is meant for another one."""
    running = start("deaf.py:polite", "--executor=inline", before='trap "" INT;')
    running.send_signal(signal.SIGINT)
    (cli.directory / "go").touch()
    assert running.communicate(timeout=30)[0].count("\n") == 1
    assert running.returncode == 0


def test_the_reader_of_what_is_told_may_go(cli: Any) -> None:
    done = cli.shell("pylightnix realize flow.py:report 2>&1 >/dev/null | head -1; echo ${PIPESTATUS[0]}")
    assert done.stdout == "loading flow.py\n0\n"
    assert done.stderr == ""
    assert "0 runs" in cli("realize", "flow.py:report").stderr


def test_a_program_whose_reader_goes_realizes_on(cli: Any) -> None:
    (cli.directory / "program.py").write_text(
        "import sys, pylightnix\nfrom flow import numbers\n"
        "for n in range(15):\n    pylightnix.realize(numbers(count=n + 1))\n"
    )
    python = cli.command.with_name("python")
    done = cli.shell(f"{python} program.py 2>&1 >/dev/null | head -1; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == ["0"]
    assert len(cli.json("ls", "numbers")["realizations"]) == 15


GATE = """
import sys
from pylightnix.store.locks import take
lock = take(sys.argv[1], exclusive=sys.argv[2] == "exclusive")
print("held", flush=True)
sys.stdin.read(1)
"""


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="needs a system that says who has a lock")
@pytest.mark.parametrize(
    ("command", "how"),
    [
        (("gc", "--unreachable"), "shared"),
        (("gc",), "exclusive"),
        (("gc", "--restore", "REF"), "exclusive"),
        (("remove", "REF"), "shared"),
        (("root", "paper", "REF"), "exclusive"),
        (("realize", "flow.py:numbers"), "exclusive"),
    ],
    ids=["gc", "scopes", "restore", "remove", "root", "realize"],
)
def test_who_waits_for_a_collection_is_told_for_whom_and_can_be_ended(
    cli: Any, command: tuple[str, ...], how: str
) -> None:
    ref = cli("realize", "flow.py:numbers").stdout.split()[0]
    if "--restore" in command:
        cli("remove", "--force", ref)
    gate = cli.store / "locks" / "collect.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", GATE, str(gate), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said = cli.directory / "said"
    with said.open("wb") as file:
        waiter = subprocess.Popen(
            [cli.command, *(ref if word == "REF" else word for word in command)],
            cwd=cli.directory, env=cli.environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file,
        )  # fmt: skip
    try:
        wait_for(lambda: "is being used by" in said.read_text(), 20)
        waiter.send_signal(signal.SIGINT)
        assert waiter.wait(10) == 130
        lines = [line for line in said.read_text().splitlines() if line.startswith("wait ")]
        (line,) = lines
        assert f"  is being used by process {holder.pid} on " in line
        assert f" since {datetime.now(UTC).year}-" in line
        assert "interrupted" in said.read_text()
    finally:
        for process in (holder, waiter):
            process.kill()
            process.communicate()


def test_signals_are_the_callers_again_where_a_command_is_called_in_its_process(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run(pylightnix, ["init", "--store", str(tmp_path / "s")]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("module", ["pylightnix.cli.commands", "click", "pylightnix.cli.ending"])
@pytest.mark.parametrize("how", ["command", "module"])
def test_interrupted_while_it_is_imported_it_ends_as_later(cli: Any, tmp_path: Path, module: str, how: str) -> None:
    """The first import of something interrupts, as somebody would who is quick."""
    (tmp_path / "sitecustomize.py").write_text(f"""
import os, signal, sys

class Interrupts:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
""")
    command = [cli.command] if how == "command" else [sys.executable, "-m", "pylightnix"]
    path = os.pathsep.join([str(tmp_path), cli.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, "ls"], cwd=cli.directory, env={**cli.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


IN_A_CLASS = """
class A:
    class D:
        def __set_name__(self, *_):
            {}
    d = D()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("loads", [IN_A_CLASS, 'exec("""{}""")'], ids=["in a class", "in a text"])
def test_whatever_python_makes_of_an_interruption_it_is_one(cli: Any, loads: str, number: int) -> None:
    text = loads.format(f"os.kill(os.getpid(), {int(number)})")
    (cli.directory / "quick.py").write_text(f"import os\n{text}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pylightnix", "realize", "quick.py:x"], cwd=cli.directory, env=cli.environ,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted: what was finished is kept\n")


def test_little_is_imported_before_it_hears(cli: Any) -> None:
    script = """if True:
        import os, sys
        os._exit = lambda code: print(code, *sorted({*sys.modules} - before))
        before = set(sys.modules)
        from pylightnix.cli import _end_when_interrupted
        _end_when_interrupted()
        os.kill(os.getpid(), 2)
    """
    done = subprocess.run([sys.executable, "-c", script], env=cli.environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["130", "__future__", "pylightnix", "pylightnix.cli"]
