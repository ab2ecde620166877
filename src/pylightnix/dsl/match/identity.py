"""How functions that matchers hold compare: by the identity of their code. Unaware of what they are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def same_function(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two functions are one object or have one code identity, taken as of now.

    Raises:
        CodeError: the source of a function has changed since it was imported.
    """
    if one is other or one == other:
        return True
    from pylightnix.dsl.code import same_code  # only a comparison needs it

    return same_code(one, other)
