"""A metric of a realization: found in its value, in the file of a promise, or by a function. Unaware of ranking."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, NamedTuple, SupportsFloat

from pylightnix.dsl.match.counting import Candidates
from pylightnix.dsl.match.wording import function_name, literal
from pylightnix.errors import MatcherError
from pylightnix.model.realization import Realization

Metric = str | Callable[[Any], object]
_ABSENT = object()


class Missing(NamedTuple):
    """No number was found; `found` says what was, empty if nothing was."""

    found: str = ""


def measure(metric: Metric, candidate: Realization[Any]) -> float | Missing:
    """The metric of a realization, or why there is none.

    Raises:
        MatcherError: a function raised or gave no number; a file cannot be read.
    """
    if isinstance(metric, str):
        return _named(metric, candidate)
    try:
        found = metric(candidate)
        number = Missing() if found is None else _number(found)
    except Exception as error:
        raise _failed(metric, candidate, f"raised {type(error).__name__}: {error}") from error
    if isinstance(number, Missing) and found is not None:
        raise _failed(metric, candidate, f"gave {number.found}")
    return number


def metric_name(metric: Metric) -> str:
    """The metric in a sentence."""
    if isinstance(metric, str):
        return metric
    name = function_name(metric, "candidate")
    return "metric" if name.startswith("lambda") else name


def nobody_has(metric: Metric, candidates: Candidates, measured: list[Missing], where: str) -> MatcherError:
    """The error for a metric that no candidate has: what was found instead, and what there is."""
    keys = dict.fromkeys(key for candidate in candidates for key in _paths(candidate.value))
    promises = dict.fromkeys(name for candidate in candidates for name in candidate.record.promises)
    instead = next((missing.found for missing in measured if missing.found), "")
    shown = literal(metric) if isinstance(metric, str) else function_name(metric, "candidate")
    return MatcherError(
        f"no candidate has the metric {shown}{f': there is {instead}' if instead else ''}",
        where=where,
        hint=f"keys of the value: {_listed(keys)}; promises: {_listed(promises)}",
        metric=shown,
        keys=list(keys),
        promises=list(promises),
    )


def _named(metric: str, candidate: Realization[Any]) -> float | Missing:
    found = _in_value(metric, candidate.value)
    if found is not _ABSENT:
        return _number(found)
    if metric in candidate.record.promises:
        return _in_file(metric, candidate)
    return Missing()


def _in_value(metric: str, value: object) -> object:
    """What stands under a key; a key that is there as written wins over a path."""
    if isinstance(value, dict) and metric in value:
        return value[metric]
    for part in metric.split("."):
        if not isinstance(value, dict) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _in_file(name: str, candidate: Realization[Any]) -> float | Missing:
    path = candidate.path / candidate.record.promises[name].path
    try:
        content = candidate.shelf.artifact(path)
    except FileNotFoundError:
        return Missing(f"a promise {literal(name)} whose artifact is not here")
    except IsADirectoryError:
        return Missing(f"a promise {literal(name)} that is a directory")
    except OSError as error:
        what = f"{literal(name)} of {candidate.ref} cannot be read: {error.strerror or error}"
        raise MatcherError(what, where=str(path), metric=name, ref=candidate.ref) from error
    try:
        return float(content.decode())
    except ValueError:
        return Missing(f"a promise {literal(name)} whose file holds no number")


def _number(found: object) -> float | Missing:
    if isinstance(found, (float, int)):  # asked first: it is fast, and nearly always so
        return float(found) if isinstance(found, float) else int(found)
    if isinstance(found, Integral):
        return int(found)
    if not isinstance(found, SupportsFloat):
        return Missing("None" if found is None else f"a {type(found).__name__}, not a number")
    return float(found)


def _failed(metric: Callable[[Any], object], candidate: Realization[Any], what: str) -> MatcherError:
    return MatcherError(
        f"the metric {function_name(metric, 'candidate')} {what}",
        where=f"{candidate.name} {candidate.ref.short}",
        hint="a metric gives a number, or None for a realization that has none",
        ref=candidate.ref,
    )


def _paths(value: object, above: str = "") -> list[str]:
    """The keys of a value, with dots where it is nested."""
    if not isinstance(value, dict):
        return []
    found = []
    for key, item in value.items():
        found += _paths(item, f"{above}{key}.") or [f"{above}{key}"]
    return found


def _listed(names: Mapping[str, object], most: int = 20) -> str:
    shown = ", ".join(sorted(names)[:most])
    return f"{shown}, …" if len(names) > most else shown or "none"


def is_nan(number: float) -> bool:
    """Whether this is NaN. An int is not, and may be too large to be asked as a float."""
    return isinstance(number, float) and math.isnan(number)


def brief(number: float | Missing) -> str:
    """A number in a sentence: six digits."""
    if isinstance(number, Missing):
        return "none"
    if isinstance(number, int) and abs(number) < 10**15:
        return str(number)
    try:
        return "NaN" if is_nan(number) else f"{number:.6g}"
    except OverflowError:
        return f"{'-' if number < 0 else ''}10^{int(math.log10(abs(number)))}"
