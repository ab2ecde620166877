"""`by`: what a function may answer, and what becomes of everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pylightnix.dsl import match
from pylightnix.errors import ConfigError, MatcherError
from pylightnix.model.matching import Build, Reuse
from pylightnix.model.realization import Realization
from pylightnix.testing.matching import build, chosen_values, reuse
from pylightnix.testing.memory import candidates_of


def test_by_chooses_one() -> None:
    candidates = candidates_of(1, 2, 3)
    matcher = match.by(lambda cs: max(cs, key=lambda c: c.value))
    assert chosen_values(matcher, candidates) == [3]
    assert reuse(matcher, candidates).why == "lambda candidates: ... chose one of 3 realizations"
    assert matcher.limit == 100


def test_by_gives_a_tuple_by_reference_and_returns_the_candidates_themselves() -> None:
    candidates = candidates_of(1, 2, 3)
    seen: list[object] = []

    def choose(given: tuple[Realization[Any], ...]) -> Realization[Any]:
        seen.append(given)
        return Realization(given[0].record, given[0].shelf)  # equal, and another object

    verdict = reuse(match.by(choose), candidates[::-1])
    assert seen == [candidates]
    assert type(seen[0]) is tuple
    assert verdict.chosen[0] is candidates[0]


def test_by_chooses_many_in_its_own_order() -> None:
    candidates = candidates_of(1, 2, 3)
    falling = match.by(lambda cs: sorted(cs, key=lambda c: -c.value), many=True)
    assert chosen_values(falling, candidates) == [3, 2, 1]
    assert chosen_values(match.by(lambda cs: cs[:1], many=True), candidates) == [candidates[0].value]
    nothing = reuse(match.by(lambda cs: [], many=True), candidates)
    assert nothing == Reuse((), "lambda candidates: ... chose none of 3 realizations")
    assert reuse(match.by(lambda cs: (), many=True), ()).chosen == ()


def test_by_asks_for_runs() -> None:
    candidates = candidates_of(1)
    assert build(match.by(lambda cs: None), candidates).count == 1
    assert build(match.by(lambda cs: 3), candidates) == Build(
        3, "lambda candidates: ... wants 3 more runs, has 1 realization"
    )
    assert build(match.by(lambda cs: np.int64(2)), ()).count == 2  # type: ignore[return-value, arg-type]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("answer", [True, False, 0, -1, "all", 1.0, {}, {1}, object()])
def test_by_refuses_other_answers(answer: Any, many: bool) -> None:
    with pytest.raises(MatcherError) as caught:
        match.by(lambda cs: answer, many=many).match(candidates_of(1))
    assert caught.value.hint.startswith("it returns ")
    assert caught.value.where.startswith("model, match.by(")


def test_by_keeps_one_and_many_apart_by_type() -> None:
    candidates = candidates_of(1, 2)
    with pytest.raises(MatcherError, match="returned a list"):
        match.by(lambda cs: [cs[0]]).match(candidates)
    with pytest.raises(MatcherError, match="returned a list"):
        match.by(lambda cs: []).match(candidates)
    with pytest.raises(MatcherError, match="returned a Realization"):
        match.by(lambda cs: cs[0], many=True).match(candidates)


def test_by_refuses_strangers_and_duplicates() -> None:
    candidates = candidates_of(1, 2)
    (stranger,) = candidates_of("stranger")
    with pytest.raises(MatcherError, match="which is no candidate"):
        match.by(lambda cs: stranger).match(candidates)
    with pytest.raises(MatcherError, match="which is no candidate"):
        match.by(lambda cs: [cs[0], stranger], many=True).match(candidates)
    with pytest.raises(MatcherError, match="twice"):
        match.by(lambda cs: [cs[0], cs[1], cs[0]], many=True).match(candidates)
    with pytest.raises(MatcherError, match="chose 'x'"):
        match.by(lambda cs: [cs[0], "x"], many=True).match(candidates)  # type: ignore[list-item]


def test_by_carries_the_cause_of_what_the_function_raised() -> None:
    with pytest.raises(MatcherError, match="raised ZeroDivisionError") as caught:
        match.by(lambda cs: 1 // 0).match(candidates_of(1))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(("function", "many"), [("x", False), (None, False), (len, 1), (len, "no")])
def test_by_wants_a_function_and_a_bool(function: Any, many: Any) -> None:
    with pytest.raises(ConfigError):
        match.by(function, many=many)
