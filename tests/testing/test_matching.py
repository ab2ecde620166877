"""The check of matchers catches each way to break the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pylightnix.dsl import match
from pylightnix.model.matching import Build, Reuse, Verdict
from pylightnix.model.realization import Realization
from pylightnix.names import RealizationRef
from pylightnix.testing.matching import build, chosen_values, reuse, verdict_of
from pylightnix.testing.memory import candidates_of

ONE, OTHER, STRANGER = candidates_of(1, 2, 3)
GIVEN = (ONE, OTHER)


class Says:
    """A matcher that says what it is told to say."""

    def __init__(self, verdict: Verdict, many: bool = False) -> None:
        self.verdict = verdict
        self.many = many

    def match(self, candidates: Sequence[Realization[Any]]) -> Verdict:
        return self.verdict

    def refuse(self, candidates: Sequence[Realization[Any]], new: RealizationRef) -> str | None:
        return None


def test_good_verdicts_pass() -> None:
    assert reuse(Says(Reuse((ONE,), "why")), GIVEN).chosen == (ONE,)
    assert reuse(Says(Reuse((), "why"), many=True), GIVEN).chosen == ()
    assert build(Says(Build(2, "why")), GIVEN).count == 2
    assert chosen_values(match.all(), GIVEN) == [ONE.value, OTHER.value]


@pytest.mark.parametrize(
    ("verdict", "many", "why"),
    [
        (Build(0, "why"), False, "asked for 0 runs"),
        (Build(True, "why"), False, "asked for True runs"),
        (Build(1, ""), False, "did not say why"),
        (Reuse((ONE,), ""), False, "did not say why"),
        (Reuse((STRANGER,), "why"), False, "no candidate"),
        (Reuse((ONE, ONE), "why"), True, "twice"),
        (Reuse((ONE, OTHER), "why"), False, "chooses one, and gave 2"),
        (Reuse((), "why"), False, "chooses one, and gave 0"),
        (Reuse([ONE], "why"), True, "not a tuple"),  # type: ignore[arg-type]
    ],
)
def test_broken_contracts_are_caught(verdict: Verdict, many: bool, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        verdict_of(Says(verdict, many), GIVEN)


def test_the_wrong_kind_of_verdict_is_caught() -> None:
    with pytest.raises(AssertionError, match="made no choice"):
        reuse(Says(Build(1, "why")), GIVEN)
    with pytest.raises(AssertionError, match="wants no run"):
        build(Says(Reuse((ONE,), "why")), GIVEN)
