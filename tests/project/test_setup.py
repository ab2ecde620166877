"""`scripts/setup.sh` says in its first line what is missing. It stops before anything is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# What a Python answers to the questions of the script: its version, whether that is new enough, whether it has venv.
STAND_IN = """#!/bin/sh
case "$2" in
*platform*) echo {version};;
*sys.exit*) exit {old};;
*ensurepip*) exit {lame};;
*python%d*) echo python{minor}-venv;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory of programs without any Python."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "mktemp", "rm", "grep", "tail"):
        found = shutil.which(name)
        assert found is not None
        (directory / name).symlink_to(found)
    return directory


def put(tools: Path, name: str, version: str, *, old: bool = False, lame: bool = False) -> None:
    minor = ".".join(version.split(".")[:2])
    (tools / name).write_text(STAND_IN.format(version=version, old=int(old), lame=int(lame), minor=minor))
    (tools / name).chmod(0o755)


def said(tools: Path, tmp_path: Path, python: str = "") -> list[str]:
    done = subprocess.run(
        [tools / "sh", PROJECT / "scripts" / "setup.sh", tmp_path / "venv"],
        env={"PATH": str(tools), "PYTHON": python, "TMPDIR": os.environ.get("TMPDIR", "/tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert not (tmp_path / "venv").exists()
    return done.stdout.splitlines()


def test_no_python(tools: Path, tmp_path: Path) -> None:
    assert said(tools, tmp_path)[0].startswith("Install Python 3.11 or newer with its venv module")


def test_an_old_python(tools: Path, tmp_path: Path) -> None:
    put(tools, "python3", "3.9.2", old=True)
    lines = said(tools, tmp_path)
    assert lines[0].startswith("Install Python 3.11 or newer")
    assert "python3 is 3.9.2" in lines[1]


def test_a_python_without_venv(tools: Path, tmp_path: Path) -> None:
    put(tools, "python3", "3.10.1", old=True)
    put(tools, "python3.12", "3.12.4", lame=True)
    assert said(tools, tmp_path)[0] == (
        "Install the venv module of python3.12 (Debian, Ubuntu: apt-get install python3.12-venv) and run this again"
    )


def test_the_one_that_is_named(tools: Path, tmp_path: Path) -> None:
    put(tools, "python3", "3.12.4", lame=True)
    put(tools, "python3.11", "3.11.1", lame=True)
    assert "venv module of python3.11 " in said(tools, tmp_path, "python3.11")[0]


def test_a_failure_shows_its_reason(tools: Path, tmp_path: Path) -> None:
    """This stand-in cannot make an environment: `-m venv` says nothing and makes nothing."""
    put(tools, "python3", "3.11.1")
    lines = said(tools, tmp_path)
    assert lines[0].startswith("Setting up ")
    assert lines[1].startswith("This failed: ")
