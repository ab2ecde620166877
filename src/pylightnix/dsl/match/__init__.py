"""The matchers, as users write them: `match.best("accuracy", of=5)`. Each function gives a frozen value.

Some names are those of builtins; they are meant to be read with `match.` in front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pylightnix.dsl.match.exact import Exact, reference
from pylightnix.dsl.match.free import By
from pylightnix.dsl.match.ranked import Best
from pylightnix.dsl.match.simple import All, ByAge, Only, Some
from pylightnix.model.realization import Realization

__all__ = ["all", "best", "by", "exact", "first", "latest", "only", "some"]


def latest(n: int | None = None) -> ByAge:
    """The realization of the newest run; with `n`, a tuple of up to `n` different ones, newest run first.

    Runs are ordered by index, then by start; realizations that tie, by reference. Without `n` one run must exist,
    with `n` at least `n` runs; the missing ones are built.

    Raises:
        ConfigError: `n` is not a whole number above 0.
    """
    return ByAge(True, n)


def first(n: int | None = None) -> ByAge:
    """As `latest`, by the oldest run of each realization, oldest first."""
    return ByAge(False, n)


def only() -> Only:
    """The one realization there is; built if there is none. A second, different one is refused, never registered.

    Where there are several already, `match` raises `MatcherError`, which lists them.
    """
    return Only()


def best(metric: str | Callable[[Any], object], of: int = 1, n: int | None = None, mode: str = "max") -> Best:
    """The realization with the best metric once at least `of` runs exist; with `n`, a tuple of the `n` best.

    Numbers come first, the best in front, then NaN, then realizations without the metric; those that tie, by
    reference. Infinities are numbers, True is 1 and False is 0. Fewer different results than `n` give what there is.

    Args:
        metric: a key of the value; else, with dots, a path through its nested dicts; else the name of a promise whose
            file holds a number; or a function of a realization that gives a number or None (has none). The
            file of a collected realization is gone, so by a promise it has no metric: prefer the value.
        of: how many runs to choose from; the missing ones are built. Default 1.
        n: how many to choose, at most `of`; default one, which is not a tuple.
        mode: "max" (default) or "min".

    Raises:
        ConfigError: a count is not a whole number above 0, `n > of`, or another mode or metric.
        MatcherError: (when matching) no candidate has the metric, or the function raised.
    """
    return Best(metric, of, n, mode)


def some(n: int) -> Some:
    """A tuple of up to `n` different realizations, whichever, by reference, once at least `n` runs exist.

    Raises:
        ConfigError: `n` is not a whole number above 0.
    """
    return Some(n)


def all(of: int = 1) -> All:  # noqa: A001
    """A tuple of all realizations, by reference, once at least `of` runs exist.

    Raises:
        ConfigError: `of` is not a whole number above 0.
    """
    return All(of)


def exact(*refs: str | Realization[Any]) -> Exact:
    """The realization of this reference; of several, a tuple in the order given. Never builds.

    Args:
        refs: references (`<40 digits>-<name>`), their first digits (8 or more), or realizations.

    Raises:
        ConfigError: none is given, one is given twice, or one is no reference.
        UnknownReferenceError: (when matching) no candidate has the reference, or several begin so.
    """
    return Exact(tuple(reference(ref) for ref in refs))


def by(
    function: Callable[[tuple[Realization[Any], ...]], Realization[Any] | Sequence[Realization[Any]] | int | None],
    many: bool = False,
    limit: int = 100,
) -> By:
    """What a plain function of the candidates chooses.

    Args:
        function: gets a tuple of the candidates, by reference. It returns what it chooses: one realization, or with
            `many` a list or tuple of them (an empty one: satisfied with none); None to ask for one more run; an int
            above 0 to ask for so many more.
        many: whether it chooses a list. The type decides, never the count: a list of one is refused without it.
        limit: how many runs it may ask for in one realize; default 100.

    Raises:
        ConfigError: no function, or `limit` is not a whole number above 0.
        MatcherError: (when matching) the function raised, or returned something else.
    """
    return By(function, many, limit)
