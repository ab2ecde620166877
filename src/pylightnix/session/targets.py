"""What was asked for: derivations in lists, tuples and dicts, and the same shape filled with what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pylightnix.dsl.derivation import Derivation, Promised, as_derivation
from pylightnix.errors import TargetError
from pylightnix.names import printable

MAX_DEPTH = 100
"""Levels of lists, tuples and dicts that what is asked for may have."""


class Targets:
    """Derivations in a shape.

    Args:
        asked: a derivation, a stage, a realization, or lists, tuples and dicts of them.

    Raises:
        TargetError: something else stands in it, or it is nested too deeply; the message names the place.
    """

    def __init__(self, asked: object) -> None:
        self.asked = asked
        self.derivations: list[Derivation[Any]] = []
        self._shape = self._read(asked, "target", 0)

    def _read(self, asked: object, where: str, depth: int) -> Any:
        if not isinstance(asked, (list, tuple, Mapping)):
            return self._add(asked, where)
        if depth >= MAX_DEPTH:
            raise TargetError(
                f"nesting deeper than {MAX_DEPTH} levels", where=where[:80], hint="does it contain itself?"
            )
        if isinstance(asked, Mapping):
            read = {key: self._read(item, f"{where}[{_shown(key)}]", depth + 1) for key, item in asked.items()}
            return _Dict(read)
        return _Sequence(type(asked), [self._read(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(asked)])

    def _add(self, asked: object, where: str) -> int:
        derivation = as_derivation(asked)
        if derivation is None:
            raise _no_target(asked, where)
        self.derivations.append(derivation)
        return len(self.derivations) - 1

    def fill(self, results: Callable[[int], object]) -> Any:
        """The shape with a result at each derivation's place."""
        return _fill(self._shape, results)


class _Dict(NamedTuple):
    """A dict of shapes."""

    items: Mapping[Any, Any]


class _Sequence(NamedTuple):
    """A list or tuple of shapes."""

    kind: type
    items: list[Any]


def _fill(shape: Any, results: Callable[[int], object]) -> Any:
    if isinstance(shape, _Dict):
        return {key: _fill(item, results) for key, item in shape.items.items()}
    if not isinstance(shape, _Sequence):
        return results(shape)
    filled = [_fill(item, results) for item in shape.items]
    if issubclass(shape.kind, list):
        return filled
    make = getattr(shape.kind, "_make", tuple)  # a named tuple keeps its names
    return make(filled)


def _no_target(asked: object, where: str) -> TargetError:
    if isinstance(asked, Promised):
        return TargetError(
            f"{_shown(asked)} is a promise of a derivation, and derivations are realized",
            where=where,
            hint=f"realize the derivation and take .{asked.name} of the result",
        )
    if callable(asked):
        return TargetError(
            f"{_shown(asked)} is a function, no stage",
            where=where,
            hint="put @stage on it, or call it if it returns derivations",
        )
    return TargetError(
        f"{_shown(asked)} is no derivation",
        where=where,
        hint="give what calling a stage returned, or lists and dicts of that",
    )


def _shown(value: object) -> str:
    """A value in a message: short, on one line, and whatever its class does."""
    try:
        text = printable(repr(value))
    except Exception:
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}…"
