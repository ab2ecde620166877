"""Builders for the contract suite of executors, good ones and bad ones. Unaware of tests: a worker imports no pytest.

Each takes the arguments and promised paths that its parameters name.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from pylightnix.model.build import Build

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)


def note(text: str, table: Path) -> str:
    """Keep a text, and return it."""
    table.write_text(text)
    return text


def nothing() -> None:
    """Do nothing."""


def give(value: object) -> object:
    """Return what it is given."""
    return value


def no_files(_: Path) -> tuple[str, ...]:
    """Stands for the listing of an input's files."""
    return ()


def look_at(one: Any, many: tuple[Any, ...], path: Path, nested: dict[str, list[Any]]) -> list[Any]:
    """Use inputs where they stand."""
    inner = nested["deep"][0]
    return [str(one.table), one.depth, one.value["score"], len(many), str(path), str(inner.path), list(inner.files)]


def fill_both(deep: Path, folder: Path) -> None:
    """Write a file below a parent, and one into a directory, that must exist."""
    deep.write_text("content")
    (folder / "f.txt").write_text("content")


def fill_second(table: Path, second: Path, third: Path) -> None:
    """Keep one of three promises."""
    second.write_text(f"{table.name} {third.name}")


def surroundings() -> dict[str, Any]:
    """Tell what a builder before this one may have changed."""
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "cwd": os.getcwd(),
        "umask": umask,
        "left": os.environ.get("PYLIGHTNIX_LEFT"),
        "home": os.environ["HOME"],
        "handlers": [repr(signal.getsignal(number)) for number in _SIGNALS],
        "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))),
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0],
    }


def about(build: Build) -> list[Any]:
    """Tell what the build says of itself."""
    return [str(build.out), build.seed, build.run]


def ask_for_directories(build: Build, table: Path) -> None:
    """Use scratch and checkpoint."""
    (build.scratch / "a").write_text("scratch")
    mark = build.checkpoint / "mark"
    table.write_text(mark.read_text() if mark.exists() else "first")
    mark.write_text("second")


def write_logs(build: Build) -> None:
    """Say something in every way that Python has."""
    print("on standard output")
    print("on standard error", file=sys.stderr)
    build.log.debug("to the logger")
    sys.stdout.buffer.write(b"bytes \xff\xfe\n")
    sys.stdout.flush()
    print("a lone surrogate \udcff")


def advance(build: Build, steps: int) -> None:
    """Tell of progress, a lot."""
    for step in range(steps + 1):
        build.progress(step, steps)


def write_much(mebibytes: int) -> None:
    """Fill the log."""
    chunk = "x" * 2**20
    print("the first line")
    for _ in range(mebibytes):
        sys.stdout.write(chunk)
    print("\nthe last line")


def put(kind: str, target: str, table: Path) -> None:
    """Make something other than a file with content where the promise is."""
    match kind:
        case "nothing":
            (table.parent / "other.txt").write_text("here")
        case "empty":
            table.touch()
        case "directory":
            table.mkdir(exist_ok=True)
        case "link":
            (table.parent / "real.txt").write_text("real")
            table.symlink_to(target)
        case "fifo":
            os.mkfifo(table)
        case "parent":
            elsewhere = table.parent.parent.parent / "elsewhere"
            elsewhere.mkdir()
            table.parent.rmdir()
            table.parent.symlink_to(elsewhere)
            table.write_text("outside")
        case "file":
            table.write_text("content")
        case _:
            raise ValueError(kind)


def replace_out(build: Build, by: str) -> None:
    """Remove the output directory, and perhaps put something else there."""
    shutil.rmtree(build.out)
    if by == "link":
        elsewhere = build.out.parent / "elsewhere"
        elsewhere.mkdir()
        build.out.symlink_to(elsewhere)
    elif by == "file":
        build.out.write_text("no directory")


def check_json(path: Path) -> bool:
    """A check that says yes or no."""
    return path.read_text().startswith("{")


def check_by_raising(path: Path) -> None:
    """A check that raises."""
    json.loads(path.read_text())


class TwoPartError(Exception):
    """Cannot be unpickled, because its arguments are not those of `__init__`."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")
        self.lock = threading.Lock()


class SilentError(Exception):
    """Raises when it is asked for its text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def fail(how: str) -> None:  # noqa: C901
    """Raise."""
    match how:
        case "plain":
            raise ValueError("this is the text")
        case "caused":
            try:
                int("x")
            except ValueError as error:
                raise RuntimeError("the second") from error
        case "exit":
            raise SystemExit(0)
        case "unpicklable":
            raise TwoPartError("one", "two")
        case "silent":
            raise SilentError
        case "long":
            raise ValueError("y" * 10_000_000)
        case "deep":
            fail(how)
        case "group":
            raise ExceptionGroup("many", [ValueError("a"), TypeError("b")])
        case "base":
            raise BaseException("no Exception")
        case "surrogate":
            raise ValueError("\udcff")


def change_process() -> None:
    """Change what belongs to the whole process."""
    os.chdir("/")
    os.environ["PYLIGHTNIX_LEFT"] = "left"
    os.environ["HOME"] = "/nowhere"
    os.umask(0o007)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.alarm(60)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    sys.stdout = sys.stderr = None


def remove_cwd(where: Path) -> None:
    """Go to a directory and remove it."""
    os.chdir(where)
    where.rmdir()
