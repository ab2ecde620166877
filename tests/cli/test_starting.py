"""`init` and `completion`, and what is completed."""

from __future__ import annotations

import shutil
from typing import Any

import pexpect
import pytest


def test_init_makes_a_store_that_is_found_from_below(cli: Any) -> None:
    environ = {"PYLIGHTNIX_STORE": ""}
    done = cli("init", environ=environ)
    assert done.stdout == f"{cli.directory}/.pylightnix\n"
    assert (cli.directory / ".pylightnix" / "format.json").is_file()
    below = cli.directory / "deep" / "er"
    below.mkdir(parents=True)
    assert f"{cli.directory}/.pylightnix" in cli("ls", environ=environ, cwd=below).stderr


def test_init_leaves_what_is_there(cli: Any) -> None:
    assert cli.json("init") == {"store": f"{cli.directory}/.pylightnix", "created": True}
    assert cli.json("init") == {"store": f"{cli.directory}/.pylightnix", "created": False}
    assert "it was there already" in cli("init").stderr


def test_init_says_when_another_store_goes_first(cli: Any) -> None:
    assert f"$PYLIGHTNIX_STORE is set and goes first: {cli.store}" in cli("init").stderr
    assert "goes first" not in cli("init", "--store", "here").stderr


def test_init_refuses_what_is_something_else(cli: Any) -> None:
    (cli.directory / ".pylightnix").mkdir()
    (cli.directory / ".pylightnix" / "letters.txt").write_text("dear")
    assert "is no store" in cli("init", code=2).stderr
    (cli.directory / "file").write_text("")
    refused = cli("init", "--store", "file", code=None)
    assert refused.returncode in (1, 2)
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_understands(cli: Any, shell: str) -> None:
    script = cli("completion", shell).stdout
    assert "_PYLIGHTNIX_COMPLETE" in script
    found = shutil.which(shell)
    if found is not None:
        (cli.directory / "script").write_text(script)
        done = cli.shell(f"{found} -n script")
        assert (done.returncode, done.stderr) == (0, "")


def complete(cli: Any, line: str) -> set[str]:
    environ = {"_PYLIGHTNIX_COMPLETE": "zsh_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return set(cli(environ=environ).stdout.splitlines()[1::3])


def test_what_is_completed(full: Any) -> None:
    refs = {one["ref"] for one in full.json("ls")["realizations"]}
    some = min(refs)
    assert {"realize", "plan", "ls"} <= complete(full, "pylightnix ")
    assert complete(full, f"pylightnix show {some[:6]}") == {some}
    assert complete(full, "pylightnix realize flo") == {"flow.py"}
    assert "flow.py:report" in complete(full, "pylightnix realize flow.py:")
    assert complete(full, "pylightnix realize flow.py:re") == {"flow.py:report"}
    assert complete(full, "pylightnix ls m") == {"model"}
    assert complete(full, "pylightnix realize nowhere.py:") == set()


def test_bash_completes(full: Any) -> None:
    """In a real shell, as a person would: the tab key; bash takes a colon for the end of a word."""
    bash = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=str(full.directory),
        env={**full.environ, "PATH": f"{full.command.parent}:/usr/bin:/bin", "PS1": "$ ", "TERM": "dumb"},
        encoding="utf-8",
        timeout=30,
    )
    bash.sendline('eval "$(pylightnix completion bash)"; echo rea""dy')
    bash.expect_exact("ready")
    (ref,) = [one["ref"] for one in full.json("ls", "report")["realizations"]]
    for typed, completed in (
        ("pylightnix comp", "pylightnix completion "),
        ("pylightnix plan flow.py:rep", "pylightnix plan flow.py:report "),
        ("pylightnix plan flow.py:report --js", "pylightnix plan flow.py:report --json "),
        (f"pylightnix show {ref[:7]}", f"pylightnix show {ref} "),
        ("pylightnix ls nu", "pylightnix ls numbers "),
    ):
        bash.send(f"{typed}\t")
        bash.expect_exact(completed)
        bash.send("\x15")  # clears the line
    bash.close()
