"""Asks matchers, and sees that what they say is a verdict. Unaware of what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pylightnix.errors import MatcherError, PylightnixError
from pylightnix.model.closure import Pinned
from pylightnix.model.matching import Build, Reuse, Verdict
from pylightnix.model.realization import Realization


def ask(pinned: Pinned, candidates: Sequence[Realization[Any]]) -> Verdict:
    """What the matcher of a derivation says.

    Raises:
        MatcherError: it raised something, or said what no matcher may say; what it raises of ours comes as it is.
    """
    try:
        verdict = pinned.matcher.match(candidates)
    except PylightnixError:
        raise
    except Exception as error:
        raise broken(pinned, f"raised {type(error).__name__}: {error}") from error
    if isinstance(verdict, Build):
        if type(verdict.count) is not int or verdict.count < 1:
            raise broken(pinned, f"asked for {verdict.count!r} runs")
        return verdict
    if not isinstance(verdict, Reuse):
        raise broken(pinned, f"said neither Reuse nor Build but {verdict!r}")
    chosen = verdict.chosen  # mostly the one of one, which is fine
    if type(chosen) is not tuple or len(chosen) != 1 or len(candidates) != 1 or chosen[0] is not candidates[0]:
        _see_choice(pinned, candidates, chosen)
    return verdict


def _see_choice(pinned: Pinned, candidates: Sequence[Realization[Any]], given: Sequence[Realization[Any]]) -> None:
    """MatcherError if a matcher may not choose this."""
    if not isinstance(given, Sequence):
        raise broken(pinned, f"chose {given!r}")
    chosen = {id(realization) for realization in given}
    if not chosen <= {id(realization) for realization in candidates}:
        raise broken(pinned, "chose something that is not one of its candidates")
    if len(chosen) < len(given):
        raise broken(pinned, "chose a realization twice")
    if not pinned.matcher.many and len(chosen) != 1:
        raise broken(pinned, f"chooses one, and gave {len(chosen)}")


def broken(pinned: Pinned, what: str) -> MatcherError:
    """The error for a matcher that did something no matcher may do."""
    return MatcherError(
        f"the matcher {pinned.matcher!r} {what}",
        where=f"{pinned.name} {pinned.ref.short}",
        hint="a matcher gives Reuse(some of its candidates, why) or Build(count, why)",
        derivation=pinned.ref,
    )
