"""The steps in which a value becomes tokens: a stack of these instead of recursion."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from pylightnix.dsl.code.parts import Ref


class Child(NamedTuple):
    """A value inside another.

    Attributes:
        value: the value.
        path: where it stands, as in `TABLE['a'].steps`, for messages.
    """

    value: Any
    path: str


class Leave(NamedTuple):
    """The end of a container: what comes after is no longer inside it."""

    identity: int


class Members(NamedTuple):
    """The members of a set, which have no order."""

    values: tuple[Any, ...]
    path: str


Piece: TypeAlias = str | Ref | Child | Leave | Members
