"""`command`: a script of the shell as a derivation, run for real."""

from __future__ import annotations

import tarfile
from pathlib import Path

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
    assert "before" in str(caught.value)
    assert "after\n" not in str(caught.value.fields["log"])


def test_a_promise_of_a_script_is_checked(store: Store) -> None:
    with pytest.raises(PromiseError, match=r"nothing\.txt"):
        realize(command("lazy", "true", promises={"file": "nothing.txt"}), store=store, quiet=True)


def test_the_script_is_in_the_identity(store: Store) -> None:
    assert command("a", "true").ref != command("a", "true ").ref
    assert command("a", "true", x=1).ref != command("a", "true", x="1").ref


def test_names_and_scripts_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="out"):
        command("a", "true", out=1)
    with pytest.raises(ConfigError, match="no text"):
        command("a", "  ")
