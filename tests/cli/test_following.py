"""`log -f` beside a build in another process: what is written comes as it is written, and the end is told."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix.testing.bench import wait_for

SLOW = """
import os, sys, time
from pathlib import Path
from pylightnix import Build, match, stage

def wait_for(path):
    until = time.monotonic() + 30
    while not Path(path).exists():
        if time.monotonic() > until:
            raise TimeoutError(path)
        time.sleep(0.01)

@stage
def talk(place: str, fails: bool = False) -> None:
    print("first words", flush=True)
    Path(place, "begun").touch()
    wait_for(Path(place, "go on"))
    print("a bell \\x07 and last words", flush=True)
    if fails:
        raise ValueError("no more")

@stage
def silent(place: str) -> None:
    Path(place, "begun").touch()
    wait_for(Path(place, "go on"))
"""


class Followed:
    """`pylightnix log -f` in a process of its own, and the lines that it has printed."""

    def __init__(self, cli: Any, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pylightnix", "log", "-f", *args],
            cwd=cli.directory, env=cli.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        cli.followers.append(self.process)
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it told."""
        code = self.process.wait(30)
        self._thread.join(10)
        assert self.process.stderr is not None
        with self.process:
            return code, self.process.stderr.read()


@pytest.fixture
def place(cli: Any) -> Iterator[Path]:
    (cli.directory / "slow.py").write_text(SLOW)
    made: Path = cli.directory / "place"
    made.mkdir()
    cli.followers = []
    yield made
    for process in cli.followers:
        process.kill()


def build(cli: Any, *args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pylightnix", "realize", *args], cwd=cli.directory, env=cli.environ,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_run_is_followed_to_its_good_end(cli: Any, place: Path, executor: str) -> None:
    with build(cli, "slow.py:talk", "--set", f"place={place}", "--executor", executor) as building:
        wait_for((place / "begun").exists)
        followed = Followed(cli, "slow.py:talk", "--set", f"place={place}")
        by_name = Followed(cli, "talk")
        wait_for(lambda: followed.lines == ["first words"] and by_name.lines == ["first words"])
        (place / "go on").touch()
        assert building.wait(30) == 0
    for one in (followed, by_name):
        code, told = one.end()
        assert (code, one.lines) == (0, ["first words", "a bell \\x07 and last words"])
        assert "talk  run 0  is under way" in told


def test_a_run_that_fails_is_told_and_its_code_says_so(cli: Any, place: Path) -> None:
    with build(cli, "slow.py:talk", "--set", f"place={place}", "--set", "fails=true", "-j", "2") as building:
        wait_for((place / "begun").exists)
        followed = Followed(cli, "talk")
        wait_for(lambda: followed.lines)
        (place / "go on").touch()
        assert building.wait(30) == 1
    code, told = followed.end()
    assert code == 1
    assert followed.lines[-1].endswith("last words")
    assert "failed: ValueError: no more" in told
    assert re.search(r"pylightnix show failed/\S+-talk-", told)


def test_a_killed_build_ends_it(cli: Any, place: Path) -> None:
    with build(cli, "slow.py:talk", "--set", f"place={place}") as building:
        wait_for((place / "begun").exists)
        followed = Followed(cli, "talk")
        wait_for(lambda: followed.lines)
        building.kill()
    code, told = followed.end()
    assert code == 1
    assert "the run was ended, and nothing of it was kept" in told


def test_a_run_that_writes_nothing_is_followed_too(cli: Any, place: Path) -> None:
    with build(cli, "slow.py:silent", "--set", f"place={place}") as building:
        wait_for((place / "begun").exists)
        followed = Followed(cli, "silent")
        time.sleep(0.5)
        assert followed.process.poll() is None
        (place / "go on").touch()
        assert building.wait(30) == 0
    assert followed.end()[0] == 0
    assert followed.lines == []


def test_where_nothing_runs_the_newest_log_is_printed(cli: Any, place: Path) -> None:
    (place / "go on").touch()
    done = cli("log", "-f", "talk", code=1)
    assert "nothing of it is running, and nothing of it was made" in done.stderr
    cli("realize", "slow.py:talk", "--set", f"place={place}")
    done = cli("log", "-f", "talk")
    assert done.stdout.splitlines()[0] == "first words"
    assert "nothing of it is running" in done.stderr


def test_lines_and_one_document_do_not_go_together(cli: Any, place: Path) -> None:
    assert "give one of them" in cli("log", "-f", "talk", "--json", code=2).stderr


def test_a_follower_that_goes_away_disturbs_nothing(cli: Any, place: Path) -> None:
    with build(cli, "slow.py:talk", "--set", f"place={place}", "--executor", "process") as building:
        wait_for((place / "begun").exists)
        followed = Followed(cli, "talk")
        wait_for(lambda: followed.lines == ["first words"])
        followed.process.send_signal(signal.SIGINT)
        assert followed.end()[0] == 130
        (place / "go on").touch()
        assert building.wait(30) == 0
