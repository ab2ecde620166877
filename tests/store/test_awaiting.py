"""Who waits for a lock is told for whom: the process that has it, and not those who wait as well, or nobody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pylightnix.model.claiming import Holder
from pylightnix.store import awaiting
from pylightnix.store.awaiting import Awaited, holders_of, present, say
from pylightnix.store.claims import host_name
from pylightnix.store.locks import take
from pylightnix.testing.bench import wait_for

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="needs a system that says who has a lock")

HOLDER = """
import sys
from pylightnix.store.locks import take
lock = take(sys.argv[1], exclusive=sys.argv[2] == "exclusive")
print("held", flush=True)
sys.stdin.read(1)
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)

    def begin(path: Path, how: str = "exclusive", *, heard: bool = True) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(script), str(path), how, "https://name:secret@host/"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        if heard:
            assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["exclusive", "shared"])
def test_the_system_says_who_has_a_lock(tmp_path: Path, hold: Callable[..., subprocess.Popen[str]], how: str) -> None:
    path = tmp_path / "lock"
    assert holders_of(str(path)) == []
    before = time.time()
    holder = hold(path, how)
    hold(path, "exclusive", heard=False)  # waits, and has nothing
    (found,) = holders_of(str(path))
    assert found[:3] == (host_name(), holder.pid, f"{os.path.basename(sys.executable)} holder.py")
    assert abs(datetime.fromisoformat(found.since).timestamp() - before) < 30
    assert datetime.fromisoformat(found.since).tzinfo is UTC


def test_another_file_of_the_same_name_is_not_it(tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]) -> None:
    hold(tmp_path / "lock")
    (tmp_path / "other").touch()
    assert holders_of(str(tmp_path / "other")) == []


def test_who_waits_is_told_once(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "PATIENCE", 0.05)
    told: list[str] = []
    (tmp_path / "locks").mkdir()
    path = tmp_path / "locks" / "gate.lock"
    waiting = Awaited(str(path), str(path.parent), told.append)
    for _ in range(2):  # another lock of the same process, and the same file
        holder = hold(path)
        with waiting():
            wait_for(lambda: told)
            time.sleep(0.1)
        (line,) = told
        form = re.fullmatch(r"wait     (.*)  is being used by process (\d+) on (\S+) since (\S+) \((.*)\)", line)
        assert form is not None, line
        assert form[1] == str(tmp_path)
        assert int(form[2]) == holder.pid
        assert "secret" not in line
        with waiting():
            time.sleep(0.2)
        assert told == [line]
        told.clear()
        holder.kill()
        holder.communicate()


def test_who_waits_for_a_moment_is_told_nothing(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "PATIENCE", 30.0)  # a machine may be busy
    told: list[str] = []
    path = tmp_path / "lock"
    holder = hold(path)
    assert holder.stdin is not None
    holder.stdin.write("x")
    holder.stdin.flush()
    lock = take(str(path), waiting=Awaited(str(path), str(tmp_path), told.append))
    assert lock is not None
    lock.release()
    assert told == []


def test_those_of_other_machines_may_be_it(tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]) -> None:
    held = tmp_path / "held"
    held.mkdir()
    hold(held / "elsewhere@7-0123456789ab.lock")
    hold(held / f"{host_name()}@8-0123456789ab.lock")
    (held / "dead@9-0123456789ab.lock").touch()
    (found,) = present(str(tmp_path))
    assert found[:3] == ("elsewhere", 7, "")
    told: list[str] = []
    Awaited(str(tmp_path / "gate.lock"), str(tmp_path), told.append)._look()
    assert told == [f"wait     {tmp_path.parent}  is being used by {found}"]
    assert isinstance(found, Holder)


def test_somebody_whom_nothing_shows_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    waiting = Awaited(str(tmp_path / "gate.lock"), str(tmp_path), told.append)
    waiting._look()
    waiting._look()
    assert told == [f"wait     {tmp_path.parent}  is being used by a process that this machine does not show"]


def test_a_line_is_safe_and_a_closed_stream_does_not_matter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    say("a\x1b[31m")
    assert capsys.readouterr().err == "a\\x1b[31m\n"
    monkeypatch.setattr(sys, "stderr", None)
    say("a")
