"""Values that code refers to, as tokens: constants by value, functions and classes as references to their parts.

Containers and instances are followed into; what cannot be said in full is listed and counts by its type only. Order
counts in dicts as it does in lists, because code can see it; it does not in sets.
"""

from __future__ import annotations

from typing import Any

from pylightnix.dsl.code.callables import callable_pieces, is_named_inside
from pylightnix.dsl.code.objects import is_stage, object_pieces
from pylightnix.dsl.code.parts import Draft, Key, Ref, Token
from pylightnix.dsl.code.pieces import Child, Leave, Members, Piece
from pylightnix.dsl.code.scalars import word

MAX_DEPTH = 100
"""Levels of nesting that are followed into."""

MAX_TOKENS = 1_000_000
"""Tokens that the form of one value may have."""

_IN_PLACE = ("~", "?", "builtin:")
_TOO_MUCH = "too large or too deep to be said in full; only its type counts; put it in a file that a stage makes"


class _TooMuchError(Exception):
    """A value whose form would be too long or too deep."""


def refer(draft: Draft, name: str, value: Any) -> list[Token]:
    """What stands in a form where a name is read: a word, or a reference to the part of what it stands for."""
    inner = Draft(draft.pool, draft.own)
    tokens = encode(inner, value, name)
    single = tokens[0] if len(tokens) == 1 else None
    if (
        isinstance(single, Ref)
        or (single is not None and single.startswith(_IN_PLACE))
        or is_named_inside(value)
        or is_stage(value)
    ):
        draft.absorb(inner)
        return tokens
    return [draft.constant(name, inner, tokens)]


def encode(draft: Draft, value: Any, path: str, depth: int = 0) -> list[Token]:
    """The tokens of a value.

    Args:
        draft: collects what the value names and what of it cannot be followed.
        value: anything.
        path: how the code names it, for messages.
        depth: levels of nesting around it.
    """
    found = word(value)
    if found is not None:
        return [found]
    inner = Draft(draft.pool, draft.own)
    try:
        tokens = _Encoder(inner, depth).run(Child(value, path))
    except _TooMuchError:
        return [draft.leave_out(path, draft.type_name(type(value)), _TOO_MUCH)]
    draft.absorb(inner)
    return tokens


class _Encoder:
    """One value under way; `open` are the containers around the current place, so that a cycle ends."""

    def __init__(self, draft: Draft, depth: int) -> None:
        self._draft = draft
        self._depth = depth
        self._open: dict[int, Any] = {}
        self._tokens: list[Token] = []

    def run(self, first: Child) -> list[Token]:
        stack: list[Piece] = [first]
        while stack:
            piece = stack.pop()
            kind = type(piece)
            if kind is Child:
                stack += reversed(self._child(piece))  # type: ignore[arg-type]
            elif isinstance(piece, Members):
                self._members(piece)
            elif isinstance(piece, Leave):
                del self._open[piece.identity]
            else:
                self._tokens.append(piece)  # type: ignore[arg-type]
            if len(self._tokens) > MAX_TOKENS:
                raise _TooMuchError
        return self._tokens

    def _child(self, child: Child) -> list[Piece]:
        value, path = child
        found = word(value)
        if found is not None:
            return [found]
        pieces = callable_pieces(self._draft, value, path)
        if pieces is not None and len(pieces) == 1:
            return pieces
        if id(value) in self._open:
            return [f"(again {len(self._open) - list(self._open).index(id(value))})"]
        if self._depth + len(self._open) >= MAX_DEPTH:
            raise _TooMuchError
        self._open[id(value)] = value
        return [*(object_pieces(self._draft, value, path) if pieces is None else pieces), Leave(id(value))]

    def _members(self, members: Members) -> None:
        depth = self._depth + len(self._open)
        encoded = [encode(self._draft, each, f"{members.path}[…]", depth) for each in members.values]
        for tokens in sorted(encoded, key=self._place):
            self._tokens += tokens

    def _place(self, tokens: list[Token]) -> list[tuple[str, int]]:
        """What orders the members of a set: never an address."""
        return [(token, 0) if isinstance(token, str) else self._place_of(token.key) for token in tokens]

    def _place_of(self, key: Key) -> tuple[str, int]:
        thing = self._draft.pool.objects.get(key)
        code = getattr(thing, "__code__", None)
        return getattr(thing, "__qualname__", ""), code.co_firstlineno if code is not None else 0
