"""`latest`, `first`, `only`, `some`, `all`: what they choose, ask for, refuse and say."""

from __future__ import annotations

import pytest

from pylightnix.dsl import match
from pylightnix.errors import MatcherError
from pylightnix.model.matching import Build
from pylightnix.testing.matching import build, chosen_values, reuse
from pylightnix.testing.memory import MemoryShelf, candidates_of


def test_without_candidates_one_run_is_wanted() -> None:
    for matcher in (match.latest(), match.first(), match.only(), match.best("a"), match.all()):
        assert build(matcher, ()) == Build(1, "nothing is realized yet")


def test_latest_and_first_go_by_the_age_of_runs() -> None:
    shelf = MemoryShelf.of("a", "b", "c", "a")  # runs 0 to 3; "a" is both the oldest and the newest
    candidates = shelf.candidates("model")
    assert chosen_values(match.latest(), candidates) == ["a"]
    assert chosen_values(match.latest(n=3), candidates) == ["a", "c", "b"]
    assert chosen_values(match.latest(n=2), candidates) == ["a", "c"]
    assert chosen_values(match.first(), candidates) == ["a"]
    assert chosen_values(match.first(n=2), candidates) == ["a", "b"]
    assert chosen_values(match.first(n=4), candidates) == ["a", "b", "c"]
    assert reuse(match.latest(), candidates).why == "the newest of 3 realizations"
    assert reuse(match.latest(n=2), candidates).why == "the 2 newest of 3 realizations"
    assert reuse(match.first(n=4), candidates).why == "all 3 realizations, oldest first"


def test_age_is_the_index_and_then_the_clock() -> None:
    shelf = MemoryShelf()
    for value, run in (("early", 61), ("late", 2), ("old", 0)):
        shelf.put("model", value=value, run=run)  # run 61 started in second 1: the clock jumped back
    assert chosen_values(match.latest(n=3), shelf.candidates("model")) == ["early", "late", "old"]
    assert chosen_values(match.first(n=3), shelf.candidates("model")) == ["old", "late", "early"]


def test_equal_ages_are_decided_by_the_reference_both_ways() -> None:
    shelf = MemoryShelf()
    for value in range(8):
        shelf.put("model", value=value, run=4)  # as after a merge of stores
    candidates = shelf.candidates("model")
    by_ref = [c.value for c in candidates]
    for matcher in (match.latest(8), match.first(8)):
        assert chosen_values(matcher, candidates) == by_ref
        assert chosen_values(matcher, candidates[::-1]) == by_ref
    assert chosen_values(match.latest(), candidates) == by_ref[:1]


def test_realizations_without_runs_come_last() -> None:
    shelf = MemoryShelf.of("lost", "a", "b")
    lost = next(c for c in shelf.candidates("model") if c.value == "lost")
    shelf._runs[lost.ref].clear()
    assert chosen_values(match.latest(3), shelf.candidates("model")) == ["b", "a", "lost"]
    assert chosen_values(match.first(3), shelf.candidates("model")) == ["a", "b", "lost"]
    assert build(match.latest(4), shelf.candidates("model")).count == 1  # it stands for a run all the same


def test_n_wants_runs_and_gives_different_realizations() -> None:
    shelf = MemoryShelf.of("same", "same")
    assert build(match.latest(n=3), shelf.candidates("model")) == Build(1, "latest wants 3 runs, has 2")
    assert build(match.first(n=4), shelf.candidates("model")) == Build(2, "first wants 4 runs, has 2")
    assert build(match.first(n=4), ()) == Build(4, "first wants 4 runs, has none")
    shelf.put("model", value="same")
    assert chosen_values(match.latest(n=3), shelf.candidates("model")) == ["same"]
    assert chosen_values(match.first(n=3), shelf.candidates("model")) == ["same"]


def test_only_takes_the_one_there_is() -> None:
    candidates = candidates_of("a", "a")
    assert chosen_values(match.only(), candidates) == ["a"]
    assert reuse(match.only(), candidates).why == "the only realization"


def test_only_lists_the_realizations_where_there_are_several() -> None:
    candidates = candidates_of("a", "b")
    with pytest.raises(MatcherError) as caught:
        match.only().match(candidates)
    text = str(caught.value)
    assert all(candidate.ref in text for candidate in candidates)
    assert text.startswith("model, match.only(): ")
    assert "remove" in caught.value.hint
    assert caught.value.fields["candidates"] == [c.ref for c in candidates]


def test_only_refuses_a_second_different_realization() -> None:
    one, other = candidates_of("a", "b")
    assert match.only().refuse([], one.ref) is None
    assert match.only().refuse([one], one.ref) is None
    reason = match.only().refuse([one], other.ref)
    assert reason is not None
    assert one.ref in reason
    assert other.ref in reason


def test_some_goes_by_reference() -> None:
    candidates = candidates_of("a", "b", "c")
    by_ref = [c.value for c in candidates]
    assert chosen_values(match.some(2), candidates) == by_ref[:2]
    assert chosen_values(match.some(2), candidates[::-1]) == by_ref[:2]
    assert reuse(match.some(2), candidates).why == "2 of 3 realizations"
    assert build(match.some(5), candidates) == Build(2, "some wants 5 runs, has 3")
    assert chosen_values(match.some(3), candidates_of("x", "x", "x")) == ["x"]


def test_all_gives_all_once_there_are_enough_runs() -> None:
    candidates = candidates_of("a", "b", "a")
    assert chosen_values(match.all(), candidates[::-1]) == [c.value for c in candidates]
    assert chosen_values(match.all(of=3), candidates) == [c.value for c in candidates]
    assert build(match.all(of=5), candidates) == Build(2, "all wants 5 runs, has 3")
    assert reuse(match.all(), candidates).why == "all 2 realizations"
    assert reuse(match.all(), candidates_of("a")).why == "all 1 realization"
