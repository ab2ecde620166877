"""`command`: a script of the shell as a derivation, run for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Store, promise, realize, stage
from pylightnix.errors import ArgumentError, BuildError, ConfigError, PromiseError
from pylightnix.stages import command


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "a store")


@stage
def sources(archive: Path = promise("hello-1.tar.gz")) -> None:
    folder = Path(archive).parent / "hello-1"
    folder.mkdir()
    (folder / "hello.sh").write_text("#!/bin/sh\necho Hello, world!\n")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "hello-1")
    (folder / "hello.sh").unlink()
    folder.rmdir()


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_program_is_made_from_its_archive(store: Store, executor: str) -> None:
    hello = command(
        "hello",
        """
        mkdir -p "$out/usr/bin"
        tar xf "$src" && cd hello-1
        echo "installing $greeting"
        cp hello.sh "$out/usr/bin/hello" && chmod +x "$out/usr/bin/hello"
        """,
        src=sources().archive,
        greeting="politely",
        promises={"program": "usr/bin/hello"},
    )
    made = realize(hello, store=store, quiet=True, executor=executor)
    assert made.program.read_text().endswith("Hello, world!\n")
    assert made.program.stat().st_mode & 0o111
    assert made.log == "installing politely\n"


def test_the_environment_is_clean_and_variables_are_text(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "secret")
    told = command(
        "told",
        'printf "%s|" "$text" "$number" "$yes" "$no" "$items" "$table" "${LEAK-clean}" > "$out/told.txt"',
        text="a b", number=1.5, yes=True, no=None, items=["x", 2], table={"k": [1]},
        promises={"file": "told.txt"},
    )  # fmt: skip
    assert realize(told, store=store, quiet=True).file.read_text() == 'a b|1.5|1||x 2|{"k":[1]}|clean|'


def test_a_failing_script_fails_and_its_output_is_told(store: Store) -> None:
    with pytest.raises(BuildError, match="exit code 3") as caught:
        realize(command("bad", "echo before; (exit 3); echo after"), store=store, quiet=True)
    assert str(caught.value).startswith("bad failed: the script ended with exit code 3\n")
    assert "before" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "after\n" not in str(caught.value.fields["log"])


def test_a_promise_of_a_script_is_checked(store: Store) -> None:
    with pytest.raises(PromiseError, match=r"nothing\.txt"):
        realize(command("lazy", "true", promises={"file": "nothing.txt"}), store=store, quiet=True)


def test_the_script_is_in_the_identity(store: Store) -> None:
    assert command("a", "true").ref != command("a", "true ").ref
    assert command("a", "true", x=1).ref != command("a", "true", x="1").ref


def has_ended(pid: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("background", ["sleep 30 &", "(sleep 30; echo late > $out/late) &"])
def test_what_it_leaves_in_the_background_ends_with_it(store: Store, background: str) -> None:
    begun = time.monotonic()
    made = realize(
        command("left", f"echo before; {background}\necho $! > $out/pid; echo after", promises={"pid": "pid"}),
        store=store, quiet=True,
    )  # fmt: skip
    assert time.monotonic() - begun < 10
    assert made.log == "before\nafter\n"
    assert has_ended(int(made.pid.read_text()))
    assert os.listdir(made.path) == ["pid"]


def test_what_hides_in_the_background_holds_nobody(store: Store) -> None:
    begun = time.monotonic()
    hidden = command(
        "hidden",
        "setsid sh -c 'echo $$ > \"$out/pid\"; while :; do echo x; done' &\nuntil test -s \"$out/pid\"; do :; done",
        promises={"pid": "pid"},
    )  # fmt: skip
    made = realize(hidden, store=store, quiet=True)
    assert time.monotonic() - begun < 10
    assert has_ended(int(made.pid.read_text())), "nobody reads what it prints any more"


def test_an_interrupted_script_is_ended(tmp_path: Path) -> None:
    code = (
        "from pylightnix import realize\nfrom pylightnix.stages import command\n"
        "realize(command('long', 'echo $$; sleep 30; echo never'), store='s')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        pid = next(int(line) for line in running.stderr if line.strip().isdigit())
        running.send_signal(signal.SIGINT)
        assert has_ended(pid)
        assert running.wait(10) != 0


def test_what_no_shell_takes_is_told(store: Store) -> None:
    for asked in (command("long", ": " + "x" * 200_000), command("long", "true", words="x" * 200_000)):
        with pytest.raises(BuildError, match="longer than the system takes"):
            realize(asked, store=store, quiet=True)
    with pytest.raises(BuildError, match=r"\$word has a NUL"):
        realize(command("nul", "true", word="a\0b"), store=store, quiet=True)


def test_output_comes_whole_however_it_is_cut(store: Store) -> None:
    asked = command("cut", "printf 'a\\303'; sleep 0.2; printf '\\244\\377\\n'; head -c 300000 /dev/zero | tr '\\0' b")
    assert realize(asked, store=store, quiet=True).log == "aä\\xff\n" + "b" * 300_000


def test_names_and_scripts_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="out"):
        command("a", "true", out=1)
    given: dict[str, Any] = {"a b": 1}
    with pytest.raises(ArgumentError, match="a b"):
        command("a", "true", **given)
    with pytest.raises(ConfigError, match="NUL"):
        command("a", "true \0")
    with pytest.raises(ConfigError, match="no text"):
        command("a", "  ")
