"""Source files, parsed once each, and the place in them of a function or class that is at hand.

What a file says counts only if it still says what runs: the code of a function is compared with what the file would
compile to now, and a file that has changed since it was imported is an error.
"""

from __future__ import annotations
import __future__

import ast
import bisect
import functools
import linecache
import operator
import os
import tokenize
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from pylightnix.dsl.code.comparing import contains, same_code, was_rewritten
from pylightnix.dsl.code.origins import qualname_of
from pylightnix.dsl.code.scopes import names_bound_in
from pylightnix.dsl.code.sites import Home, Site, Statement, as_at_import
from pylightnix.errors import CodeError

_FUTURE: int = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
_FUTURE &= ~0x10  # the flag of nested scopes is also that of any nested function


class Source:
    """One parsed file or notebook cell."""

    def __init__(self, filename: str, text: str) -> None:
        self.filename = filename
        tree = as_at_import(lambda: ast.parse(text, filename))
        self._imports: dict[str, list[tuple[str, str]]] = {}
        self._bound: dict[Home, set[str]] = {}
        imported = set(self._read_imports(tree))
        self._statements = [Statement(each, filename, imported) for each in tree.body]

    def _read_imports(self, tree: ast.Module) -> Iterator[str]:
        """The names that imports at the top of the file bind; notes where `from module import …` gets them from."""
        for node in _outer_statements(tree.body):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                        self._imports.setdefault(name, []).append((node.module, alias.name))
                    yield name

    def find(self, code: CodeType, qualname: str) -> tuple[list[Site], list[Site]]:
        """The sites that compile to this code (nearest first), and those that only have its qualified name."""
        named: list[Site] = []
        for alone in (False, True):
            same, named = self._find(code, qualname, alone)
            if same:
                break
        return same, named

    def _find(self, code: CodeType, qualname: str, alone: bool) -> tuple[list[Site], list[Site]]:
        named: list[Site] = []
        for statement in self._nearest(code.co_firstlineno):
            sites = statement.functions(code.co_name, code.co_flags & _FUTURE, alone)
            here = [site for site in sites if site.code is not None and site.code.co_qualname == qualname]
            same = [site for site in here if site.code is not None and same_code(code, site.code)]
            if same:
                return _nearest_first(same, code), named
            named += here
        return [], named

    def _nearest(self, line: int) -> Iterator[Statement]:
        """All statements, first the one in which a line was when nothing has moved."""
        place = bisect.bisect_right(self._statements, line, key=lambda each: each.first) - 1
        near = self._statements[place : place + 1] if place >= 0 else []
        yield from near
        for statement in self._statements:
            if statement not in near:
                yield statement

    def classes(self, qualname: str) -> list[Site]:
        """The class statements of this qualified name, in the order of the file."""
        name = qualname.rpartition(".")[2]
        return [site for each in self._statements for site in each.classes(name) if site.qualname == qualname]

    def names_bound_in(self, home: Home) -> set[str]:
        """The names that a function or class of this file binds in its own scope."""
        if home not in self._bound:
            self._bound[home] = names_bound_in(home)
        return self._bound[home]

    def imported(self, name: str) -> list[tuple[str, str]]:
        """Where `from module import attribute` at the top of the file may have got a name from."""
        return self._imports.get(name, [])


def _outer_statements(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All statements of a module that are in no function and no class."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for field in ("finalbody", "orelse", "cases", "handlers", "body"):
                inner = getattr(node, field, None)
                if isinstance(inner, list):
                    stack.extend(reversed(inner))


def _nearest_first(sites: list[Site], code: CodeType) -> list[Site]:
    """Several lambdas may do the same: prefer the one at the very place."""
    if len(sites) == 1:
        return sites
    place = list(code.co_positions())
    return sorted(sites, key=lambda site: site.code is None or list(site.code.co_positions()) != place)


class Sources:
    """The sources of one plan; each file is read and parsed once."""

    def __init__(self) -> None:
        self._sources: dict[str, Source | None] = {}

    def locate(self, function: FunctionType) -> tuple[Source, Site] | None:
        """Where a function is written; None if there is no source at all.

        Raises:
            CodeError: the file does not say what the function does: it has changed since it was imported.
        """
        code = function.__code__
        source = self.source(code.co_filename, function.__globals__)
        if source is None:
            return None
        name = qualname_of(function)
        same, named = source.find(code, name)
        if same:
            return source, same[0]
        if was_rewritten(code) or _has_own_loader(function.__globals__):
            near = [site for site in named if site.code is not None and contains(code, site.code)]
            if near:
                return source, near[0]
        if not os.path.isfile(code.co_filename):  # text under a made-up name, which may be the text of something else
            return None
        raise changed(name, code.co_filename, code.co_firstlineno)

    def source(self, filename: str, module: dict[str, Any] | None = None) -> Source | None:
        """A file or a notebook cell; None if it cannot be had."""
        if filename not in self._sources:
            self._sources[filename] = self._read(filename, module)
        return self._sources[filename]

    def cells(self) -> Iterator[Source]:
        """The cells of a notebook or an interactive session, last one first."""
        for filename in reversed(list(linecache.cache)):
            if not os.path.exists(filename) and ("ipykernel_" in filename or filename.startswith("<")):
                source = self.source(filename)
                if source is not None:
                    yield source

    @staticmethod
    def _read(filename: str, module: dict[str, Any] | None) -> Source | None:
        text = _text(filename, module)
        if not text:
            return None
        try:
            return Source(filename, text)
        except RecursionError:
            raise CodeError(
                "an expression in this file is nested too deeply to be read", where=filename, hint="write it flatter"
            ) from None
        except (SyntaxError, ValueError):
            if os.path.exists(filename):
                raise changed("this file, which cannot be parsed now,", filename, 0) from None
            return None


def _text(filename: str, module: dict[str, Any] | None) -> str:
    if os.path.isfile(filename) and not filename.endswith((".pyc", ".so")):
        try:
            with tokenize.open(filename) as file:
                return file.read()
        except (OSError, SyntaxError, UnicodeDecodeError):
            return ""
    return "".join(linecache.getlines(filename, module))


def _has_own_loader(space: dict[str, Any]) -> bool:
    """Whether an import hook may have changed the code on its way in."""
    loader = space.get("__loader__")
    return loader is not None and type(loader).__module__.partition(".")[0] not in (
        "importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport", "builtins",
    )  # fmt: skip


def changed(name: str, filename: str, line: int) -> CodeError:
    """The error for a file that no longer says what runs."""
    return CodeError(
        f"{name} has changed in its file since it was imported: what would run is not what the file says",
        where=f"{filename}:{line}" if line else filename,
        hint="start the process again, or load the module again (importlib.reload; %autoreload in a notebook)",
        name=name,
        file=filename,
    )
