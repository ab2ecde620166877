"""Whatever a builder or a matcher does: the error says so, nothing is kept, and the next run is fine."""

from __future__ import annotations

import ctypes
import math
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Build, Dep, Store, match, promise, realize_many, stage
from pylightnix.errors import BuildError, ConfigError, MatcherError, PylightnixError
from pylightnix.model.matching import Build as More
from pylightnix.model.matching import Reuse


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.create()
    return made


def realize(asked: Any, store: Store, **keywords: Any) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True, **keywords)


def nothing_kept(store: Store, *, but: int = 0) -> None:
    assert len(store.realizations()) == but
    assert list((store.path / "tmp").iterdir()) == []
    assert {file.name for file in store.path.glob("locks/?/*")} <= {"key.lock"}
    assert store.verify().sound


# Builders that fail


def _raise(error: BaseException) -> None:
    raise error


def _fill_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    bytearray(2**31)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def _holds_itself() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def _replace(out: Path, by: str) -> None:
    shutil.rmtree(out)
    if by == "link":
        out.symlink_to(out.parent)
    elif by == "file":
        out.touch()


HERE: dict[str, tuple[Callable[[Path], object], str]] = {
    "exception": (lambda out: 1 // 0, "ZeroDivisionError"),
    "exit": (lambda out: sys.exit(0), r"SystemExit\(0\)"),
    "exit of nothing": (lambda out: _raise(SystemExit()), r"SystemExit\(None\)"),
    "cancelled": (lambda out: _raise(GeneratorExit()), "GeneratorExit"),
    "stop iteration": (lambda out: next(iter([])), "StopIteration"),
    "a set": (lambda out: {1}, "no JSON value"),
    "bytes": (lambda out: b"x", "no JSON value"),
    "a nested value": (lambda out: _nested(10_000), "nesting deeper"),
    "a value that contains itself": (lambda out: _holds_itself(), "contains itself"),
    "a lone surrogate": (lambda out: "\udcff", "lone surrogate"),
    "a generator": (lambda out: (n for n in range(3)), "no JSON value"),
    "no output": (lambda out: _replace(out, "nothing"), "is not there any more"),
    "output is a link": (lambda out: _replace(out, "link"), "was replaced by a link"),
    "output is a file": (lambda out: _replace(out, "file"), "was replaced by a file"),
    "a fifo": (lambda out: os.mkfifo(out / "fifo"), "fifo"),
    "a link that leaves": (lambda out: (out / "promised").symlink_to("/etc/passwd"), "leaves the output directory"),
    "nothing promised": (lambda out: (out / "promised").unlink(), "promise 'promised' is broken"),
}
"""What a builder does with its output directory, in which what it promised is; and what is said of it."""

APART: dict[str, tuple[Callable[[Path], object], str]] = {
    "ends": (lambda out: os._exit(0), "exited with code 0"),
    "segfault": (lambda out: ctypes.string_at(0), "killed by SIGSEGV"),
    "out of memory": (lambda out: _fill_memory(), "MemoryError"),
    "killed for memory": (lambda out: os.kill(os.getpid(), signal.SIGKILL), "killed by SIGKILL"),
    "kills its group": (lambda out: os.killpg(0, signal.SIGKILL), "killed by SIGKILL"),
    "aborts": (lambda out: os.abort(), "killed by SIGABRT"),
    "interrupts itself": (lambda out: signal.raise_signal(signal.SIGINT), "KeyboardInterrupt"),
}
"""Those that only a process of its own survives."""


@stage(code="ignore")
def bad(how: str, good: str, promised: Path = promise("promised")) -> object:
    """Good where a file says so."""
    promised.write_text("content")
    if Path(good).exists():
        return "good"
    return {**HERE, **APART}[how][0](promised.parent)


def check_that_it_fails_once(store: Store, good: Path, how: str, told: str, executor: str) -> None:
    asked = bad(how, str(good))
    with pytest.raises(BuildError, match=told) as caught:
        realize(asked, store, executor=executor)
    assert str(caught.value).startswith("bad failed: ")
    assert Path(str(caught.value.fields["kept"])).is_dir()
    nothing_kept(store)
    good.touch()
    made = realize(asked, store, executor=executor)
    assert made.value == "good"
    assert made.promised.read_text() == "content"
    assert [run.index for run in made.runs] == [1]
    nothing_kept(store, but=1)


@pytest.mark.parametrize("how", HERE)
def test_here(store: Store, tmp_path: Path, how: str) -> None:
    check_that_it_fails_once(store, tmp_path / "good", how, HERE[how][1], "inline")


@pytest.mark.parametrize("how", ["exit", "no output", "a fifo", *APART])
def test_in_a_process_of_its_own(store: Store, tmp_path: Path, how: str) -> None:
    told = {**HERE, **APART}[how][1]
    check_that_it_fails_once(store, tmp_path / "good", how, told, "process")


# Builders that are odd and all right


@stage(code="ignore")
def odd(how: str, out: Path = promise("out")) -> object:
    out.write_text("content")
    return ODD[how](out.parent)


def _many_files(out: Path) -> int:
    for folder in range(20):
        (out / str(folder)).mkdir()
        for file in range(50):
            (out / str(folder) / str(file)).touch()
    return 1000


def _odd_names(out: Path) -> None:
    (out / os.fsdecode(b"\xff\xfe")).touch()
    (out / "a\nb\x1b[31m").touch()
    (out / ("x" * 255)).touch()
    (out / "hidden").mkdir(mode=0)
    (out / "unreadable").touch(mode=0)


def _write_log(out: Path) -> None:
    os.write(1, b"by descriptor \xff\n")
    sys.stdout.buffer.write(b"\xff\xfe\n")
    print("\udcff \x1b[31m \x00")


def _change_all(out: Path) -> None:
    os.chdir("/")
    os.environ.clear()
    os.umask(0)
    random.seed(1)
    sys.path.clear()
    sys.stdout = sys.stderr = None


ODD: dict[str, Callable[[Path], object]] = {
    "many files": _many_files,
    "odd names": _odd_names,
    "odd log": _write_log,
    "changes all": _change_all,
    "infinite": lambda out: [math.nan, math.inf],
    "reads input": lambda out: sys.stdin.read(),
}


@pytest.mark.parametrize("how", ODD)
def test_what_is_odd_is_kept_as_it_is(store: Store, how: str) -> None:
    made = realize(odd(how), store, executor="process")
    assert store.verify().sound
    assert made.out.read_text() == "content"
    assert realize(odd(how), store, executor="process") == made
    assert len(made.files) == {"many files": 1001, "odd names": 5}.get(how, 1)


def test_a_promise_is_held_against_what_is_there_when_all_have_ended(store: Store) -> None:
    """A daemon that goes on writing is gone: the artifact is what was hashed, and stays so."""

    @stage(code="ignore")
    def leaves(out: Path = promise("out.txt")) -> None:
        out.write_text("x")
        handle = os.open(out, os.O_WRONLY | os.O_APPEND)
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.write(writer, b"x")
            for _ in range(10_000):
                os.write(handle, b"later ")  # by a descriptor that no mode and no rename takes away
                time.sleep(0.001)
            os._exit(0)
        os.read(reader, 1)

    made = realize(leaves(), store, executor="process")
    assert made.runs[0].facts["ended_processes"] >= 1
    size = made.out.stat().st_size
    assert store.verify().sound
    assert made.out.stat().st_size == size


# Values


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, b"x", {1}, "\ud800", {1: 2}, object(), len, _nested(10_000), _holds_itself()],
    ids=lambda value: type(value).__name__,
)
def test_a_bad_value_is_told_when_the_stage_is_called(value: object) -> None:
    with pytest.raises(ConfigError, match=r"bad\(how"):
        bad([value], "")  # type: ignore[list-item, arg-type]


# Matchers


def test_an_integer_of_more_digits_than_python_writes_comes_back_and_is_shown_by_its_size(store: Store) -> None:
    @stage
    def large(n: int = 10**6000) -> int:
        return n

    made = realize(large(), store)
    assert made.value == made.n == 10**6000
    assert "int of 19932 bits" in repr(made)
    assert repr(made.params) == "{n: <int of 19932 bits>}"
    assert repr(large()) == "large(n=<int of 19932 bits>)"
    assert "int of 19932 bits" in made._repr_html_()


@stage(code="ignore")
def long(size: int) -> str:
    return "x" * size


def test_a_value_that_no_record_could_be_read_with_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pylightnix.store.files.LARGEST", (1 << 20) + 1000)
    with pytest.raises(
        BuildError, match="what long returned: it has 1002 bytes as JSON, and 1000 are the most"
    ) as told:
        realize(long(1000), store)
    assert "write it to a promised file" in str(told.value)
    nothing_kept(store)
    assert len(realize(long(998), store).value) == 998


class Odd:
    """A matcher that breaks its contract."""

    many = False

    def __init__(self, how: str) -> None:
        self.how = how

    def __repr__(self) -> str:
        return f"Odd({self.how!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd) and other.how == self.how

    def __hash__(self) -> int:
        return hash(self.how)

    def refuse(self, candidates: Any, ref: Any) -> Any:
        if self.how == "raises where it refuses":
            return 1 // 0
        return False if self.how == "refuses without a reason" else None

    def match(self, candidates: Any) -> Any:
        if not candidates:
            return More(1, "none yet")
        return {
            "raises": lambda: 1 // 0,
            "nothing": lambda: None,
            "no runs": lambda: More(0, "none"),
            "a part of a run": lambda: More(1.5, "one and a half"),  # type: ignore[arg-type]
            "a truth": lambda: More(True, "yes"),
            "no choice": lambda: Reuse(None, "none"),  # type: ignore[arg-type]
            "a stranger": lambda: Reuse((object(),), "a stranger"),  # type: ignore[arg-type]
            "one twice": lambda: Reuse((candidates[0], candidates[0]), "twice"),
            "none": lambda: Reuse((), "none"),
        }[self.how]()


@stage(code="ignore")
def plain(build: Build, out: Path = promise("out")) -> int:
    out.write_text(str(build.run))
    return build.run


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("raises", "raised ZeroDivisionError"),
        ("nothing", "neither Reuse nor Build but None"),
        ("no runs", "asked for 0 runs"),
        ("a part of a run", "asked for 1.5 runs"),
        ("a truth", "asked for True runs"),
        ("no choice", "chose None"),
        ("a stranger", "not one of its candidates"),
        ("one twice", "chose a realization twice"),
        ("none", "chooses one, and gave 0"),
    ],
)
def test_a_matcher_that_breaks_its_contract(store: Store, how: str, told: str) -> None:
    """It is the matcher that is wrong: what was built stays, and another one takes it."""
    with pytest.raises(MatcherError, match=told) as caught:
        realize(plain().with_matcher(Odd(how)), store)  # type: ignore[arg-type]
    assert f"Odd({how!r})" in str(caught.value)
    nothing_kept(store, but=1)
    assert [run.index for run in realize(plain(), store).runs] == [0]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("raises where it refuses", "raised ZeroDivisionError: integer division or modulo by zero, asked whether"),
        ("refuses without a reason", "gave False as the reason to refuse"),
    ],
)
def test_a_matcher_that_breaks_its_contract_where_it_refuses(store: Store, how: str, told: str) -> None:
    """What was built is not registered, and is kept to be looked at."""
    with pytest.raises(MatcherError, match=told) as caught:
        realize(plain().with_matcher(Odd(how)), store)  # type: ignore[arg-type]
    assert f"Odd({how!r})" in str(caught.value)
    nothing_kept(store)
    (kept,) = (store.path / "failed").iterdir()
    assert any(str(kept) in note for note in caught.value.__notes__)
    assert realize(plain(), store).value == 1


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda found: [*found, *found] or None, "twice"),
        (lambda found: [object()] if found else None, "candidate"),
        (lambda found: 1 // 0, "ZeroDivisionError"),
        (lambda found: "yes" if found else None, "str"),
        (lambda found: None, "is not satisfied after 3 runs"),
        (lambda found: 2, "is not satisfied after 2 runs"),
    ],
)
def test_a_function_that_is_no_matcher(store: Store, function: Any, told: str) -> None:
    with pytest.raises(PylightnixError, match=told):
        realize_many(plain().with_matcher(match.by(function, many=True, limit=3)), store=store, quiet=True)
    kept = len(store.realizations())
    nothing_kept(store, but=kept)
    assert realize(plain(), store).value == max(kept - 1, 0)


def test_what_was_finished_before_a_failure_stays(store: Store, tmp_path: Path) -> None:
    @stage(code="ignore")
    def user(first: Dep, second: Dep) -> str:
        return str(second.value)

    asked = user(plain(), bad("exception", str(tmp_path / "good")))
    with pytest.raises(BuildError, match="ZeroDivisionError"):
        realize(asked, store)
    nothing_kept(store, but=1)
    (tmp_path / "good").touch()
    assert realize(asked, store).value == "good"
