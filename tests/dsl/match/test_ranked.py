"""`best`: what it measures, how it ranks, what it says."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.dsl import match
from pylightnix.errors import MatcherError
from pylightnix.model.matching import Build
from pylightnix.model.realization import Realization
from pylightnix.testing.matching import build, chosen_values, reuse
from pylightnix.testing.memory import MemoryShelf, candidates_of


def accuracy(realization: Realization[Any]) -> float:
    return float(realization.value["accuracy"])


def test_best_of_runs() -> None:
    shelf = MemoryShelf.of({"accuracy": 0.9}, {"accuracy": 0.978})
    matcher = match.best("accuracy", of=5)
    assert build(matcher, shelf.candidates("model")) == Build(3, "best wants 5 runs, has 2")
    for _ in range(3):
        shelf.put("model", value={"accuracy": 0.9})
    assert chosen_values(matcher, shelf.candidates("model")) == [{"accuracy": 0.978}]
    assert reuse(matcher, shelf.candidates("model")).why == "best accuracy 0.978 of 5 runs"


def test_best_says_why() -> None:
    candidates = candidates_of({"a": 1, "b": 2.5}, {"a": 2, "b": 2.5}, {"a": 3, "b": 7})
    assert reuse(match.best("a"), candidates).why == "best a 3 of 3 realizations"
    assert reuse(match.best("a", mode="min"), candidates).why == "lowest a 1 of 3 realizations"
    assert reuse(match.best("b", mode="min"), candidates).why == "lowest b 2.5 of 3 realizations (2 tie)"
    assert reuse(match.best("a", of=3, n=2), candidates).why == "the 2 best by a, 3 to 2, of 3 realizations"
    mixed = candidates_of({"a": 1, "b": 2}, {"a": math.nan}, {"b": 1})
    assert reuse(match.best("a", 3, 2, "min"), mixed).why == "the 2 lowest by a, 1 to NaN, of 3 realizations"
    assert reuse(match.best("a", 3, 3), mixed).why == "the 3 best by a, 1 to none, of 3 realizations"
    assert reuse(match.best(lambda r: r.value["a"]), candidates).why == "best metric 3 of 3 realizations"
    assert reuse(match.best("a"), candidates_of({"a": math.nan})).why == "best a NaN of 1 realization"
    assert reuse(match.best("a"), candidates_of({"a": 10**5000})).why == "best a 10^5000 of 1 realization"
    assert reuse(match.best("a"), candidates_of({"a": -math.inf})).why == "best a -inf of 1 realization"


def test_best_takes_the_greatest_or_the_least() -> None:
    candidates = candidates_of(*({"x": x} for x in (2, -5.5, 10**400, math.inf, -math.inf, -(10**400), 0)))
    up = [-math.inf, -(10**400), -5.5, 0, 2, 10**400, math.inf]
    assert chosen_values(match.best("x", of=7, n=7), candidates) == [{"x": x} for x in reversed(up)]
    assert chosen_values(match.best("x", of=7, n=7, mode="min"), candidates) == [{"x": x} for x in up]
    assert chosen_values(match.best("x"), candidates) == [{"x": math.inf}]


def test_best_puts_numbers_before_nan_before_missing_and_ties_by_reference() -> None:
    values: list[Any] = [
        {"x": 1},
        {"x": 1, "y": 1},
        {"x": math.nan},
        {"x": math.nan, "y": 1},
        {"y": 1},
        None,
        {"x": "1"},
    ]
    candidates = candidates_of(*values)

    def rank(value: Any) -> int:
        x = value.get("x") if value else None
        return 2 if not isinstance(x, (int, float)) else 1 if math.isnan(x) else 0

    expected = [json.dumps(c.value) for c in sorted(candidates, key=lambda c: (rank(c.value), c.ref))]
    for mode in ("max", "min"):
        for given_order in (candidates, candidates[::-1]):
            got = chosen_values(match.best("x", of=7, n=7, mode=mode), given_order)
            assert [json.dumps(value) for value in got] == expected


@given(
    xs=st.lists(st.none() | st.floats(allow_nan=False) | st.integers() | st.just(math.nan) | st.booleans(), min_size=1),
    mode=st.sampled_from(["max", "min"]),
    data=st.data(),
)
def test_best_is_what_a_plain_scan_finds(xs: list[Any], mode: str, data: st.DataObject) -> None:
    candidates = candidates_of(*({"x": x, "at": at} for at, x in enumerate(xs)))
    n = data.draw(st.integers(1, len(xs)))
    matcher = match.best("x", of=len(xs), n=n, mode=mode)
    shuffled = data.draw(st.permutations(candidates))
    if set(xs) == {None}:
        with pytest.raises(MatcherError):
            matcher.match(shuffled)
        return
    left = list(candidates)
    expected: list[Realization[Any]] = []
    while len(expected) < n:
        winner = left[0]
        for other in left[1:]:
            if _beats(other, winner, mode):
                winner = other
        left.remove(winner)
        expected.append(winner)
    assert list(reuse(matcher, shuffled).chosen) == expected


def _beats(one: Realization[Any], other: Realization[Any], mode: str) -> bool:
    x, y = one.value["x"], other.value["x"]
    kinds = [2 if z is None else 1 if z != z else 0 for z in (x, y)]
    if kinds[0] != kinds[1] or kinds[0] != 0:
        return kinds[0] < kinds[1] or (kinds[0] == kinds[1] and one.ref < other.ref)
    if x == y:
        return one.ref < other.ref
    return bool(x > y) if mode == "max" else bool(x < y)


def test_true_is_one_and_false_is_zero() -> None:
    candidates = candidates_of({"ok": False, "x": 1}, {"ok": True, "x": 2}, {"ok": 0.5, "x": 3})
    assert [v["ok"] for v in chosen_values(match.best("ok", of=3, n=3), candidates)] == [True, 0.5, False]
    assert [v["ok"] for v in chosen_values(match.best(lambda r: r.value["x"] == 2), candidates)] == [True]


def test_a_key_with_dots_wins_over_a_path() -> None:
    nested = {"test": {"accuracy": 0.5}}
    assert chosen_values(match.best("test.accuracy"), candidates_of(nested)) == [nested]
    value = {"test.accuracy": 1, "test": {"accuracy": 5}}
    other = {"test.accuracy": 2, "test": {"accuracy": 4}}
    assert chosen_values(match.best("test.accuracy"), candidates_of(value, other)) == [other]


def test_a_metric_may_stand_in_the_file_of_a_promise() -> None:
    shelf = MemoryShelf()
    for text in (b"0.5\n", b" 0.75", b"nan", b"-1e3"):
        shelf.put("model", artifacts={"out/score.txt": text}, promises={"score": "out/score.txt"})
    best = reuse(match.best("score"), shelf.candidates("model"))
    assert best.chosen[0].shelf.artifact(best.chosen[0].score) == b" 0.75"
    assert best.why == "best score 0.75 of 4 realizations"
    lowest = reuse(match.best("score", mode="min"), shelf.candidates("model"))
    assert lowest.why == "lowest score -1000 of 4 realizations"


def test_a_key_of_the_value_wins_over_a_promise() -> None:
    shelf = MemoryShelf()
    for number in (1, 2):
        artifacts = {"score.txt": str(-number).encode()}
        shelf.put("model", value={"score": number}, artifacts=artifacts, promises={"score": "score.txt"})
    assert chosen_values(match.best("score"), shelf.candidates("model")) == [{"score": 2}]


def test_a_collected_realization_counts_for_its_value_and_runs() -> None:
    shelf = MemoryShelf()
    good = shelf.put("model", value={"a": 2}, artifacts={"s": b"2"}, promises={"s": "s"})
    shelf.put("model", value={"a": 1}, artifacts={"s": b"1"}, promises={"s": "s"})
    shelf.collect(good)
    candidates = shelf.candidates("model")
    assert reuse(match.best("a", of=2), candidates).chosen == (good,)
    assert reuse(match.best("s", of=2, n=2), candidates).chosen[1] == good  # its file is gone: without the metric
    assert reuse(match.first(), candidates).chosen == (good,)
    for candidate in candidates:
        shelf.collect(candidate)
    with pytest.raises(MatcherError, match="whose artifact is not here"):
        match.best("s").match(candidates)


def test_a_metric_that_nobody_has_is_an_error_that_lists_what_there_is() -> None:
    shelf = MemoryShelf()
    value = {"acc": 1, "test": {"loss": 2, "deep": {"er": 3}}}
    shelf.put("model", value=value, artifacts={"w": b"1"}, promises={"weights": "w"})
    with pytest.raises(MatcherError) as caught:
        match.best("accuracy").match(shelf.candidates("model"))
    assert str(caught.value) == (
        'model, match.best("accuracy"): no candidate has the metric "accuracy"\n'
        "  keys of the value: acc, test.deep.er, test.loss; promises: weights"
    )
    assert caught.value.fields["keys"] == ["acc", "test.loss", "test.deep.er"]
    with pytest.raises(MatcherError, match="promises: none") as caught:
        match.best("accuracy").match(candidates_of(None))
    assert "keys of the value: none" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "found"),
    [("0.9", "a str"), ([1], "a list"), (None, "None"), ({"x": 1}, "a dict")],
)
def test_what_is_no_number_is_named(value: object, found: str) -> None:
    with pytest.raises(MatcherError, match=f'no candidate has the metric "a": there is {found}'):
        match.best("a").match(candidates_of({"a": value}))


@pytest.mark.parametrize(
    ("artifacts", "found"),
    [
        ({"s": b"high"}, "whose file holds no number"),
        ({"s": b"\xff"}, "whose file holds no number"),
        ({"s": b""}, "whose file holds no number"),
        ({"s/x": b"1"}, "that is a directory"),
    ],
)
def test_a_promise_that_holds_no_number_is_named(artifacts: dict[str, bytes], found: str) -> None:
    shelf = MemoryShelf()
    shelf.put("model", artifacts=artifacts, promises={"score": "s"})
    with pytest.raises(MatcherError, match=f'there is a promise "score" {found}'):
        match.best("score").match(shelf.candidates("model"))


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_missing_metric() -> None:
    class Broken(MemoryShelf):
        def artifact(self, path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

    shelf = Broken()
    shelf.put("model", artifacts={"s": b"1"}, promises={"score": "s"})
    with pytest.raises(MatcherError, match="cannot be read: Permission denied") as caught:
        match.best("score").match(shelf.candidates("model"))
    assert isinstance(caught.value.__cause__, PermissionError)


@pytest.mark.parametrize("number", [3, 2.5, np.float32(2.5), np.int64(7), np.array(1.5), Fraction(1, 3), np.True_])
def test_a_function_may_give_any_real_number(number: Any) -> None:
    assert reuse(match.best(lambda r: number), candidates_of(1)).why.startswith("best metric ")


def test_a_function_that_gives_none_means_missing() -> None:
    candidates = candidates_of(1, 2, 3)
    assert chosen_values(match.best(lambda r: r.value if r.value < 3 else None), candidates) == [2]
    with pytest.raises(MatcherError, match="no candidate has the metric") as caught:
        match.best(lambda r: None).match(candidates)
    assert caught.value.fields["metric"] == "lambda candidate: ..."


@pytest.mark.parametrize("result", ["1", [1], 1j, object()])
def test_a_function_that_gives_no_number_is_an_error(result: object) -> None:
    with pytest.raises(MatcherError, match=f"gave a {type(result).__name__}, not a number"):
        match.best(lambda r: result).match(candidates_of(1))


def test_a_function_that_raises_is_an_error_with_its_cause() -> None:
    candidates = candidates_of({"x": 1})
    with pytest.raises(MatcherError, match="the metric accuracy raised KeyError: 'accuracy'") as caught:
        match.best(accuracy).match(candidates)
    assert isinstance(caught.value.__cause__, KeyError)
    assert candidates[0].ref.short in caught.value.where

    def interrupted(realization: Realization[Any]) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        match.best(interrupted).match(candidates)
