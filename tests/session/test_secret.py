"""Secrets: the builder has them, and nobody else: not the identity, the records, logs, messages, nor any file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Secret, Store, plan, promise, realize, stage
from pylightnix.errors import BuildError, ConfigError, PylightnixError
from pylightnix.names import KeyRef
from pylightnix.stages import command
from pylightnix.store.locks import take

VALUE = 'hush "tok\nén" 1'
ISOLATIONS = ["none", "process"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("API_TOKEN", VALUE)
    return Store(tmp_path / "s")


def tells(store: Store) -> list[str]:
    """The files of a store in which a part of the secret stands that no escaping changes."""
    paths = [path for path in Path(store.path).rglob("*") if path.is_file() or "hush" in path.name]
    return [str(one.relative_to(store.path)) for one in paths if "hush" in one.name or b"hush" in one.read_bytes()]


@stage(code="ignore")
def asked(token: Secret = Secret("API_TOKEN"), more: dict[str, list[Secret]] | None = None) -> int:
    return len(token.reveal()) + sum(len(one.reveal()) for each in (more or {}).values() for one in each)


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_the_builder_has_it_and_its_name_counts(store: Store, isolation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = realize(asked(), store=store, isolation=isolation, strict=True, quiet=True)
    assert made.value == len(VALUE)
    assert "API_TOKEN" in str(made.params)
    assert tells(store) == []
    monkeypatch.setenv("API_TOKEN", "another one")
    assert not plan(asked(), store=store).work, "another value is no reason to run again"
    monkeypatch.setenv("OTHER", "another one")
    assert plan(asked(Secret("OTHER")), store=store).work
    deep = realize(asked(more={"x": [Secret("OTHER")]}), store=store, isolation=isolation, quiet=True)
    assert deep.value == 2 * len("another one")


@stage(code="ignore", secrets=["API_TOKEN"])
def leaks(build: Build, how: str, table: Path = promise("deep/table.txt")) -> object:  # noqa: C901
    secret = os.environ["API_TOKEN"]
    table.write_text("nothing")
    match how:
        case "prints":
            print("it is", secret, repr(secret))
            build.log.warning("it is %s", secret)
        case "returns":
            return {"a": [secret]}
        case "writes":
            table.write_text("x" * (1 << 20) + secret)
        case "links":
            (build.out / "link").symlink_to(secret)
        case "names":
            (build.out / secret).write_text("nothing")
        case "everywhere":
            for folder in (build.out, build.scratch, build.checkpoint):
                (folder / "state").write_text(secret)
        case "raises":
            (build.checkpoint / "state").write_text(secret)
            try:
                raise RuntimeError(f"refused: {secret}")
            except RuntimeError as error:
                raise ValueError("no") from error
        case "hides":
            table.write_text(secret)
            table.chmod(0)
            table.parent.chmod(0)
        case "dies":
            print("it is", secret, flush=True)
            os._exit(3)
    return None


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_it_is_blotted_out_of_the_log(store: Store, isolation: Any) -> None:
    made = realize(leaks("prints"), store=store, isolation=isolation, quiet=True)
    assert "it is *** '***'" in made.log
    assert tells(store) == []


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("returns", "what was returned has the secret API_TOKEN in it"),
        ("writes", r"deep/table\.txt has the secret API_TOKEN in it"),
        ("everywhere", "state has the secret API_TOKEN in it"),
        ("names", r"\*\*\* has the secret API_TOKEN in it"),
        ("links", "link has the secret API_TOKEN in it"),
        ("raises", "no"),
        ("hides", "has the secret API_TOKEN in it|promise 'table' is broken"),
        ("dies", "exited with code 3"),
    ],
)
def test_who_gives_it_away_fails(
    store: Store, isolation: Any, how: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if how == "dies" and isolation == "none":
        pytest.skip("it would end this process")
    with pytest.raises(BuildError, match=told) as failure:
        realize(leaks(how), store=store, isolation=isolation)
    assert "hush" not in "".join(traceback.format_exception(failure.value))
    assert "hush" not in str(failure.value.fields)
    if isolation == "process":
        assert "hush" not in "".join(capfd.readouterr())
    assert tells(store) == []
    assert store.realizations() == []


def test_a_script_has_it_as_a_variable(store: Store) -> None:
    made = realize(
        command("script", 'printf %s "$t" | tr a-z b-za > $out/f', t=Secret("API_TOKEN"), promises={"file": "f"}),
        store=store, quiet=True,
    )  # fmt: skip
    assert made.file.read_text() == VALUE.translate(str.maketrans("hustokn", "ivtuplo"))
    assert tells(store) == []


def test_it_must_be_set(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_TOKEN")
    with pytest.raises(BuildError, match="the secret API_TOKEN is not set here"):
        realize(asked(), store=store, quiet=True)
    with pytest.raises(BuildError, match="the secret API_TOKEN is not set here"):
        realize(unused(), store=store, quiet=True)


@stage(code="ignore")
def unused(token: Secret = Secret("API_TOKEN")) -> int:
    return 1


def test_show_and_messages_have_the_name(store: Store) -> None:
    made = realize(asked(), store=store, quiet=True)
    said = subprocess.run(
        [sys.executable, "-m", "pylightnix", "show", made.ref, "--store", str(store.path)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "API_TOKEN" in said
    assert "hush" not in said
    assert "API_TOKEN" in repr(asked())


@pytest.mark.parametrize("name", ["", "A=B", "a\0b", 7, None, b"A"])
def test_names_that_cannot_be(name: Any) -> None:
    with pytest.raises(ConfigError, match="no list of names"):
        Secret(name)


def test_what_it_says_cannot_be_in_the_identity_too() -> None:
    with pytest.raises(PylightnixError, match="API_TOKEN is a secret"):

        @stage(variables=["API_TOKEN"], secrets=["API_TOKEN"])
        def wrong() -> None: ...


def test_secrets_are_values() -> None:
    assert Secret("A") == Secret("A") != Secret("B")
    assert len({Secret("A"), Secret("A")}) == 1
    assert str(Secret("A")) == repr(Secret("A")) == "Secret('A')"


@stage(code="ignore", secrets=["API_TOKEN"])
def dies(build: Build, flag: str, table: Path = promise("table.txt")) -> None:
    secret = os.environ["API_TOKEN"]
    for path in (table, build.scratch / "s", build.checkpoint / "c"):
        path.write_text(secret)
    print(secret, flush=True)
    if Path(flag).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    table.write_text("nothing")


def in_child(work: Callable[[], object]) -> None:
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_what_a_killed_realize_left_goes_with_the_next_one(store: Store, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    for _ in range(2):
        in_child(lambda: realize(dies(str(flag)), store=store, quiet=True))
    assert len(tells(store)) >= 4
    with pytest.raises(BuildError, match="killed"):
        realize(dies(str(flag)), store=store, isolation="process", quiet=True)
    flag.unlink()
    realize(dies(str(flag)), store=store, quiet=True)
    assert tells(store) == []
    assert [path.name for path in (Path(store.path) / "tmp").iterdir()] == ["checkpoints"]


def test_what_the_living_write_stays(store: Store, tmp_path: Path) -> None:
    """Of the same key: in this process, and in one without a slot that holds what is about to be registered."""
    keeper = store.keeper
    store.create()
    home = KeyRef(f"{'a' * 40}-dies")
    keeper.claim(home)
    ours = keeper.workspace(home, 0)
    keeper.forget_killed(home)
    assert Path(ours.out).is_dir()
    assert Path(ours.notes).is_dir()
    theirs = Path(store.path, "tmp", f"{2**22 + 5}-{'a' * 12}@1@{home}")
    theirs.mkdir()
    other = Path(store.path, "tmp", f"{2**22 + 6}-{'a' * 12}@1@{home}")
    other.mkdir()
    Path(store.path, "locks/held").mkdir(exist_ok=True)
    held = take(f"{store.path}/locks/held/elsewhere@{2**22 + 5}-{'b' * 12}.lock")
    assert held is not None
    keeper.forget_killed(home)
    assert (theirs.is_dir(), other.exists()) == (True, False)
    held.release()
    keeper.forget_killed(home)
    assert not theirs.exists()
