"""Stages whose builders do all that a builder may do with files, and tell outside of the store that they ran.

Unaware of faults. What they make follows from their arguments alone, but for `lucky`.
"""

from __future__ import annotations

import os
from pathlib import Path

from pylightnix import Build, Dep, Store, match, promise, realize, stage

LEDGER = "PYLIGHTNIX_FAULTS_LEDGER"
"""The environment variable with the file into which builders write their names; they write none without it."""

SECRET = "PYLIGHTNIX_FAULTS_SECRET"
"""The environment variable with what no file may have."""

STAGES = ("data", "model", "report", "lucky", "failing", "drawn", "using", "discreet")
"""The names of all."""


def _tell(name: str) -> None:
    path = os.environ.get(LEDGER)
    if path:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{name}\n".encode())
        os.close(handle)


def _fill(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "deep" / "tool").write_text("#!/bin/sh\n")
    (folder / "deep" / "tool").chmod(0o755)
    (folder / "link").symlink_to("deep/a.txt")


@stage(code="ignore")
def data(folder: Path = promise("table", kind="directory")) -> None:
    """A directory, a link, a program."""
    _tell("data")
    _fill(folder)


@stage(code="ignore", version="other", name="data")
def same_data(folder: Path = promise("table", kind="directory")) -> None:
    """The same by other code."""
    _tell("data")
    _fill(folder)


@stage(code="ignore", matcher=match.best("score", of=2))
def model(build: Build, source: Dep = data(), out: Path = promise("out.txt")) -> dict[str, int]:
    """Two equal runs, with a log, a scratch directory and a checkpoint."""
    _tell("model")
    print("a line for the log")
    (build.scratch / "x").write_text("x")
    (build.checkpoint / "x").write_text("x")
    out.write_text((source.folder / "link").read_text())
    return {"score": 1}


@stage(code="ignore")
def report(best: Dep = model(), out: Path = promise("out.txt")) -> int:
    """What uses the choice."""
    _tell("report")
    out.write_text(f"{best.value} {best.out.read_text()}")
    return 7


@stage(code="ignore", matcher=match.best("seed", of=3))
def lucky(build: Build, out: Path = promise("out.txt")) -> dict[str, int]:
    """Three runs that differ."""
    _tell("lucky")
    out.write_text(str(build.seed))
    return {"seed": build.seed}


@stage(code="ignore")
def failing(build: Build, out: Path = promise("out.txt")) -> None:
    """A run that leaves much, and fails."""
    print("a line for the log")
    (build.scratch / "x").write_text("x")
    (build.checkpoint / "x").write_text("x")
    out.write_text("half")
    raise ValueError("on purpose")


@stage(code="ignore", secrets=[SECRET])
def discreet(build: Build, out: Path = promise("out.txt")) -> None:
    """A secret in the log, and where nobody gets it."""
    _tell("discreet")
    print("it is", os.environ[SECRET])
    (build.scratch / "x").write_text(os.environ[SECRET])
    (build.checkpoint / "x").write_text(os.environ[SECRET])
    out.write_text("nothing")


@stage(code="ignore", secrets=[SECRET])
def telling(build: Build, out: Path = promise("out.txt")) -> None:
    """A secret in all that a run leaves; so it fails."""
    print("it is", os.environ[SECRET])
    for place in (build.out, build.scratch, build.checkpoint):
        (place / "deep").mkdir(exist_ok=True)
        (place / "deep" / "x").write_text(os.environ[SECRET])
    out.write_text(os.environ[SECRET])


@stage(code="ignore")
def drawn(build: Build, out: Path = promise("out.txt")) -> dict[str, int]:
    """The first run differs from all others, and these are equal, whatever indices they get."""
    _tell("drawn")
    out.write_text("later" if build.run else "first")
    return {"later": int(build.run > 0)}


@stage(code="ignore")
def using(source: Dep = drawn(), out: Path = promise("out.txt")) -> None:
    """One derivation, and a key for each result that it can be given."""
    _tell("using")
    out.write_text(source.out.read_text())


def build_data(store: Store) -> object:
    """Only what all begins with."""
    return realize(data(), store=store, quiet=True)


def build_all(store: Store) -> object:
    """From nothing to a report."""
    return realize(report(), store=store, quiet=True)
