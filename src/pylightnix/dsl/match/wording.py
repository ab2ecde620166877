"""How matchers print: counts, literals, functions, places. Never an address, so that equal matchers print alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylightnix.dsl.match.counting import Candidates


def count(noun: str, number: int) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def literal(text: str) -> str:
    """A text as Python source, in double quotes where that is simple."""
    source = repr(text)
    return source if '"' in source else f'"{source[1:-1]}"'


def function_name(function: Callable[..., Any], argument: str) -> str:
    """What stands for a function in source: its name, without that of the function which made it."""
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        return f"{type(function).__name__}(...)"
    name = name.rpartition("<locals>.")[2]
    return f"lambda {argument}: ..." if name == "<lambda>" else name


def place(matcher: object, candidates: Candidates) -> str:
    """Where an error of a matcher is: the matcher, and the stage if that can be known."""
    return f"{candidates[0].name}, match.{matcher!r}" if candidates else f"match.{matcher!r}"
