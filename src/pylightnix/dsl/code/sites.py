"""The functions and classes of one top-level statement, each with the code object that it compiles to."""

from __future__ import annotations

import ast
import itertools
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TypeAlias, TypeVar

from pylightnix.dsl.code.comparing import nested_codes

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Home: TypeAlias = Function | ast.ClassDef
T = TypeVar("T")
LAMBDA = "<lambda>"
_DEEPER = 20_000
_FIRST = {"lineno": 1, "end_lineno": 1, "col_offset": 0, "end_col_offset": 0}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def as_at_import(work: Callable[[], T]) -> T:
    """Let the compiler nest as deeply as it could at import, whatever the stack has on it now; warnings were then."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return work()
        except RecursionError:
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(limit + _DEEPER)
            try:
                return work()
            finally:
                sys.setrecursionlimit(limit)


@dataclass(slots=True)
class Site:
    """A function or class in a file.

    Attributes:
        node: its syntax.
        homes: the functions and classes around it, outermost first.
        code: what a function compiles to; None for a class.
    """

    node: Home
    homes: tuple[Home, ...]
    code: CodeType | None = None

    @property
    def name(self) -> str:
        """The name in the `def` or `class` statement."""
        return LAMBDA if isinstance(self.node, ast.Lambda) else self.node.name

    @property
    def qualname(self) -> str:
        """The qualified name, as the compiler makes it (but for names declared global)."""
        pieces: list[str] = []
        for home in self.homes:
            name = LAMBDA if isinstance(home, ast.Lambda) else home.name
            pieces += [name] if isinstance(home, ast.ClassDef) else [name, "<locals>"]
        return ".".join([*pieces, self.name])

    @property
    def line(self) -> int:
        """The first line, decorators included."""
        decorators = [] if isinstance(self.node, ast.Lambda) else self.node.decorator_list
        return decorators[0].lineno if decorators else self.node.lineno


class Statement:
    """A statement at the top level of a file, compiled when it is first asked for.

    Args:
        node: the statement.
        filename: of the file.
        imports: names that the file imports at its top: the compiler calls functions of modules in its own way.

    Attributes:
        first: its first line, decorators included.
    """

    def __init__(self, node: ast.stmt, filename: str, imports: Collection[str]) -> None:
        self.node = node
        self._filename = filename
        self._imports = imports
        self.first: int = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        self._last = node.end_lineno or node.lineno
        self._definitions: dict[str, list[Site]] | None = None
        self._compiled: dict[tuple[int, bool, bool], dict[str, list[Site]]] = {}

    def classes(self, name: str) -> list[Site]:
        """The class statements of this name."""
        return [site for site in self._defined().get(name, ()) if isinstance(site.node, ast.ClassDef)]

    def functions(self, name: str, flags: int, alone: bool = False) -> list[Site]:
        """The functions of this name, each with its code.

        Args:
            name: without what is around it.
            flags: those of `from __future__`.
            alone: compiled without the rest of the file, as notebooks do with each statement of a cell.
        """
        is_lambda = name == LAMBDA
        if not is_lambda and name not in self._defined():
            return []
        key = (flags, is_lambda, alone)
        if key not in self._compiled:
            imports = () if alone else self._imports
            pair = self._pair_lambdas if is_lambda else self._pair
            try:
                self._compiled[key] = _by_name(pair(flags, imports))
            except SyntaxError:  # what can be parsed need not compile
                self._compiled[key] = {}
        return self._compiled[key].get(name, [])

    def _defined(self) -> dict[str, list[Site]]:
        if self._definitions is None:
            self._definitions = _by_name(_definitions(self.node))
        return self._definitions

    def _compile(self, flags: int, imports: Collection[str]) -> CodeType:
        head = [ast.Import([ast.alias(name, name, **_FIRST) for name in sorted(imports)], **_FIRST)] if imports else []
        module = ast.Module([*head, self.node], [])

        def build(more: int = 0) -> CodeType:
            code: CodeType = compile(module, self._filename, "exec", flags | more, dont_inherit=True)
            return code

        try:
            return as_at_import(build)
        except SyntaxError:
            return build(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    def _pair(self, flags: int, imports: Collection[str]) -> list[Site]:
        """No two definitions of one name begin in the same line."""
        codes = {(code.co_firstlineno, code.co_name): code for code in nested_codes(self._compile(flags, imports))}
        defined = itertools.chain.from_iterable(self._defined().values())
        functions = [site for site in defined if not isinstance(site.node, ast.ClassDef)]
        return [Site(site.node, site.homes, codes.get((site.line, site.name))) for site in functions]

    def _pair_lambdas(self, flags: int, imports: Collection[str]) -> list[Site]:
        """Many lambdas may stand in one line, so they are counted: compiled again, each with its number as line."""
        sites = list(_lambdas(self.node))
        if not sites:
            return []
        plain = list(nested_codes(self._compile(flags, imports)))
        kept = [(site.node.lineno, site.node.end_lineno, site.node.col_offset) for site in sites]
        base = self._last + 1
        for number, site in enumerate(sites):
            site.node.lineno = site.node.end_lineno = base + number
            site.node.col_offset = 0
        try:
            numbered = list(nested_codes(self._compile(flags, imports)))
        finally:
            for site, place in zip(sites, kept, strict=True):
                site.node.lineno, site.node.end_lineno, site.node.col_offset = place
        if len(plain) != len(numbered):  # without column numbers, equal lambdas of one line are one code object
            plain = numbered
        for code, marked in zip(plain, numbered, strict=True):
            if code.co_name == LAMBDA:
                sites[marked.co_firstlineno - base].code = code
        return sites


def _by_name(sites: Iterable[Site]) -> dict[str, list[Site]]:
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(site.name, []).append(site)
    return found


def _definitions(statement: ast.stmt) -> Iterator[Site]:
    """All `def` and `class` statements in a statement, at any depth; these never stand in an expression."""
    stack: list[tuple[ast.AST, tuple[Home, ...]]] = [(statement, ())]
    while stack:
        node, homes = stack.pop()
        if isinstance(node, _DEFINITIONS):
            yield Site(node, homes)
            homes = (*homes, node)
        for field in ("finalbody", "orelse", "cases", "handlers", "body"):
            inner = getattr(node, field, None)
            if isinstance(inner, list):
                stack.extend((each, homes) for each in reversed(inner))


def _lambdas(statement: ast.stmt) -> Iterator[Site]:
    stack: list[tuple[ast.AST, tuple[Home, ...]]] = [(statement, ())]
    while stack:
        node, homes = stack.pop()
        if isinstance(node, ast.Lambda):
            yield Site(node, homes)
        inner = (*homes, node) if isinstance(node, (*_DEFINITIONS, ast.Lambda)) else homes
        stack.extend((each, inner) for each in ast.iter_child_nodes(node))
