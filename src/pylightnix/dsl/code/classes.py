"""The part of one class: bases, decorators, body, methods (each a part of its own), and what its attributes hold now.

Annotations of fields do not count beyond their presence, order and kind (ClassVar, InitVar, KW_ONLY), unless code
that may read them has a hand in the class: a base, metaclass or decorator that is neither the project's nor the
standard library's, or a hook for subclasses in the project. Then they count as they are written.
"""

from __future__ import annotations

import ast
import enum
import itertools
import sys
from typing import Any

from pylightnix.dsl.code.fitting import fields_in, fits, is_plain
from pylightnix.dsl.code.grammar import meaningful
from pylightnix.dsl.code.members import (
    NOTHING,
    enum_members,
    extra_members,
    is_named_tuple,
    live_members,
    methods_of,
)
from pylightnix.dsl.code.origins import is_project_class, may_read_annotations
from pylightnix.dsl.code.parts import Draft, Part, Pool, Token
from pylightnix.dsl.code.scopes import DEFINITIONS, Scope, Scopes
from pylightnix.dsl.code.sites import Home
from pylightnix.dsl.code.snapshots import is_as_first_seen
from pylightnix.dsl.code.sources import Source, changed
from pylightnix.dsl.code.surroundings import Surroundings, around_definition, cells_of
from pylightnix.dsl.code.syntax import Writer
from pylightnix.dsl.code.values import encode


def class_part(pool: Pool, kind: type) -> Part:
    """The part of a class of the project.

    Raises:
        CodeError: its file has changed since it was imported.
    """
    draft = Draft(pool)
    label = kind.__qualname__
    tokens: list[Token] = ["(class", *(token for base in kind.__bases__ for token in encode(draft, base, label))]
    tokens += ["metaclass", *encode(draft, type(kind), label), ")"]
    found = _locate(pool, kind)
    if found is None:
        tokens += live_members(draft, kind)
    else:
        source, node, homes = found
        draft.files.add(source.filename)
        tokens += _Statement(draft, kind, source, node, homes).tokens()
    return draft.part(label, tokens)


def _locate(pool: Pool, kind: type) -> tuple[Source, ast.ClassDef, tuple[Home, ...]] | None:
    """Where a class is written: around one of its methods, or else where its name is in its file or in a cell."""
    for method in methods_of(kind):
        found = pool.sources.locate(method)
        home = found[1].homes[-1:] if found is not None else ()
        if found is not None and home and isinstance(home[0], ast.ClassDef):
            if not fits(kind, home[0]):
                raise changed(kind.__qualname__, found[0].filename, home[0].lineno)
            return found[0], home[0], found[1].homes[:-1]
    if is_named_tuple(kind) and "__orig_bases__" not in vars(kind):
        return None
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    cells = pool.sources.cells() if kind.__module__ == "__main__" else ()
    for source in itertools.chain([pool.sources.source(file)] if file else [], cells):
        sites = [] if source is None else source.classes(kind.__qualname__)
        for site in reversed(sites):
            if source is not None and isinstance(site.node, ast.ClassDef) and fits(kind, site.node):
                return source, site.node, site.homes
        if sites and source is not None and source.filename == file:
            raise changed(kind.__qualname__, file, sites[-1].line)
    return None


class _Statement:
    """A `class` statement together with the class that it made."""

    def __init__(self, draft: Draft, kind: type, source: Source, node: ast.ClassDef, homes: tuple[Home, ...]) -> None:
        self._draft = draft
        self._kind = kind
        self._node = node
        self._around = _around(kind, source, homes)

    def tokens(self) -> list[Token]:
        """Decorators, keywords, the body; then the methods by name, in no order of their own."""
        kept, methods, settled = self._split()
        self._confirm([each for each in kept if isinstance(each, ast.stmt)])
        scopes = Scopes()
        outside = Scope("outside", None)
        inner = Scope("class", outside, self._node.name)
        for name in (*methods, *settled):
            inner.bind(name)
        scopes.read([*self._node.decorator_list, *self._node.keywords], outside)
        scopes.read([each for each in kept if isinstance(each, ast.stmt)], inner)
        writer = Writer(self._draft, scopes, self._around, self._reads_annotations())
        tokens = ["(decorators", *writer.write([(each, outside) for each in self._node.decorator_list]), ")"]
        tokens += ["(keywords", *writer.write([(each, outside) for each in self._node.keywords]), ")", "(body"]
        for each in kept:
            tokens += writer.write([(each, inner)]) if isinstance(each, ast.stmt) else each
        for name in sorted(methods):
            tokens += [f"def:{name}", *methods[name]]
        tokens += [")", *self._values()]
        return [*tokens, *extra_members(self._draft, self._kind, {inner.mangled(name) for name in inner.bound})]

    def _confirm(self, kept: list[ast.stmt]) -> None:
        """Raise if the text is another than when the class was first looked at."""
        said = [*self._node.decorator_list, *self._node.keywords, *kept]
        marks = [method.__code__ for method in methods_of(self._kind)]
        if not is_as_first_seen(self._kind, said, [*marks, vars(self._kind).get("__dataclass_fields__")]):
            raise changed(self._kind.__qualname__, self._around.filename, self._node.lineno)

    def _split(self) -> tuple[list[ast.stmt | list[Token]], dict[str, list[Token]], list[str]]:
        """What stays in the body, the methods, which are followed as the class has them now, and the plain values."""
        kept: list[ast.stmt | list[Token]] = []
        methods: dict[str, list[Token]] = {}
        settled: list[str] = []
        for statement in meaningful(self._node.body, in_class=True):
            if isinstance(statement, DEFINITIONS):
                live = self._live(statement.name)
                if live is not None:
                    methods[statement.name] = live
                    continue
            plain = self._plain(statement)
            settled += [each.id for each in statement.targets] if plain else []  # type: ignore[attr-defined]
            kept.append(plain or statement)
        return kept, methods, settled

    def _plain(self, statement: ast.stmt) -> list[Token]:
        """`name = value`, if the value can be said: it counts as the class has it now."""
        if not is_plain(statement) or issubclass(self._kind, enum.Enum):
            return []
        name = statement.targets[0].id  # type: ignore[attr-defined]
        live = self._live(name)
        return [] if live is None else [f"set:{name}", *live]

    def _live(self, name: str) -> list[Token] | None:
        """What an attribute holds now; None if there is none, or if it cannot be said in full."""
        value = vars(self._kind).get(Scope("class", None, self._node.name).mangled(name), NOTHING)
        if value is NOTHING:
            return None
        draft = Draft(self._draft.pool)
        tokens = encode(draft, value, f"{self._kind.__qualname__}.{name}")
        if draft.unfollowed:
            return None
        self._draft.absorb(draft)
        return tokens

    def _values(self) -> list[Token]:
        """What members and fields hold now, where that can be said."""
        if issubclass(self._kind, enum.Enum):
            return enum_members(self._draft, self._kind)
        tokens: list[Token] = []
        for each in fields_in(self._node):
            live = self._live(each.target.id) if isinstance(each.target, ast.Name) and each.value else None
            tokens += [f"now:{each.target.id}", *live] if live and isinstance(each.target, ast.Name) else []
        return tokens

    def _reads_annotations(self) -> bool:
        """Whether something that may read annotations has a hand in the class."""
        makers: list[Any] = [type(self._kind), *self._kind.__mro__]
        makers += [self._around.decorator(each) for each in self._node.decorator_list]
        if any("__init_subclass__" in vars(each) for each in self._kind.__mro__[1:] if is_project_class(each)):
            return True
        return any(may_read_annotations(each) for each in makers)


def _around(kind: type, source: Source, homes: tuple[Home, ...]) -> Surroundings:
    """The names around a class statement; what methods have captured is still at hand."""
    cells: dict[str, Any] = {}
    space = vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}
    for method in methods_of(kind):
        cells |= cells_of(method)
        space = method.__globals__
    return around_definition(space, cells, source, [home for home in homes if not isinstance(home, ast.ClassDef)])
