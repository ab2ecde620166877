"""What an identity is put together from: parts, references between them, and the pool that shares them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from pylightnix.dsl.code.origins import public_name
from pylightnix.dsl.code.results import Unfollowed
from pylightnix.dsl.code.sources import Sources

Key: TypeAlias = tuple[Hashable, ...]


_BUILTIN = "builtins."


class Ref(NamedTuple):
    """Stands in a form for another part; it becomes a label when an identity is put together."""

    key: Key


Token: TypeAlias = str | Ref
"""A form is a sequence of tokens: brackets, words, and references to other parts."""


@dataclass(frozen=True, slots=True)
class Part:
    """One function, class or constant, in our own normal form.

    Attributes:
        label: its qualified name without a module.
        tokens: the form.
        refs: what it refers to, each once, in the order of the form.
        outside: names of things outside the project that it names.
        unfollowed: what it uses and is not in the form.
        files: source files that were read for it.
    """

    label: str
    tokens: tuple[Token, ...]
    refs: tuple[Key, ...]
    outside: frozenset[str]
    unfollowed: tuple[Unfollowed, ...]
    files: frozenset[str]


class Pool:
    """What the parts of one plan share: files parsed, objects kept alive so that an `id` stays theirs, parts made."""

    def __init__(self) -> None:
        self.sources = Sources()
        self.objects: dict[Key, Any] = {}
        self.parts: dict[Key, Part] = {}


class Draft:
    """A part while it is made: collects what its form names and what could not be followed.

    Args:
        pool: shared with the other parts of the plan.
        own: ids of functions whose own defaults are parameters of a configuration, not code.
    """

    def __init__(self, pool: Pool, own: frozenset[int] = frozenset()) -> None:
        self.pool = pool
        self.own = own
        self.outside: set[str] = set()
        self.unfollowed: dict[Unfollowed, None] = {}
        self.files: set[str] = set()

    def by_name(self, name: str) -> str:
        """The token of something outside the project, which counts by its qualified name only."""
        if name.startswith(_BUILTIN):
            return f"builtin:{name.removeprefix(_BUILTIN)}"
        self.outside.add(name)
        return f"~{name!a}"

    def leave_out(self, name: str, what: str, why: str) -> str:
        """List something that cannot be followed; the token says only what kind of thing it is."""
        self.unfollowed[Unfollowed(name, what, why)] = None
        return f"?{what!a}"

    def function(self, function: Any, own: bool = False) -> Ref:
        """A reference to the part of a function of the project."""
        return self._refer(("function", id(function), own or id(function) in self.own), function)

    def project_class(self, kind: type) -> Ref:
        """A reference to the part of a class of the project."""
        return self._refer(("class", id(kind)), kind)

    def _refer(self, key: Key, thing: object) -> Ref:
        self.pool.objects.setdefault(key, thing)
        return Ref(key)

    def constant(self, name: str, draft: Draft, tokens: Iterable[Token]) -> Ref:
        """A reference to the part of a named value, which is known by its name and its form."""
        part = draft.part(name, tokens)
        key = ("constant", name, part.tokens)
        self.pool.parts.setdefault(key, part)
        return Ref(key)

    def absorb(self, other: Draft) -> None:
        """Take over what another draft collected."""
        self.outside |= other.outside
        self.unfollowed |= other.unfollowed
        self.files |= other.files

    def part(self, label: str, tokens: Iterable[Token]) -> Part:
        """The finished part."""
        kept = tuple(tokens)
        refs = tuple(dict.fromkeys(token.key for token in kept if type(token) is Ref))
        return Part(label, kept, refs, frozenset(self.outside), tuple(self.unfollowed), frozenset(self.files))

    def type_name(self, kind: type) -> str:
        """How a type is named in messages."""
        return public_name(kind) or f"{kind.__module__}.{kind.__qualname__}"
