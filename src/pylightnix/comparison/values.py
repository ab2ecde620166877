"""Compares trees of plain values, such as what a builder returned or what JSON holds, number by number. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pylightnix.comparison.judging import Judge, brief, is_number

Item = tuple[str, Any, Any]


def compare_values(recorded: object, now: object, judge: Judge, at: str = "") -> None:
    """Tell the judge of every difference, in the order of what was recorded. Does not recurse.

    Args:
        recorded: None, a truth value, number, text, or lists, tuples and dicts of these.
        now: the same.
        judge: hears of them.
        at: begins the path of each.
    """
    stack: list[Item] = [(at, recorded, now)]
    while stack:
        place, old, new = stack.pop()
        if is_number(old) and is_number(new):
            if not _is_same(old, new):
                judge.numbers(place, old, new)
        elif type(old) is not type(new):
            judge.other(place, brief(old), brief(new), "its type")
        elif isinstance(old, Mapping):
            stack += reversed(_of_dicts(place, old, new, judge))
        elif isinstance(old, (list, tuple)):
            if len(old) != len(new):
                judge.other(place, f"{len(old)} items", f"{len(new)} items", "its length")
            stack += reversed([(f"{place}[{i}]", *pair) for i, pair in enumerate(zip(old, new, strict=False))])
        elif old != new:
            judge.other(place, brief(old), brief(new), "it")


def _of_dicts(place: str, old: Mapping[str, Any], new: Mapping[str, Any], judge: Judge) -> list[Item]:
    for key in old.keys() - new.keys() if old.keys() != new.keys() else ():
        judge.other(_inside(place, key), brief(old[key]), "nothing", "it")
    for key in new.keys() - old.keys() if old.keys() != new.keys() else ():
        judge.other(_inside(place, key), "nothing", brief(new[key]), "it")
    return [(_inside(place, key), old[key], new[key]) for key in old if key in new]


def _inside(place: str, key: str) -> str:
    return f"{place}.{key}" if key.isidentifier() else f"{place}[{brief(key)}]"


def _is_same(old: Any, new: Any) -> bool:
    """To the letter: 1 is not 1.0, and 0.0 is not -0.0, but NaN is NaN."""
    if type(old) is not type(new):
        return False
    if old != old or new != new:  # noqa: PLR0124
        return bool(old != old and new != new)  # noqa: PLR0124
    return bool(old == new) and (old != 0 or math.copysign(1, old) == math.copysign(1, new))
