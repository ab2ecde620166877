"""A directory with stages and a store, and the installed command, run as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest

COMMAND = Path(sys.executable).with_name("pylightnix")

STAGES = '''\
"""Stages for the tests of the command line."""

import os
import time
from pathlib import Path

from pylightnix import Build, Dep, Deps, match, promise, stage

print("loading flow.py")


@stage
def numbers(count: int = 3, table: Path = promise("table.txt")) -> None:
    print("counting to", count)
    table.write_text(" ".join(map(str, range(count))))


@stage(matcher=match.best("score", of=2))
def model(build: Build, data: Dep = numbers(), depth: int = 2, weights: Path = promise("deep/weights.bin")) -> dict:
    build.progress(1, 2)
    weights.write_text(f"{build.seed} {depth}")
    return {"score": build.seed % 1000, "name": "m"}


@stage
def report(best: Dep = model(), raw: Dep = numbers(), text: Path = promise("report.txt")) -> None:
    text.write_text(str(best.value))


@stage
def total(parts: Deps = model(depth=5).with_matcher(match.all(of=2))) -> float:
    return float("nan")


@stage
def broken(x: int = 1) -> None:
    print("about to fail")
    raise ValueError("no \\x1b[31mway")


@stage
def slow(build: Build, n: int = 1) -> None:
    (build.out / "begun").write_text("x")
    for done in range(300):
        build.progress(done, 300)
        time.sleep(0.1)


def both():
    return {"small": numbers(count=1), "list": [numbers(), numbers(count=2)]}


def sized(count, extra=0):
    return numbers(count=count + extra)


def nothing():
    return 3


class Group:
    inner = numbers


few = numbers(count=4)
all_models = model().with_matcher(match.all(of=2))
number = 5

if __name__ == "__main__":
    raise SystemExit("the main part ran")
'''


class Cli:
    """Runs `pylightnix` in a directory, with a store of its own."""

    def __init__(self, directory: Path, caches: Path) -> None:
        self.command = COMMAND
        self.directory = directory
        self.store = directory / "store"
        self.environ = {
            **os.environ,
            "PYLIGHTNIX_STORE": str(self.store),
            "HOME": str(directory),
            "XDG_DATA_HOME": str(directory / "data"),
            # Without these every process would compile what has changed.
            "PYTHONPYCACHEPREFIX": str(caches),
        }
        for name in ("PYTHONDONTWRITEBYTECODE", "NO_COLOR", "PYLIGHTNIX_TRACEBACK", "FORCE_COLOR"):
            self.environ.pop(name, None)

    def __call__(
        self, *args: str | Path, code: int | None = 0, environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; the exit code is checked unless it is None."""
        done = subprocess.run(
            [COMMAND, *args],
            cwd=cwd or self.directory,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
        assert code is None or done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        if "PYLIGHTNIX_TRACEBACK" not in (environ or {}):
            assert "/pylightnix/cli/" not in done.stderr, "a traceback of ours"
        return done

    def json(self, *args: str | Path, code: int | None = 0) -> Any:
        """The one document that a command prints."""
        return json.loads(self(*args, "--json", code=code).stdout)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line of bash in which `pylightnix` is the command."""
        path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.directory,
            env={**self.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def terminal(self, *args: str, environ: Mapping[str, str] | None = None) -> pexpect.spawn[str]:
        """The command at a terminal."""
        return pexpect.spawn(
            str(COMMAND),
            list(args),
            cwd=str(self.directory),
            env={**self.environ, "TERM": "xterm", **(environ or {})},
            dimensions=(24, 100),
            encoding="utf-8",
            timeout=30,
        )


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


def make(directory: Path, caches: Path) -> Cli:
    (directory / "flow.py").write_text(STAGES)
    return Cli(directory, caches)


@pytest.fixture
def cli(tmp_path: Path, caches: Path) -> Cli:
    """A directory with `flow.py` and a store that is not there yet."""
    return make(tmp_path, caches)


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory, caches: Path) -> Cli:
    """A directory in which `report` is realized; for tests that only look."""
    made = make(tmp_path_factory.mktemp("full"), caches)
    made("realize", "flow.py:report")
    made("realize", "flow.py:broken", code=1)
    return made
