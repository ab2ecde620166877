"""A recorded run is made again with its seed and inputs, and compared; nothing is left behind or registered."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Build, Dep, Derivation, Store, check, match, promise, stage
from pylightnix.comparison.differences import Verdict
from pylightnix.errors import BuildError, CollectedError, MatcherError, TargetError
from pylightnix.executors import InlineExecutor, ProcessExecutor
from pylightnix.store.removal import remove_tree
from pylightnix.testing.bench import wait_for
from pylightnix.testing.processes import is_alive
from tests.powers import as_ordinary_user

LUCK = {"noise": 0.0, "fail": 0.0, "interrupt": 0.0}
SEEDS: list[int] = []


@pytest.fixture
def store(tmp_path: Path) -> Store:
    LUCK.update(noise=0.0, fail=0.0, interrupt=0.0)
    SEEDS.clear()
    return Store(tmp_path / "store")


@stage(code="ignore")
def raw(build: Build, n: int = 3, out: Path = promise("raw.txt")) -> None:
    out.write_text(f"{n} {build.seed}")


def train(build: Build, data: Any, weights: Path, table: Path) -> dict[str, float]:
    SEEDS.append(build.seed)
    if (build.checkpoint / "old").exists():
        raise AssertionError("a checkpoint of somebody else")
    (build.checkpoint / "old").touch()
    (build.scratch / "x").write_text("x")
    weights.write_text(f"{data.out.read_text()} {build.seed}")
    table.write_text(f"x,{build.seed % 100 + LUCK['noise']}\n")
    if LUCK["interrupt"]:
        raise KeyboardInterrupt
    if LUCK["fail"]:
        raise ValueError("not this time")
    return {"score": build.seed % 100 + LUCK["noise"]}


@stage(matcher=match.best("score", of=3), code="ignore")
def model(
    build: Build, data: Dep = raw(), weights: Path = promise("w"), table: Path = promise("t.csv")
) -> dict[str, float]:
    return train(build, data, weights, table)


@stage(code="ignore")
def report(best: Dep = model(), out: Path = promise("r")) -> None:
    out.write_text(str(best.value))


def realize(asked: Any, store: Store) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True)


def checked(asked: Any, store: Store, **options: Any) -> Any:
    return check(asked, store=store, quiet=True, **options)


def state(store: Store) -> list[str]:
    """All names in the store but those that only say what is used when."""
    return sorted(
        str(path.relative_to(store.path))
        for path in store.path.rglob("*")
        if path.relative_to(store.path).parts[0] not in ("cache", "locks")
    )


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_equal_and_nothing_is_left(store: Store, executor: str) -> None:
    best = realize(model(), store)
    before = state(store)
    (one,) = checked(model(), store, executor=executor)
    assert (one.verdict, one.ref, one.now, one.differences) == (Verdict.EQUAL, best.ref, best.ref, ())
    assert (one.run, one.seed) == (best.runs[0].index, best.runs[0].seed)
    assert state(store) == before
    assert os.listdir(store.path / "tmp/checkpoints") == []


def test_the_seed_is_the_recorded_one(store: Store) -> None:
    best = realize(model(), store)
    SEEDS.clear()
    checked(best, store)
    assert [best.runs[0].seed] == SEEDS


def test_different_and_close(store: Store) -> None:
    realize(model(), store)
    before = state(store)
    LUCK["noise"] = 1e-6
    exact = checked(model(), store)
    assert exact.verdict is Verdict.DIFFERENT
    assert [difference.place for difference in exact[0].differences] == ["value", "t.csv"]
    assert exact[0].differences[0].at == ".score"
    assert checked(model(), store, atol=1e-3).verdict is Verdict.CLOSE
    assert checked(model(), store, atol=1e-9).verdict is Verdict.DIFFERENT
    assert state(store) == before
    assert str(exact).startswith(f"different  {exact[0].ref.short}  model  run ")


def test_closure(store: Store) -> None:
    realize(report(), store)
    assert sorted(one.ref.name for one in checked(report(), store, closure=True)) == ["model", "raw", "report"]
    assert [one.ref.name for one in checked(report(), store)] == ["report"]


def test_the_inputs_are_those_of_the_run(store: Store) -> None:
    """Whatever a matcher would choose today."""
    first = realize(report(), store)
    pylightnix.realize(report(), store=store, quiet=True, rebuild=[raw(), model(), report()])
    (one,) = checked(first, store)
    assert one.verdict is Verdict.EQUAL
    for name in ("raw", "model", "report"):
        for realization in store.realizations(name=name):
            for run in realization.runs:
                (one,) = checked(str(realization.ref), store, of=report(), run=run.index)
                assert (one.verdict, one.run) == (Verdict.EQUAL, run.index)


def upstream(version: str, *, second: bool = False) -> Derivation[Any]:
    """A stage whose code changes and whose result does not; and a stage that uses it, in two ways."""

    @stage(version=version)
    def source(n: int = 1, out: Path = promise("o")) -> int:
        out.write_text("same")
        return 5

    @stage(version="1")
    def other(n: int = 1, out: Path = promise("o")) -> int:
        out.write_text("other")
        return 6

    @stage(version="1")
    def user(
        z: Dep = source(), b: Any = (other().out, {"deep": source().out}), a: Dep = other(), k: int = 3,
        out: Path = promise("u"),
    ) -> int:  # fmt: skip
        out.write_text(
            f"{z.value} {z.n} {b[0].read_text()} {b[1]['deep'].read_text()} {a.value} {a.out.read_text()} {k}"
        )
        return 7

    return user()


def test_code_upstream_may_have_changed_since(store: Store) -> None:
    """Nothing downstream ran again, so the run has another derivation than what is at hand, with the same key."""
    first = realize(upstream("1"), store)
    second = realize(upstream("2"), store)
    assert first.ref == second.ref
    assert second.context.derivation != first.runs[0].derivation
    (one,) = checked(upstream("2"), store)
    assert one.verdict is Verdict.EQUAL


def test_code_that_changed_is_not_what_made_it(store: Store) -> None:
    def versioned(version: str) -> Derivation[Any]:
        @stage(name="versioned", version=version)
        def one(n: int = 1) -> int:
            return n

        return one()

    done = realize(versioned("1"), store)
    with pytest.raises(TargetError, match="not realized in this store"):
        checked(versioned("2"), store)
    with pytest.raises(TargetError, match="what is at hand is not what made it: code version 1 → version 2"):
        checked(str(done.ref), store, of=versioned("2"))


def test_a_reference_alone_is_not_enough(store: Store) -> None:
    done = realize(model(), store)
    with pytest.raises(TargetError, match=r"only the description[^|]*--of FILE\.py:STAGE"):
        checked(str(done.ref), store)
    with pytest.raises(TargetError, match=r"is not at hand[^|]*given were: raw"):
        checked(str(done.ref), store, of=raw())
    assert checked(done.ref[:12], store, of=report()).verdict is Verdict.EQUAL


def test_a_run_that_is_not_there(store: Store) -> None:
    realize(raw(), store)
    with pytest.raises(TargetError, match=r"no run 7 gave this[^|]*its runs: 0"):
        checked(raw(), store, run=7)


def test_an_input_that_is_collected_is_named(store: Store) -> None:
    import gc

    realize(model(), store)
    (source,) = store.realizations(name="raw")
    remove_tree(source.path)
    told = rf"was given artifacts that are not here: raw {source.ref.short}[^|]*match.exact"
    with pytest.raises(CollectedError, match=told):
        checked(model(), store)
    assert [name for name in os.listdir(store.path / "tmp") if name != "checkpoints"] == []
    realize(raw(), store)
    assert checked(model(), store).verdict is Verdict.EQUAL
    del source
    gc.collect()
    done = str(realize(model(), store).ref)
    gc.collect()
    store.gc(unreachable=True)
    with pytest.raises(CollectedError, match="pylightnix gc --restore"):
        checked(done, store, of=model())


def test_what_is_collected_itself_is_compared_by_its_hashes(store: Store) -> None:
    best = realize(model(), store)
    remove_tree(best.path)
    assert checked(best, store).verdict is Verdict.EQUAL
    assert not best.path.exists()
    LUCK["noise"] = 1e-6
    (one,) = checked(best, store, atol=1)
    assert [(f.place, f.verdict.value) for f in one.differences] == [("value", "close"), ("t.csv", "different")]
    LUCK["noise"] = 0.0
    (one,) = checked(best, store, register=True)
    assert one.registered
    assert best.path.exists(), "what was asked to be registered was missing"


def test_a_builder_that_fails_is_told_as_by_realize(store: Store) -> None:
    best = realize(model(), store)
    before = state(store)
    LUCK["fail"] = 1
    with pytest.raises(BuildError, match="not this time") as caught:
        checked(best, store)
    assert caught.value.fields["seed"] == best.runs[0].seed
    kept = Path(str(caught.value.fields["kept"]))
    assert (kept / "out/w").exists()
    remove_tree(kept)
    assert state(store) == before


@pytest.mark.parametrize(("failures", "attempts"), [(1, 2), (2, 3), (3, 3)])
def test_what_may_fail_by_chance_is_tried_again_as_by_realize(store: Store, failures: int, attempts: int) -> None:
    tried: list[int] = []

    @stage(code="ignore", retries={"OSError": 2})
    def flaky(build: Build, out: Path = promise("x")) -> None:
        tried.append(build.run)
        out.write_text("x")
        assert not (build.checkpoint / "seen").exists(), "each attempt begins anew"
        (build.checkpoint / "seen").touch()
        if len(tried) <= LUCK["fail"]:
            raise OSError("the network, say")

    made = realize(flaky(), store)
    tried.clear()
    before, LUCK["fail"] = state(store), failures
    if failures < attempts:
        assert checked(made, store, of=flaky()).verdict is Verdict.EQUAL
    else:
        with pytest.raises(BuildError, match="the network, say"):
            checked(made, store, of=flaky())
    assert tried == [0] * attempts
    for kept in store.path.glob("failed/*"):
        remove_tree(kept)
    assert state(store) == before


def test_interrupted_leaves_nothing(store: Store) -> None:
    best = realize(model(), store)
    before = state(store)
    LUCK["interrupt"] = 1
    with pytest.raises(KeyboardInterrupt):
        checked(best, store)
    assert state(store) == before


def test_interrupted_it_ends_what_an_executor_runs_that_is_somebodys_own(store: Store, tmp_path: Path) -> None:
    """Nobody else would: the store's place of the run is removed under it."""
    file, end = tmp_path / "pid", tmp_path / "hold"

    @stage(code="ignore")
    def held() -> int:
        if end.exists():
            (tmp_path / "new").write_text(str(os.getpid()))
            (tmp_path / "new").rename(file)
        while end.exists():
            time.sleep(0.01)
        return 1

    realize(held(), store)
    end.touch()

    came: list[str] = []
    where = "inside"

    def come(*_: object) -> None:
        came.append(where)
        if where == "inside":
            raise KeyboardInterrupt

    def interrupt() -> None:
        wait_for(file.exists)
        signal.pthread_kill(main, signal.SIGINT)

    executor, main = ProcessExecutor(1), threading.get_ident()
    before = signal.signal(signal.SIGINT, come)  # whatever other tests have left there
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            checked(held(), store, executor=executor)
        where = "after"
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == ["inside"]
    assert not is_alive(int(file.read_text()))
    assert [name for name in os.listdir(store.path / "tmp") if name != "checkpoints"] == []


def test_no_checkpoint_is_taken_from_others_or_left_to_them(store: Store) -> None:
    best = realize(model(), store)
    left = store.path / "tmp/checkpoints" / f"{best.record.home.digits}-9-left-1-{'0' * 12}"
    left.mkdir()
    (left / "old").touch()
    assert checked(best, store).verdict is Verdict.EQUAL
    assert os.listdir(left.parent) == [left.name]


@stage(code="ignore", timeout=2)
def hangs(build: Build, flag: str) -> int:
    build.checkpoint.joinpath("half").touch()
    while os.path.exists(flag):
        time.sleep(0.01)
    return 1


def test_no_attempt_is_told_to_get_a_checkpoint_that_nobody_gets(store: Store, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    done = pylightnix.realize(hangs(str(flag)), store=store)
    flag.touch()
    with pytest.raises(BuildError, match="the run took longer than") as caught:
        check(hangs(str(flag)), store=store)
    assert "timeout= of the stage gives it longer" in str(caught.value)
    assert "checkpoint" not in str(caught.value)
    with pytest.raises(BuildError, match="is there for the next attempt"):
        pylightnix.realize(hangs(str(flag)), store=store, rebuild=[done])


def test_registered_only_if_asked_and_under_its_own_index(store: Store) -> None:
    best = realize(model(), store)
    LUCK["noise"] = 1e-6
    (one,) = checked(best, store, register=True)
    assert one.registered
    new = store.realization(one.now)
    assert (new.runs[0].index, new.runs[0].seed) == (one.run, one.seed)
    assert new.deps.data.ref == best.deps.data.ref
    assert store.verify().sound
    assert checked(new, store, of=model()).verdict is Verdict.EQUAL
    LUCK["noise"] = 0.0
    count = len(store.realizations(name="model"))
    assert not checked(best, store, register=True)[0].registered, "it is there"
    assert len(store.realizations(name="model")) == count


def test_a_matcher_may_refuse_to_have_it_registered(store: Store) -> None:
    @stage(matcher=match.only(), code="ignore")
    def single(build: Build) -> float:
        return LUCK["noise"]

    realize(single(), store)
    LUCK["noise"] = 1
    assert checked(single(), store).verdict is Verdict.DIFFERENT
    with pytest.raises(MatcherError):
        checked(single(), store, register=True)
    assert len(store.realizations(name="single")) == 1


def test_kept_for_examination(store: Store) -> None:
    best = realize(model(), store)
    assert checked(best, store, keep=True)[0].kept is None, "it is equal"
    LUCK["noise"] = 0.5
    (one,) = checked(best, store, keep=True)
    assert one.kept is not None
    assert one.kept.parent == store.path / "failed"
    assert (one.kept / "out/t.csv").read_text() == f"x,{one.seed % 100 + 0.5}\n"
    assert one.lines()[-1] == f"  kept: {one.kept}"


def test_an_executor_that_is_given_is_its_owners_to_stop(store: Store) -> None:
    realize(model(), store)
    executor = InlineExecutor()
    assert checked(model(), store, executor=executor).verdict is Verdict.EQUAL
    assert checked(model(), store, executor=executor).verdict is Verdict.EQUAL


def test_lists_and_dicts_are_checked_each_once(store: Store) -> None:
    asked = {"a": model(), "b": [report(), raw()]}
    realize(asked, store)
    assert len(checked([*asked.values(), raw()], store)) == 3


def test_a_store_that_cannot_be_written(store: Store) -> None:
    best = realize(model(), store)
    (store.path / "tmp").chmod(0o555)
    with pytest.raises(pylightnix.PylightnixError, match="cannot be written"):
        as_ordinary_user(lambda: checked(best, store))
