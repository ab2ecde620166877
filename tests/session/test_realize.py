"""What realize does, seen from outside: what is built, what is reused, what the builder and the user get."""

from __future__ import annotations

import dataclasses
import enum
import os
from pathlib import Path
from typing import Any

import pytest

import pylightnix
from pylightnix import Build, Dep, Deps, Derivation, Store, match, promise, stage
from pylightnix.errors import (
    ArgumentError,
    BuildError,
    ConfigError,
    GraphError,
    HiddenError,
    MatcherError,
    PromiseError,
    TargetError,
    UnknownPromiseError,
)

CALLS: list[str] = []


@pytest.fixture(autouse=True)
def _fresh_calls() -> None:
    CALLS.clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def realize(asked: Any, store: Store, **keywords: Any) -> Any:
    return pylightnix.realize(asked, store=store, quiet=True, **keywords)


def calls() -> list[str]:
    made = list(CALLS)
    CALLS.clear()
    return made


@stage(code="ignore")
def numbers(count: int = 3, table: Path = promise("table.txt")) -> None:
    CALLS.append("numbers")
    table.write_text(" ".join(map(str, range(count))))


@stage(code="ignore")
def total(data: Dep = numbers(), scale: int = 1, out: Path = promise("total.txt")) -> dict[str, int]:
    CALLS.append("total")
    result = scale * sum(int(word) for word in data.table.read_text().split())
    out.write_text(str(result))
    return {"total": result}


@stage(matcher=match.best("score", of=3), code="ignore")
def lucky(build: Build, data: Dep = numbers(), weights: Path = promise("w")) -> dict[str, int]:
    CALLS.append(f"lucky {build.run}")
    weights.write_text(str(build.seed))
    return {"score": build.seed % 1000}


def test_a_second_realize_builds_nothing_and_gives_the_same(store: Store) -> None:
    first = realize(total(), store)
    assert calls() == ["numbers", "total"]
    assert first.value == {"total": 3}
    assert first.out.read_text() == "3"
    second = realize(total(), store)
    assert calls() == []
    assert second == first


def test_a_derivation_that_is_whole_stays_the_file_that_it_is(store: Store) -> None:
    """Also where it gets a new key: what takes its place would not outlast a loss of power yet, and it may."""

    @stage(code="ignore")
    def source(build: Build) -> int:
        return build.seed

    @stage(code="ignore")
    def user(data: Dep = source()) -> int:
        return int(data.value)

    first = realize(user(), store)
    path = store.path / "derivations" / f"{first.context.derivation}.json"
    number = path.stat().st_ino
    second = realize(user(), store, rebuild=[source()])
    assert (second.context.derivation, second.ref != first.ref) == (first.context.derivation, True)
    assert path.stat().st_ino == number


def test_only_what_depends_on_a_changed_parameter_runs(store: Store) -> None:
    realize(total(), store)
    calls()
    assert realize(total(scale=2), store).value == {"total": 6}
    assert calls() == ["total"]
    assert realize(total(data=numbers(count=4)), store).value == {"total": 6}
    assert calls() == ["numbers", "total"]


def test_equal_bytes_upstream_stop_the_rebuilding(store: Store) -> None:
    def variant(version: str) -> Derivation[Any]:
        @stage(name="source", version=version)
        def source(table: Path = promise("table.txt")) -> None:
            CALLS.append("source")
            table.write_text("1 2")

        return source()

    first = realize(total(data=variant("1")), store)
    assert calls() == ["source", "total"]
    second = realize(total(data=variant("2")), store)
    assert calls() == ["source"]
    assert second.ref == first.ref
    assert second.context.derivation != first.context.derivation


def test_the_context_of_a_reuse_is_added_to_the_record(store: Store) -> None:
    def source(version: str) -> Derivation[Any]:
        return Derivation(name="source", builder=_write_table, promises={"table": "table.txt"}, version=version)

    first = realize(total(data=source("1")), store)
    second = realize(total(data=source("2")), store)
    assert {c.hash for c in store.keeper.contexts(first.record)} == {first.context.hash, second.context.hash}
    assert store.realization(first.ref).context == first.context
    assert [r.ref for r in store.realizations(total(data=source("2")))] == [first.ref]


def _write_table(table: Path) -> None:
    table.write_text("1 2")


def test_best_of_several_runs_feeds_what_depends_on_it(store: Store) -> None:
    best = realize(lucky(), store)
    assert calls() == ["numbers", "lucky 0", "lucky 1", "lucky 2"]
    scores = [r.value["score"] for r in store.realizations(name="lucky")]
    assert best.value["score"] == max(scores)
    realize(lucky(), store)
    assert calls() == []


def test_rebuild_makes_one_more_run_with_another_seed(store: Store) -> None:
    realize(lucky(), store)
    calls()
    realize(lucky(), store, rebuild=[lucky()])
    assert calls() == ["lucky 3"]
    seeds = {run.seed for r in store.realizations(name="lucky") for run in r.runs}
    assert len(seeds) == 4
    with pytest.raises(TargetError, match="not in the closure"):
        realize(lucky(), store, rebuild=[numbers(count=9)])


def test_equal_results_fold_and_count_as_runs(store: Store) -> None:
    fixed = numbers().with_matcher(match.all(of=4))
    (only,) = pylightnix.realize_many(fixed, store=store, quiet=True)
    assert calls() == ["numbers"] * 4
    assert [run.index for run in only.runs] == [0, 1, 2, 3]
    pylightnix.realize_many(fixed, store=store, quiet=True)
    assert calls() == []


def test_many_are_a_tuple_also_when_there_is_one(store: Store) -> None:
    @stage(code="ignore")
    def count(inputs: Deps) -> int:
        assert isinstance(inputs, tuple)
        return len(inputs)

    assert realize(count(numbers().with_matcher(match.all())), store).value == 1
    assert realize(count(lucky().with_matcher(match.all(of=3))), store).value == 3


def test_realize_of_many_names_realize_many(store: Store) -> None:
    with pytest.raises(TargetError, match="realize_many"):
        realize(lucky().with_matcher(match.all(of=2)), store)
    assert calls() == []


def test_realize_many_of_one_is_a_tuple(store: Store) -> None:
    assert len(pylightnix.realize_many(numbers(), store=store, quiet=True)) == 1


def test_containers_keep_their_shape(store: Store) -> None:
    done = realize({"a": [numbers(), (total(),)], "b": numbers}, store)
    assert done["a"][0] == done["b"]
    assert isinstance(done["a"][1], tuple)
    assert done["a"][1][0].value == {"total": 3}
    assert calls() == ["numbers", "total"]


def test_inputs_stand_inside_lists_and_dicts(store: Store) -> None:
    @stage(code="ignore")
    def gather(parts: list[Any], named: dict[str, Any]) -> list[Any]:
        return [parts[0].value, parts[1], named["x"][0].table.read_text(), named["y"]]

    made = realize(gather([total(), 7], {"x": [numbers(2)], "y": None}), store)
    assert made.value == [{"total": 3}, 7, "0 1", None]
    assert made.deps.parts[0].value == {"total": 3}
    assert made.deps.parts[1] == 7
    assert made.deps.named["x"][0].count == 2


def test_a_promise_as_argument_is_a_path_and_all_that_counts(store: Store) -> None:
    @stage(code="ignore")
    def pair(noise: int = 0, table: Path = promise("t.txt"), other: Path = promise("o.txt")) -> int:
        table.write_text("same")
        other.write_text(str(noise))
        return noise

    @stage(code="ignore")
    def reader(table: Path) -> str:
        CALLS.append("reader")
        assert isinstance(table, Path)
        return table.read_text()

    first = realize(reader(pair().table), store)
    assert first.value == "same"
    assert calls() == ["reader"]
    assert realize(reader(pair(noise=5).table), store) == first
    assert calls() == []


def test_a_realization_as_argument_is_that_one(store: Store) -> None:
    realize(lucky(), store)
    worst = min(store.realizations(lucky()), key=lambda r: r.value["score"])

    @stage(code="ignore")
    def look(at: Dep) -> int:
        return int(at.value["score"])

    assert realize(look(worst), store).value == worst.value["score"]


def test_a_given_realization_must_agree_with_the_rest_of_the_plan(store: Store) -> None:
    @stage(code="ignore")
    def noisy(build: Build) -> int:
        return build.run

    @stage(code="ignore")
    def middle(source: Dep = noisy()) -> int:
        return int(source.value)

    @stage(code="ignore")
    def both(left: Dep, right: Dep) -> list[int]:
        return [left.value, right.value]

    old = realize(middle(), store)
    assert realize(both(old, noisy()), store).value == [0, 0]
    realize(noisy(), store, rebuild=[noisy()])
    with pytest.raises(GraphError, match="was made with noisy"):
        realize(both(old, noisy()), store)


def test_a_diamond_sees_one_choice(store: Store) -> None:
    @stage(code="ignore")
    def side(top: Dep, which: str) -> int:
        return int(top.value["score"])

    @stage(code="ignore")
    def bottom(left: Dep = side(lucky(), "left"), right: Dep = side(lucky(), "right")) -> bool:
        return bool(left.value == right.value)

    done = realize(bottom(), store)
    assert done.value is True
    assert done.deps.left.deps.top == done.deps.right.deps.top


def test_one_derivation_under_two_matchers_is_an_error(store: Store) -> None:
    @stage(code="ignore")
    def both(left: Dep, right: Dep) -> None: ...

    with pytest.raises(GraphError, match="two matchers"):
        realize(both(lucky(), lucky().with_matcher(match.latest())), store)


def test_what_a_builder_sees_of_an_input(store: Store) -> None:
    @stage(code="ignore")
    def look(data: Dep = total(scale=2)) -> list[Any]:
        seen = [data.scale, data.value, data.params["scale"], list(data.files), data.path.name == data.out.parent.name]
        for name in ("deps", "ref", "runs", "log", "name", "context"):
            with pytest.raises(HiddenError, match="not in its key"):
                getattr(data, name)
        with pytest.raises(AttributeError):
            data.data  # noqa: B018
        return seen

    assert realize(look(), store).value == [2, {"total": 6}, 2, ["total.txt"], True]


def test_values_come_back_as_their_types(store: Store) -> None:
    @dataclasses.dataclass(frozen=True)
    class Options:
        rate: float
        layers: tuple[int, ...]

    class Mode(enum.Enum):
        FAST = 1

    @stage(code="ignore")
    def typed(
        options: Options, mode: Mode, where: Path, pair: tuple[int, ...], big: int, items: dict[str, Any]
    ) -> list[str]:
        assert options == Options(0.1, (1, 2))
        assert mode is Mode.FAST
        assert where == Path("a/b")
        assert pair == (1,)
        assert items == {"$x": 1, "$y": [None]}
        return [type(v).__name__ for v in (options, mode, where, pair, big)]

    made = realize(typed(Options(0.1, (1, 2)), Mode.FAST, Path("a/b"), (1,), 2**70, {"$x": 1, "$y": [None]}), store)
    assert made.value == ["Options", "Mode", "PosixPath", "tuple", "int"]
    assert made.options == Options(0.1, (1, 2))


def test_the_methods_of_a_parameter_are_in_the_key() -> None:
    def described(factor: int) -> str:
        if factor == 2:

            @dataclasses.dataclass(frozen=True)
            class Options:
                rate: int

                def scaled(self) -> int:
                    return self.rate * 2

            return _typed(Options(1)).ref

        @dataclasses.dataclass(frozen=True)
        class Options:  # type: ignore[no-redef]
            rate: int

            def scaled(self) -> int:
                return self.rate * 3

        return _typed(Options(1)).ref

    assert described(2) == described(2)
    assert described(2) != described(3)


@stage
def _typed(options: Any) -> int:
    return int(options.scaled())


def test_the_builder_never_gets_the_object_that_was_given(store: Store) -> None:
    given = [1, 2]

    @stage(code="ignore")
    def spoil(items: list[int]) -> None:
        items.append(3)

    described = spoil(given)
    given.append(9)
    assert realize(described, store).items == [1, 2]
    assert realize(spoil([1, 2]), store) == realize(described, store)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: total(scael=2), ArgumentError, "scale"),
        (lambda: total(out="x"), ArgumentError, "promise"),
        (lambda: total(numbers(), 1, 2, 3), ArgumentError, "by position"),
        (lambda: total(numbers(), data=numbers()), ArgumentError, "twice"),
        (lambda: total(scale={1}), ConfigError, r"total\(scale\)"),
        (lambda: total(scale=[1, {"a": object()}]), ConfigError, r"total\(scale\[1\]\['a'\]\)"),
        (lambda: total().tabel, UnknownPromiseError, "out"),
        (lambda: promise("../x"), ValueError, "leaves"),
        (lambda: promise("/x"), ValueError, "absolute"),
        (lambda: stage(name="a b")(lambda: None), ValueError, "name"),
        (lambda: stage(name="many")(lambda *items: None), ConfigError, "names each"),
    ],
)
def test_mistakes_are_errors_at_call_time(call: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        call()


def test_a_missing_argument_is_an_error_at_call_time() -> None:
    @stage
    def needs(value: int) -> None: ...

    with pytest.raises(ArgumentError, match="missing: value"):
        needs()  # type: ignore[call-arg]


def test_a_failure_keeps_what_was_finished_and_the_evidence(store: Store) -> None:
    @stage(code="ignore")
    def breaks(data: Dep = total(), limit: int = 5) -> None:
        print("about to break")
        raise RuntimeError("broken on purpose")

    with pytest.raises(BuildError) as caught:
        realize(breaks(), store)
    assert calls() == ["numbers", "total"]
    told = str(caught.value)
    for part in ("breaks", '"limit":5', "seed", "broken on purpose", "about to break", "pylightnix show"):
        assert part in told
    kept = Path(str(caught.value.fields["kept"]))
    assert (kept / "log").read_text() == "about to break\n"
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert not list((store.path / "tmp").iterdir())
    realize(total(), store)
    assert calls() == []


def test_a_broken_promise_registers_nothing(store: Store) -> None:
    @stage(code="ignore")
    def forgets(there: Path = promise("a.txt"), missing: Path = promise("b.txt")) -> None:
        there.write_text("x")

    with pytest.raises(PromiseError, match=r"b\.txt"):
        realize(forgets(), store)
    assert store.realizations() == []
    kept = next((store.path / "failed").iterdir())
    assert (kept / "out" / "a.txt").read_text() == "x"


def test_what_cannot_be_kept_fails_the_run_and_is_kept_as_evidence(store: Store) -> None:
    @stage(code="ignore")
    def pipes(build: Build) -> None:
        os.mkfifo(build.out / "pipe")

    with pytest.raises(BuildError, match="pipe") as caught:
        realize(pipes(), store)
    assert Path(str(caught.value.fields["kept"])).is_dir()
    assert store.realizations() == []


def test_the_reason_of_a_rebuild_is_the_least_difference(store: Store) -> None:
    realize(total(), store)
    realize(total(data=numbers(count=5)), store)
    told = str(pylightnix.plan(total(scale=3), store=store))
    assert "scale: 1 → 3" in told
    assert "data:" not in told


def test_a_failed_run_has_used_its_index(store: Store, tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    @stage(code="ignore")
    def sometimes(build: Build) -> int:
        if not flag.exists():
            raise RuntimeError
        return build.run

    with pytest.raises(BuildError):
        realize(sometimes(), store)
    flag.touch()
    assert realize(sometimes(), store).value == 1


def test_only_refuses_a_second_realization_before_it_is_there(store: Store) -> None:
    @stage(matcher=match.only(), code="ignore")
    def unsteady(build: Build) -> int:
        return build.run

    first = realize(unsteady(), store)
    with pytest.raises(MatcherError):
        realize(unsteady(), store, rebuild=[unsteady()])
    assert [r.ref for r in store.realizations()] == [first.ref]
    assert realize(unsteady(), store) == first


def test_a_matcher_that_is_never_satisfied_keeps_what_was_built(store: Store) -> None:
    greedy = numbers().with_matcher(match.by(lambda found: None, limit=3))
    with pytest.raises(MatcherError, match="limit is 3"):
        realize(greedy, store)
    assert calls() == ["numbers"] * 3
    assert len(store.realizations(name="numbers")[0].runs) == 3


def test_a_chosen_realization_whose_artifacts_are_gone_is_made_again(store: Store) -> None:
    first = realize(lucky(), store)
    calls()
    store.path.joinpath("store", first.ref).chmod(0o755)
    for file in first.path.iterdir():
        file.unlink()
    first.path.rmdir()
    again = realize(lucky(), store)
    assert again == first
    assert again.weights.read_text() == str(again.runs[0].seed)
    assert calls() == [f"lucky {first.runs[0].index}"]


def test_what_cannot_be_made_again_is_no_candidate_any_more(store: Store) -> None:
    @stage(code="ignore", matcher=match.first())
    def unsteady(out: Path = promise("o.txt")) -> None:
        CALLS.append("unsteady")
        out.write_bytes(os.urandom(8))

    first = realize(unsteady(), store)
    first.path.chmod(0o755)
    first.out.unlink()
    first.path.rmdir()
    calls()
    told = f"unsteady {first.ref.short} cannot be made again: its run 0 gave something else this time"
    with pytest.warns(UserWarning, match=told):
        second = realize(unsteady(), store)
    assert calls() == ["unsteady", "unsteady"]
    assert second != first
    assert second.runs[0].index == 1
    assert realize(unsteady(), store) == second
    assert calls() == []
    assert {r.ref for r in store.realizations()} == {first.ref, second.ref}


def test_plan_reads_only_and_says_what_realize_does(store: Store) -> None:
    before = pylightnix.plan(total(), store=store)
    assert [step.action for step in before] == ["build", "waiting"]
    assert not store.path.exists()
    assert before.work
    realize(total(), store)
    after = pylightnix.plan(total(), store=store)
    assert [step.action for step in after] == ["reuse", "reuse"]
    assert not after.work
    changed = pylightnix.plan(total(scale=4), store=store)
    assert "scale: 1 → 4" in str(changed)


def test_instantiate_writes_derivations_and_builds_nothing(store: Store) -> None:
    ready = pylightnix.instantiate({"it": total()}, store=store)
    assert calls() == []
    assert {ref.name for ref in store.derivations()} == {"numbers", "total"}
    done = realize(ready, store)
    assert done["it"].value == {"total": 3}


def test_artifacts_are_read_only(store: Store) -> None:
    done = realize(total(), store)
    assert done.out.stat().st_mode & 0o222 == 0
    assert done.path.stat().st_mode & 0o222 == 0


def test_the_store_can_be_moved(store: Store, tmp_path: Path) -> None:
    first = realize(total(), store)
    os.rename(store.path, tmp_path / "elsewhere")
    moved = Store(tmp_path / "elsewhere")
    assert realize(total(), moved) == first
    assert moved.realization(first.ref[:10]).deps.data.table.read_text() == "0 1 2"
    calls()


def test_the_location_is_fixed_when_the_store_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("here")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert store.path == tmp_path / "here"


def test_a_long_chain_and_a_ladder(store: Store) -> None:
    @stage(version="1")
    def link(before: list[Any], index: int) -> int:
        return index

    chain = link([], 0)
    for index in range(1, 1500):
        chain = link([chain], index)
    assert realize(chain, store).value == 1499
    rung = link([], -1)
    for index in range(60):
        rung = link([rung, rung], index)
    assert realize(rung, store).value == 59


def test_plain_constructor_and_decorated_defaults(store: Store) -> None:
    made = Derivation(name="plain", builder=_write_table, promises={"table": "x/t.txt"})
    assert realize(made, store).table.read_text() == "1 2"
    with pytest.raises(ConfigError, match="both"):
        Derivation(name="p", builder=_write_table, params={"table": 1}, promises={"table": "t"})


def test_a_return_value_must_be_json(store: Store) -> None:
    @stage(code="ignore")
    def odd() -> Any:
        return {"a": {1, 2}}

    with pytest.raises(BuildError, match="no JSON value"):
        realize(odd(), store)

    @stage(code="ignore")
    def fine() -> Any:
        return [float("inf"), float("nan"), (1, 2), {"$tuple": []}]

    value = realize(fine(), store).value
    assert value[0] == float("inf")
    assert value[1] != value[1]
    assert value[2:] == [(1, 2), {"$tuple": []}]


def test_a_remove_forgets_a_realization_but_not_its_seed(store: Store) -> None:
    first = realize(lucky(), store)
    indices = {run.index for r in store.realizations(name="lucky") for run in r.runs}
    store.remove(first)
    calls()
    realize(lucky(), store)
    assert calls() == [f"lucky {max(indices) + 1}"]
