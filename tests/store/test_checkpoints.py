"""Checkpoints: a later attempt gets what a dead one left, nobody takes from the living, success leaves nothing."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pylightnix
from pylightnix import Build, Store, promise, stage
from pylightnix.errors import BuildError
from pylightnix.names import KeyRef
from pylightnix.store import changes
from pylightnix.store.checkpoints import drop, leave, place, take

HOME = KeyRef.of("a" * 64, "model")
OTHER = KeyRef.of("b" * 64, "model")
LIVING = f"{os.getpid()}-0123456789ab"


@pytest.fixture
def dead() -> str:
    """The id of a process that is not there any more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return f"{process.pid}-0123456789ab"


def put(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.mkdir(parents=True)
    (path / "mark").write_text(text)
    return path


def name(home: KeyRef, run: int, unique: str, where: str | None = None) -> str:
    return f"{home.digits}-{run}-{where or place()}-{unique}"


def test_there_is_nothing_where_nobody_left_anything(tmp_path: Path) -> None:
    ours = take(str(tmp_path / "checkpoints"), HOME, 5, LIVING)
    assert ours == f"{tmp_path}/checkpoints/{name(HOME, 5, LIVING)}"
    assert os.listdir(tmp_path) == []


def test_that_of_a_dead_process_is_taken(tmp_path: Path, dead: str) -> None:
    put(tmp_path, name(HOME, 0, dead), "left")
    ours = Path(take(str(tmp_path), HOME, 1, LIVING))
    assert (ours / "mark").read_text() == "left"
    assert os.listdir(tmp_path) == [ours.name]


def test_that_which_was_given_up_is_taken(tmp_path: Path) -> None:
    first = put(tmp_path, name(HOME, 0, LIVING), "left")
    leave(str(first))
    assert os.listdir(tmp_path) == [name(HOME, 0, LIVING, "left")]
    ours = Path(take(str(tmp_path), HOME, 1, f"{os.getpid()}-ba9876543210"))
    assert (ours / "mark").read_text() == "left"
    leave(str(ours))
    assert (Path(take(str(tmp_path), HOME, 2, LIVING)) / "mark").read_text() == "left"


def test_what_somebody_died_over_dropping_is_whole_or_not_there(tmp_path: Path) -> None:
    for last in itertools.count():
        directory = tmp_path / str(last) / "checkpoints"
        pid = os.fork()
        if pid == 0:
            theirs = put(directory, name(HOME, 0, f"{os.getpid()}-0123456789ab"), "whole")
            (theirs / "more").write_text("more")
            left = iter(range(last))

            def die(*_: object, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            with changes.observed(die):
                drop(str(theirs))
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        ours = Path(take(str(directory), HOME, 1, LIVING))
        assert not ours.exists() or sorted(os.listdir(ours)) == ["mark", "more"]
        if status == 0:
            break
    assert last > 2


def test_nothing_is_taken_from_the_living(tmp_path: Path) -> None:
    theirs = [
        put(tmp_path, name(HOME, 0, LIVING), "of this process"),
        put(tmp_path, name(HOME, 1, "1-0123456789ab"), "of a process of root"),
        put(tmp_path, name(HOME, 2, "9999999999-0123456789ab"), "of a process that cannot be asked for"),
        put(tmp_path, name(HOME, 3, f"{2**22 + 5}-0123456789ab", "00000000"), "of another machine"),
    ]
    ours = take(str(tmp_path), HOME, 9, f"{os.getpid()}-ba9876543210")
    assert not os.path.exists(ours)
    assert all((path / "mark").exists() for path in theirs)


def test_each_key_has_its_own(tmp_path: Path, dead: str) -> None:
    put(tmp_path, name(OTHER, 0, dead), "of another key")
    assert not os.path.exists(take(str(tmp_path), HOME, 1, LIVING))


def test_that_of_the_newest_run_is_taken_first_and_each_once(tmp_path: Path, dead: str) -> None:
    for run in (9, 10, 2):
        put(tmp_path, name(HOME, run, dead), str(run))
    found = [Path(take(str(tmp_path), HOME, 20 + i, LIVING)) for i in range(4)]
    assert [(path / "mark").read_text() for path in found[:3]] == ["10", "9", "2"]
    assert not found[3].exists()


def test_a_further_attempt_of_a_run_gets_its_own(tmp_path: Path) -> None:
    for run in (1, 2, 3):
        put(tmp_path, f"{HOME.digits}-{run}-left-{LIVING}", f"run {run}")
    assert (Path(take(str(tmp_path), HOME, 2, "1-abcdefabcdef")) / "mark").read_text() == "run 2"
    assert (Path(take(str(tmp_path), HOME, 4, "2-abcdefabcdef")) / "mark").read_text() == "run 3"


def test_what_is_no_checkpoint_is_left_alone(tmp_path: Path, dead: str) -> None:
    (tmp_path / name(HOME, 0, dead)).write_text("a file")
    (tmp_path / name(HOME, 1, dead)).symlink_to(tmp_path)
    for odd in (
        f"{HOME.digits}-x",
        f"{HOME.digits}-1-left-x",
        f"{HOME.digits}-²-left-{dead}",
        f"{name(HOME, 3, dead)}~",
    ):
        (tmp_path / odd).mkdir()
    before = sorted(os.listdir(tmp_path))
    assert not os.path.exists(take(str(tmp_path), HOME, 4, LIVING))
    assert sorted(os.listdir(tmp_path)) == before


def test_one_is_taken_by_one(tmp_path: Path, dead: str) -> None:
    source = """
import os, sys
from pylightnix.names import KeyRef
from pylightnix.store.checkpoints import take
sys.stdin.read(1)
print(os.path.exists(take(sys.argv[1], KeyRef(sys.argv[2]), int(sys.argv[3]), f"{os.getpid()}-0123456789ab")))
sys.stdin.close(); sys.stdout.flush()
import time; time.sleep(30)
"""
    put(tmp_path, name(HOME, 0, dead), "left")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", source, str(tmp_path), HOME, str(i)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for i in range(4)
    ]
    try:
        for process in started:
            assert process.stdin is not None
            process.stdin.close()
        said = [process.stdout.readline() for process in started if process.stdout is not None]
    finally:
        for process in started:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
    assert sorted(said) == [b"False\n"] * 3 + [b"True\n"]


def test_dropping_and_leaving_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / name(HOME, 0, LIVING)
    leave(str(path))
    drop(str(path))
    path.mkdir()
    (path / "sealed").mkdir(mode=0o555)
    drop(str(path))
    assert os.listdir(tmp_path) == []


# Through a stage


@stage(code="ignore")
def stepwise(build: Build, ends: str, out: Path = promise("out.txt")) -> None:
    """Makes one step each time, and dies unless it was the third."""
    path = build.checkpoint / "steps"
    steps = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(steps))
    if steps == 3:
        out.write_text(f"{steps} steps, run {build.run}")
    elif ends == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif ends == "interrupt":
        raise KeyboardInterrupt
    else:
        raise ValueError("not yet")


def left(store: Store) -> list[str]:
    directory = store.path / "tmp" / "checkpoints"
    return os.listdir(directory) if directory.exists() else []


def attempt(store: Store, ends: str, executor: str = "inline") -> object:
    return pylightnix.realize(stepwise(ends), store=store, quiet=True, executor=executor)  # type: ignore[call-overload]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_builder_that_raised_gets_it_back(store: Store, executor: str) -> None:
    for _ in range(2):
        with pytest.raises(BuildError, match="not yet"):
            attempt(store, "raise", executor)
        assert len(left(store)) == 1
    done = attempt(Store(store.path), "raise", executor)
    assert done.out.read_text() == "3 steps, run 2"  # type: ignore[attr-defined]
    assert left(store) == []
    assert os.listdir(store.path / "tmp") == ["checkpoints"]


def test_a_worker_that_was_killed_leaves_it(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(BuildError, match="SIGKILL"):
            attempt(store, "kill", "process")
    assert attempt(store, "kill", "process").out.read_text() == "3 steps, run 2"  # type: ignore[attr-defined]
    assert left(store) == []


def test_an_interrupted_one_leaves_it(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            attempt(store, "interrupt")
    assert attempt(store, "interrupt").out.read_text() == "3 steps, run 2"  # type: ignore[attr-defined]
    assert os.listdir(store.path / "tmp") == ["checkpoints"]


def in_a_child(do: Callable[[], object]) -> int:
    """How a child process ended that did something."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests: the child needs none of them
        pid = os.fork()
    if pid == 0:
        try:
            do()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def test_it_survives_the_whole_process(store: Store) -> None:
    for _ in range(2):
        assert os.WTERMSIG(in_a_child(lambda: attempt(store, "kill"))) == signal.SIGKILL
        assert len(left(store)) == 1
    assert attempt(store, "kill").out.read_text() == "3 steps, run 2"  # type: ignore[attr-defined]
    assert left(store) == []
