"""Asks a matcher as the engine would, and sees that its verdict keeps the contract. For tests of matchers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pylightnix.model.matching import Build, Matcher, Reuse, Verdict
from pylightnix.model.realization import Realization


def verdict_of(matcher: Matcher, candidates: Sequence[Realization[Any]]) -> Verdict:
    """The verdict, after a check of the contract: some of the candidates, each once, one or many as announced.

    Raises:
        AssertionError: the matcher breaks its contract.
    """
    verdict = matcher.match(candidates)
    if isinstance(verdict, Build):
        _see(type(verdict.count) is int and verdict.count > 0, f"{matcher!r} asked for {verdict.count!r} runs")
    else:
        refs = [realization.ref for realization in verdict.chosen]
        strangers = set(refs) - {candidate.ref for candidate in candidates}
        _see(type(verdict.chosen) is tuple, f"{matcher!r} chose a {type(verdict.chosen).__name__}, not a tuple")
        _see(not strangers, f"{matcher!r} chose what is no candidate: {strangers}")
        _see(len(set(refs)) == len(refs), f"{matcher!r} chose a realization twice")
        _see(matcher.many or len(refs) == 1, f"{matcher!r} chooses one, and gave {len(refs)}")
    _see(bool(verdict.why), f"{matcher!r} did not say why")
    return verdict


def reuse(matcher: Matcher, candidates: Sequence[Realization[Any]]) -> Reuse:
    """The verdict, which must be a choice."""
    verdict = verdict_of(matcher, candidates)
    if not isinstance(verdict, Reuse):
        raise AssertionError(f"{matcher!r} made no choice: {verdict}")
    return verdict


def build(matcher: Matcher, candidates: Sequence[Realization[Any]]) -> Build:
    """The verdict, which must be a wish for runs."""
    verdict = verdict_of(matcher, candidates)
    if not isinstance(verdict, Build):
        raise AssertionError(f"{matcher!r} wants no run: {verdict}")
    return verdict


def chosen_values(matcher: Matcher, candidates: Sequence[Realization[Any]]) -> list[Any]:
    """The values of what is chosen, in the order of the choice."""
    return [realization.value for realization in reuse(matcher, candidates).chosen]


def _see(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
