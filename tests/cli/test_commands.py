"""The table of commands, help, and how little is imported for it."""

from __future__ import annotations

import json
import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import click
import pytest

from pylightnix import __version__
from pylightnix.cli.commands import _ELSEWHERE, COMMANDS, pylightnix


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    command = pylightnix.get_command(click.Context(pylightnix), name)
    assert command is not None
    assert command.name == name
    assert command.help is not None
    assert command.help.splitlines()[0] == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_reads_for_programs(cli: Any, name: str) -> None:
    text = cli(name, "--help").stdout
    assert text.startswith(f"Usage: pylightnix {name}")
    if name not in ("completion", "key"):
        assert "--store PATH" in text
        assert "--json" in text


def test_without_arguments_help_is_shown_and_it_is_wrong_use(cli: Any) -> None:
    done = cli(code=2)
    assert done.stdout == ""
    assert all(f"  {name} " in done.stderr for name in COMMANDS)
    assert cli("--help").stdout == cli("-h").stdout == done.stderr


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("relize", "No such command 'relize'. Did you mean 'realize'?"),
        ("whydepends", "No such command 'whydepends'. Did you mean 'why-depends'?"),
        ("run", "No such command 'run'. Did you mean 'realize'?"),
        ("rm", "No such command 'rm'. Did you mean 'remove'?"),
        ("frobnicate", "No such command 'frobnicate'."),
    ],
)
def test_an_unknown_command_is_wrong_use(cli: Any, name: str, told: str) -> None:
    lines = cli(name, code=2).stderr.splitlines()
    assert lines[-1] == f"Error: {told}"


def test_what_other_tools_call_it_is_none_of_ours() -> None:
    assert not _ELSEWHERE.keys() & COMMANDS.keys()
    assert set(_ELSEWHERE.values()) <= COMMANDS.keys()


def test_the_version_and_the_module(cli: Any) -> None:
    assert cli("--version").stdout == f"pylightnix {__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "pylightnix", "--version"], env=cli.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"pylightnix {__version__}\n"


PROBE = """
import json, sys
sys.argv = ["pylightnix", *sys.argv[1:]]
from pylightnix.cli import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def imported(cli: Any, *args: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *args],
        env=cli.environ,
        cwd=cli.directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_imports_no_command_and_nothing_heavy(cli: Any) -> None:
    modules = imported(cli, "--help")
    assert "click" in modules
    heavy = {"rich", "cloudpickle", "numpy", "asyncio", "concurrent.futures", "multiprocessing", "IPython", "rich.live"}
    assert not modules & heavy
    assert {name for name in modules if name.startswith("pylightnix.cli.")} == {
        "pylightnix.cli.commands",
        "pylightnix.cli.ending",
        "pylightnix.cli.interrupting",
        "pylightnix.cli.output",
    }


def test_rich_is_imported_for_a_live_display_only(cli: Any) -> None:
    assert not {name for name in imported(cli, "realize", "flow.py:report", "--executor", "process") if "rich" in name}
    assert "rich" not in imported(cli, "ls")


def cpu_seconds(cli: Any, *command: str) -> float:
    before = getrusage(RUSAGE_CHILDREN)  # in microseconds, where `os.times` counts hundredths of a second
    subprocess.run(command, env=cli.environ, cwd=cli.directory, capture_output=True, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_is_quick(cli: Any) -> None:
    """Processor time over bare Python; the wall clock is for the benchmark. A busy machine only ever adds to it."""
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(40):
        bare.append(cpu_seconds(cli, sys.executable, "-c", "pass"))
        ours.append(cpu_seconds(cli, cli.command, "--help"))
        if len(ours) >= 7 and min(ours) - min(bare) < 0.12:
            return
    pytest.fail(f"it takes {min(ours) - min(bare):.3f} s more than Python alone")
