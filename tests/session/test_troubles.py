"""Retries, timeouts, and realizing what does not depend on a failure, with real processes."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, PylightnixError, Store, match, promise, realize, realize_many, stage
from pylightnix.engine.events import Silent
from pylightnix.errors import BuildError, ExecutorError, FailuresError, ResourceError
from pylightnix.executors import ProcessExecutor
from pylightnix.model.build import BuildRequest, BuildResult
from pylightnix.model.conditions import Conditions


class Listening(Silent):
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def started(self, request: BuildRequest) -> None:
        self.heard.append(("started", request.run, request.seed))

    def finished(self, request: BuildRequest, result: BuildResult, kept: Path | None) -> None:
        self.heard.append(("finished", result.failure.kind if result.failure else None))

    def retrying(self, request: BuildRequest, attempt: int) -> None:
        self.heard.append(("retrying", attempt))


@stage(code="ignore", retries=2)
def unlucky(build: Build, tries: str, deaths: int = 1, out: Path = promise("out")) -> int:
    """Die the first times; what was done before is in the checkpoint."""
    done = build.checkpoint / "done"
    made = int(done.read_text()) if done.exists() else 0
    with Path(tries).open("a") as stream:
        stream.write(f"{build.run} {build.seed} {made} {sorted(p.name for p in build.out.iterdir())}\n")
    out.write_text("half")
    (build.out / "debris").touch()
    done.write_text(str(made + 1))
    if made < deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    (build.out / "debris").unlink()
    return made


def test_a_killed_run_gets_another_attempt_with_its_index_seed_and_checkpoint(tmp_path: Path) -> None:
    store, tries, listener = Store(tmp_path / "store"), tmp_path / "tries", Listening()
    found = realize(unlucky(str(tries), deaths=2), store=store, executor="process", listener=listener)
    assert found.value == 2
    lines = tries.read_text().splitlines()
    seed = found.runs[0].seed
    assert lines == [f"0 {seed} {made} []" for made in range(3)]
    assert [event[0] for event in listener.heard] == [
        "started", "finished", "retrying", "started", "finished", "retrying", "started", "finished",
    ]  # fmt: skip
    assert len(found.runs) == 1
    assert found.runs[0].facts["attempts"] == 3
    assert not list((store.path / "tmp").rglob("*done*"))
    assert {file.name for file in store.path.glob("locks/?/*")} <= {"key.lock"}


def test_attempts_come_to_an_end(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    with pytest.raises(BuildError, match="SIGKILL"):
        realize(unlucky(str(tries), deaths=4), store=tmp_path / "s", executor="process", quiet=True)
    assert len(tries.read_text().splitlines()) == 3
    found = realize(unlucky(str(tries), deaths=4), store=tmp_path / "s", executor="process", quiet=True)
    assert found.value == 4, "the checkpoint outlives a realize that failed"


@stage(code="ignore", retries={"OSError": 1})
def refused(tries: str, error: str) -> None:
    with Path(tries).open("a") as stream:
        stream.write("x")
    raise ConnectionError("no") if error == "connection" else ValueError("no")


@pytest.mark.parametrize(("error", "attempts"), [("connection", 2), ("value", 1)])
def test_retries_are_for_named_causes(tmp_path: Path, error: str, attempts: int) -> None:
    tries = tmp_path / "tries"
    with pytest.raises(BuildError, match="no"):
        realize(refused(str(tries), error), store=tmp_path / "s", quiet=True)
    assert tries.read_text() == "x" * attempts


@stage(code="ignore", timeout=3)
def slow(build: Build, begun: str) -> str:
    again = (build.checkpoint / "here").exists()
    (build.checkpoint / "here").touch()
    Path(begun).write_text(str(os.getpid()))
    if not again:
        time.sleep(60)
    return "resumed"


def test_a_timeout_ends_a_run_also_where_it_would_have_been_inline(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    start = time.monotonic()
    with pytest.raises(BuildError, match=r"took longer than 3 s") as caught:
        realize(slow(str(begun)), store=tmp_path / "s", quiet=True)
    assert time.monotonic() - start < 20
    assert caught.value.fields["kind"] == "timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)
    assert realize(slow(str(begun)), store=tmp_path / "s", quiet=True).value == "resumed"


@stage(code="ignore")
def part(n: int, fails: str = "") -> int:
    if fails and Path(fails).exists():
        raise ValueError(f"part {n} failed")
    return n


@stage(code="ignore")
def whole(parts: list[Any], name: str = "") -> int:
    return sum(part.value for part in parts)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_does_not_depend_on_a_failure_is_made(tmp_path: Path, jobs: int) -> None:
    store, fails = Store(tmp_path / "store"), tmp_path / "fails"
    fails.touch()
    bad = [part(1, fails=str(fails)), part(2, fails=str(fails))]
    asked = {
        "a": whole([part(0), bad[0]], name="a"), "b": whole([part(3), part(4)]), "c": whole([*bad], name="c"),
        "d": whole([whole([part(0), bad[0]], name="a")], name="d"),
    }  # fmt: skip
    with pytest.raises(FailuresError) as caught:
        realize(asked, store=store, jobs=jobs, quiet=True, keep_going=True)
    error = caught.value
    assert error.what == "2 of 9 derivations failed, and 3 more could not be made"
    assert [failure.what for failure in error.failures] == ["ValueError: part 1 failed", "ValueError: part 2 failed"]
    assert [len(below) for below in error.fields["blocked"].values()] == [3, 1]  # type: ignore[attr-defined]
    assert "part 1 failed" in str(error)
    assert "blocked by this: whole, whole, whole" in str(error)
    assert {one.value for one in store.realizations()} == {0, 3, 4, 7}
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert len(again.failures) == 2
    fails.unlink()
    listener = Listening()
    done = realize(asked, store=store, listener=listener)
    assert {name: one.value for name, one in done.items()} == {"a": 1, "b": 7, "c": 3, "d": 1}
    assert sum(event[0] == "started" for event in listener.heard) == 5, "only what was missing"


def test_without_keep_going_nothing_new_starts(tmp_path: Path) -> None:
    store, fails = Store(tmp_path / "store"), tmp_path / "fails"
    fails.touch()
    with pytest.raises(BuildError, match="part 1 failed") as caught:
        realize([part(1, fails=str(fails)), part(3)], store=store, quiet=True)
    assert not isinstance(caught.value, FailuresError)
    assert store.realizations() == []


@stage(code="ignore", matcher=match.all(of=4))
def lottery(build: Build, losers: list[int]) -> int:
    if build.run in losers:
        raise RuntimeError(f"run {build.run} lost")
    return build.run


def test_runs_beside_one_that_failed_are_finished(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(FailuresError, match="1 of 1 derivations failed") as caught:
        realize_many(lottery([1]), store=store, quiet=True, keep_going=True)
    assert len(caught.value.failures) == 1
    assert sorted(one.value for one in store.realizations()) == [0, 2, 3]
    assert sorted(one.value for one in realize_many(lottery([1]), store=store, quiet=True)) == [0, 2, 3, 4]


@stage(code="ignore")
def twin(name: str, source: Dep, fails: str) -> int:
    if Path(fails).exists():
        raise ValueError("twin failed")
    return 1


def test_a_derivation_that_shares_the_key_of_one_that_failed_is_told_of_too(tmp_path: Path) -> None:
    """Two inputs that are made differently and look the same give one key; its runs are made for the first of them."""

    @stage(code="ignore", name="same")
    def first() -> int:
        return 1

    @stage(code="track", name="same")
    def second() -> int:
        return 1

    store, fails = Store(tmp_path / "store"), tmp_path / "fails"
    fails.touch()
    asked = [twin("x", first(), str(fails)), twin("x", second(), str(fails))]
    with pytest.raises(FailuresError, match="2 of 4 derivations failed"):
        realize(asked, store=store, quiet=True, keep_going=True)
    fails.unlink()
    assert [one.value for one in realize(asked, store=store, quiet=True)] == [1, 1]


@stage(code="ignore", resources={"licences": 1})
def licensed(log: str, n: int) -> int:
    with Path(log).open("a") as stream:
        stream.write(f"begin {n}\n")
        stream.flush()
        time.sleep(0.3)
        stream.write(f"end {n}\n")
    return n


def test_runs_that_need_more_than_there_is_wait(tmp_path: Path) -> None:
    log = tmp_path / "log"
    asked = [licensed(str(log), n) for n in range(4)]
    realize(asked, store=tmp_path / "s", jobs=4, limits={"licences": 1}, quiet=True)
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["begin", "end"] * 4


@stage(code="ignore", resources={"licences": 1})
def meet(place: str, n: int) -> int:
    """Return when both have come."""
    Path(place, str(n)).touch()
    until = time.monotonic() + 20
    while sum(1 for _ in Path(place).iterdir()) < 2:
        if time.monotonic() > until:
            raise TimeoutError("the other one did not come")
        time.sleep(0.01)
    return n


def test_runs_for_which_there_is_enough_go_beside_each_other(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    realize([meet(str(place), n) for n in range(2)], store=tmp_path / "s", jobs=2, limits={"licences": 2}, quiet=True)


def test_a_run_that_needs_what_nobody_has_is_an_error_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, store = tmp_path / "log", Store(tmp_path / "store")
    with pytest.raises(ResourceError, match=r"licensed.*a run needs 1 licences, and there is none"):
        realize(licensed(str(log), 1), store=store, quiet=True)
    assert not log.exists()
    monkeypatch.setenv("PYLIGHTNIX_LIMITS", "licences = 1, memory=64G")
    assert realize(licensed(str(log), 1), store=store, quiet=True).value == 1
    monkeypatch.delenv("PYLIGHTNIX_LIMITS")
    assert realize(licensed(str(log), 1), store=store, quiet=True).value == 1, "what is there is reused without"


@stage(code="ignore")
def before(log: str) -> int:
    Path(log).touch()
    return 1


@stage(code="ignore", resources={"gpus": 64})
def huge(first: Dep, n: int = 0) -> int:
    return n


def test_what_cannot_be_had_later_is_told_before_anything_runs(tmp_path: Path) -> None:
    log, store = tmp_path / "log", Store(tmp_path / "store")
    with pytest.raises(ResourceError, match=r"^huge .*a run needs 64 gpus"):
        realize(huge(before(str(log))), store=store, quiet=True, jobs=2)
    assert not log.exists()


def test_what_cannot_be_had_blocks_nothing_else_of_a_realize_that_goes_on(tmp_path: Path) -> None:
    log, store = tmp_path / "log", Store(tmp_path / "store")
    asked = [huge(before(str(log)), 1), huge(before(str(log)), 2), licensed(str(tmp_path / "other"), 1), part(1)]
    with pytest.raises(FailuresError, match="3 of 5 derivations failed") as caught:
        realize(asked, store=store, quiet=True, keep_going=True, jobs=2, limits={"cpus": 2})
    assert [type(failure) for failure in caught.value.failures] == [ResourceError] * 3
    assert log.exists()
    assert {one.name for one in store.realizations()} == {"before", "part"}


@contextlib.contextmanager
def running(executor: ProcessExecutor) -> Iterator[ProcessExecutor]:
    yield executor
    executor.stop()


class Offline(ProcessExecutor):
    def accept(self, conditions: Conditions) -> None:
        if conditions.network:
            raise ExecutorError("no network here")


@stage(code="ignore", network=True, matcher=match.latest(n=2))
def fetched(log: str) -> int:
    Path(log).touch()
    return 1


def test_what_the_executor_refuses_is_told_of_what_wants_it(tmp_path: Path) -> None:
    log, store = tmp_path / "log", Store(tmp_path / "store")
    with running(Offline(2)) as executor:
        with pytest.raises(ExecutorError, match=r"^fetched .*no network here"):
            realize_many([part(1), fetched(str(log))], store=store, quiet=True, executor=executor)
        assert store.realizations() == []
    with running(Offline(2)) as executor:
        with pytest.raises(FailuresError, match="1 of 2 derivations failed"):
            realize_many([part(1), fetched(str(log))], store=store, quiet=True, executor=executor, keep_going=True)
        assert [one.name for one in store.realizations()] == ["part"]
    assert not log.exists()


@stage(code="ignore")
def hopeless(n: int) -> int:
    raise ValueError(f"part {n} is hopeless")


def test_many_failures_are_told_in_few_lines(tmp_path: Path) -> None:
    with pytest.raises(FailuresError, match="200 of 200 derivations failed") as caught:
        realize([hopeless(n) for n in range(200)], store=tmp_path / "s", quiet=True, keep_going=True)
    lines = str(caught.value).splitlines()
    assert len(lines) < 300
    assert sum("is hopeless" in line and "failed: ValueError" in line for line in lines) == 50
    assert lines[-1].strip() == "and 150 more"
    assert len(caught.value.failures) == len(caught.value.fields["failures"]) == 200  # type: ignore[arg-type]


def test_limits_are_for_this_machine_only(tmp_path: Path) -> None:
    from pylightnix.executors import InlineExecutor

    with pytest.raises(PylightnixError, match="limits are those of this machine"):
        realize(part(1), store=tmp_path / "s", executor=InlineExecutor(), limits={"gpus": 1})


def test_as_many_jobs_as_processors(tmp_path: Path) -> None:
    assert [one.value for one in realize([part(1), part(2)], store=tmp_path / "s", jobs="auto", quiet=True)] == [1, 2]
    for wrong in ("many", 0, 1.5, True):
        with pytest.raises(PylightnixError, match="jobs="):
            realize(part(1), store=tmp_path / "s", jobs=wrong)  # type: ignore[arg-type]
