"""What was asked for: derivations in lists, tuples and dicts, and the same shape filled with what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pylightnix.dsl.derivation import Derivation, Promised, as_derivation
from pylightnix.errors import TargetError


class Targets:
    """Derivations in a shape.

    Args:
        asked: a derivation, a stage, a realization, or lists, tuples and dicts of them, at any depth.

    Raises:
        TargetError: something else stands in it; the message names its place.
    """

    def __init__(self, asked: object) -> None:
        self.asked = asked
        self.derivations: list[Derivation[Any]] = []
        self._shape = self._read(asked, "target")

    def _read(self, asked: object, where: str) -> Any:
        if isinstance(asked, (list, tuple)):
            return (type(asked), [self._read(item, f"{where}[{i}]") for i, item in enumerate(asked)])
        if isinstance(asked, Mapping):
            return (dict, {key: self._read(item, f"{where}[{key!r}]") for key, item in asked.items()})
        derivation = as_derivation(asked)
        if derivation is None:
            raise _no_target(asked, where)
        self.derivations.append(derivation)
        return len(self.derivations) - 1

    def fill(self, results: Callable[[int], object]) -> Any:
        """The shape with a result at each derivation's place."""
        return _fill(self._shape, results)


def _fill(shape: Any, results: Callable[[int], object]) -> Any:
    if isinstance(shape, int):
        return results(shape)
    kind, items = shape
    if kind is dict:
        return {key: _fill(item, results) for key, item in items.items()}
    filled = (_fill(item, results) for item in items)
    return list(filled) if issubclass(kind, list) else tuple(filled)


def _no_target(asked: object, where: str) -> TargetError:
    if isinstance(asked, Promised):
        return TargetError(
            f"{asked!r} is a promise of a derivation, and derivations are realized",
            where=where,
            hint=f"realize the derivation and take .{asked.name} of the result",
        )
    if callable(asked):
        return TargetError(
            f"{asked!r} is a function, no stage",
            where=where,
            hint="put @stage on it, or call it if it returns derivations",
        )
    return TargetError(
        f"{asked!r} is no derivation",
        where=where,
        hint="give what calling a stage returned, or lists and dicts of that",
    )


def walk(targets: Targets) -> Iterator[Derivation[Any]]:
    """The derivations asked for, in order."""
    return iter(targets.derivations)
