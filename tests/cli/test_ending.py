"""Exit codes and what is said of errors: to people, to programs, at terminals, down pipes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pylightnix.cli.ending import exit_code
from pylightnix.errors import (
    ArgumentError,
    BuildError,
    ConfigError,
    DamageError,
    FormatError,
    GraphError,
    MatcherError,
    PromiseError,
    PylightnixError,
    StoreError,
    TargetError,
    UnknownReferenceError,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (BuildError, 1),
        (PromiseError, 1),
        (MatcherError, 1),
        (StoreError, 1),
        (DamageError, 1),
        (FormatError, 2),
        (ConfigError, 2),
        (ArgumentError, 2),
        (GraphError, 2),
        (TargetError, 2),
        (UnknownReferenceError, 2),
    ],
)
def test_whose_doing_an_error_is(kind: type[PylightnixError], code: int) -> None:
    assert exit_code(kind("so")) == code


def test_an_error_is_red_on_a_terminal_unless_told_otherwise(full: Any) -> None:
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        shown = full.terminal("show", "abcdef", environ=environ)
        text = shown.read()
        shown.close()
        assert shown.exitstatus == 2
        assert ("\x1b[31merror: " in text) == coloured
        assert ("\x1b" in text) == coloured
    assert "\x1b" not in full("show", "abcdef", code=2).stderr


def test_a_fault_of_ours_is_one_line_unless_asked_for_more(cli: Any) -> None:
    (cli.directory / "sitecustomize.py").write_text(
        "import pylightnix.store.overview as overview\ndef glances(*_):\n    raise KeyError('\\x1boops')\n"
        "overview.glances = glances\n"
    )
    environ = {"PYTHONPATH": str(cli.directory)}
    done = cli("ls", code=1, environ=environ)
    assert done.stderr.splitlines() == [
        "error: a fault of pylightnix itself: KeyError: '\\x1boops'",
        "  PYLIGHTNIX_TRACEBACK=1 shows where; please report it",
    ]
    asked = cli("ls", code=1, environ={**environ, "PYLIGHTNIX_TRACEBACK": "1"})
    assert "Traceback (most recent call last)" in asked.stderr
    assert "/pylightnix/cli/listing.py" in asked.stderr


def test_the_traceback_of_a_mistake_can_be_asked_for_too(cli: Any) -> None:
    done = cli("show", "abc", code=2, environ={"PYLIGHTNIX_TRACEBACK": "1"})
    assert "UnknownReferenceError" in done.stderr
    assert done.stderr.splitlines()[-2].startswith("error: ")


def test_output_survives_a_pipe(cli: Any) -> None:
    (cli.directory / "long.py").write_text(
        "from flow import stage\n"
        "@stage\ndef long() -> None:\n    for n in range(100_000):\n        print(n, 'x' * 50)\n"
    )
    cli("realize", "long.py:long", "--executor", "process")
    done = cli.shell("set -o pipefail; pylightnix log long.py:long 2>/dev/null | head -2")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["loading", "0"]
    for command in ("log long.py:long", "ls --json", "--help"):
        closed = cli.shell(f"pylightnix {command} 2>&1 >/dev/full; pylightnix {command} >&- 2>/dev/null; echo $?")
        assert "Traceback" not in closed.stdout
        assert "Exception ignored" not in closed.stdout


def test_a_full_disk_under_stdout_is_an_error(full: Any) -> None:
    for variable in ("PYTHONUNBUFFERED=1", "-u PYTHONUNBUFFERED"):
        done = full.shell(f"env {variable} pylightnix ls >/dev/full; echo $?")
        assert done.stdout == "1\n"
        assert "error: [Errno 28] No space left on device" in done.stderr
        assert len(done.stderr.splitlines()) <= 2


def test_odd_encodings_are_no_reason_to_fail(full: Any) -> None:
    done = full("tree", "flow.py:report", environ={"PYTHONIOENCODING": "ascii"})
    assert "\\u2514" in done.stdout


def test_warnings_of_the_store_are_one_line(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    (record,) = cli.store.glob("records/*/*/record.json")
    record.chmod(0o644)
    record.write_text("{")
    done = cli("ls")
    (warning,) = [line for line in done.stderr.splitlines() if "record.json" in line]
    assert re.match(r"warning: .*record\.json: .*; treated as not there", warning)
    assert len(done.stderr.splitlines()) == 2
