"""Counts that users give, runs that candidates have. Reads the runs of a candidate only where it must."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from pylightnix.errors import ConfigError
from pylightnix.model.matching import Build
from pylightnix.model.realization import Realization

Candidates = Sequence[Realization[Any]]


def whole(matcher: str, name: str, value: object) -> int:
    """A count above 0 as a plain int, else `ConfigError`. Integers of other libraries are taken, bools are not."""
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0:
        return int(value)
    raise ConfigError(
        f"{name} is a whole number above 0, not {value!r}",
        where=f"match.{matcher}",
        hint=f"such as {name}=3",
        name=name,
    )


def whole_or_none(matcher: str, name: str, value: object) -> int | None:
    """As `whole`, or None."""
    return None if value is None else whole(matcher, name, value)


def in_order(candidates: Candidates) -> list[Realization[Any]]:
    """The candidates by reference."""
    return sorted(candidates, key=lambda candidate: candidate.ref)


def known_runs(candidates: Candidates, wanted: int) -> int:
    """How many runs there are. Each candidate stands for one at least; if these are enough, nothing is read."""
    if len(candidates) >= wanted:
        return len(candidates)
    return sum(max(1, len(candidate.runs)) for candidate in candidates)


def missing_runs(matcher: str, runs: int, wanted: int) -> Build | None:
    """A wish for the runs that are missing, None if there are enough."""
    if runs >= wanted:
        return None
    if wanted == 1:
        return Build(1, "nothing is realized yet")
    return Build(wanted - runs, f"{matcher} wants {wanted} runs, has {runs or 'none'}")
