"""Which names of a piece of syntax are its own, and which come from around it. Knows the grammar, no values."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class LocalImport(NamedTuple):
    """What an import statement in a function binds a name to: a module, or an attribute of it."""

    module: str
    attribute: str | None
    level: int


class Scope:
    """Names bound in one function, class or comprehension.

    Args:
        kind: "function", "class", "comprehension", "types" (type parameters) or "outside".
        parent: the scope around; None for the outermost.
        owner: the class whose name private names (`__x`) get.
    """

    __slots__ = ("bound", "forced", "imports", "kind", "outer", "owner", "parent", "stored")

    def __init__(self, kind: str, parent: Scope | None, owner: str | None = None) -> None:
        self.kind = kind
        self.parent = parent
        self.owner: str | None = owner if owner is not None or parent is None else parent.owner
        self.bound: set[str] = set()
        self.stored: set[str] = set()
        self.forced: set[str] = set()
        self.outer: set[str] = set()
        self.imports: dict[str, list[LocalImport]] = {}

    def bind(self, name: str) -> None:
        """Note that this scope assigns a name otherwise than by an import."""
        self.bound.add(name)
        self.stored.add(name)

    def resolve(self, name: str) -> tuple[int, Scope] | None:
        """How many scopes up a name is bound, and in which; None if it comes from around the whole piece."""
        levels = 0
        scope: Scope | None = self
        visible = True
        while scope is not None:
            if name in scope.forced:
                return None
            if name in scope.bound and name not in scope.outer and (scope.kind != "class" or visible):
                return levels, scope
            visible = visible and scope.kind == "types"
            scope = scope.parent
            levels += 1
        return None

    def is_forced(self, name: str) -> bool:
        """Whether `global name` makes it a global even where a variable around has the same name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.forced:
                return True
            if name in scope.bound and scope.kind != "class":
                return False
            scope = scope.parent
        return False

    def mangled(self, name: str) -> str:
        """A name as the compiler stores it: private names of a class carry the name of the class."""
        owner = (self.owner or "").lstrip("_")
        return f"_{owner}{name}" if owner and name.startswith("__") and not name.endswith("__") else name


class Scopes:
    """The scopes inside one piece of syntax.

    Attributes:
        of: the scope that a node opens, by the node's id; a function with type parameters has two, see `types_of`.
        types_of: the scope of the type parameters of a node.
        assigned: names from around the piece that `global` or `nonlocal` lets it assign.
    """

    def __init__(self) -> None:
        self.of: dict[int, Scope] = {}
        self.types_of: dict[int, Scope] = {}
        self.assigned: set[str] = set()
        self._todo: list[tuple[ast.AST, Scope]] = []

    def open_function(self, node: Any, parent: Scope) -> Scope:
        """The scope of a function's parameters and body; the body is yet to be read."""
        scope = Scope("function", self._open_types(node, parent))
        arguments: ast.arguments = node.args
        for argument in all_arguments(arguments):
            scope.bind(argument.arg)
        self.of[id(node)] = scope
        return scope

    def _open_types(self, node: Any, parent: Scope) -> Scope:
        parameters = getattr(node, "type_params", None)
        if not parameters:
            return parent
        scope = Scope("types", parent)
        for parameter in parameters:
            scope.bind(parameter.name)
        self.types_of[id(node)] = scope
        return scope

    def read(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        """Read pieces of syntax in a scope, and everything inside them."""
        self._todo.extend((node, scope) for node in nodes)
        while self._todo:
            node, current = self._todo.pop()
            handler = _HANDLERS.get(type(node))
            if handler is not None:
                handler(self, node, current)
            else:
                self._todo += [(each, current) for each in _children(node)]
        for each in (scope, *self.of.values()):
            self.assigned |= each.forced & each.stored
            self.assigned |= {name for name in each.outer & each.stored if each.resolve(name) is None}

    def _push(self, nodes: Iterable[ast.AST | None], scope: Scope) -> None:
        self._todo.extend((node, scope) for node in nodes if node is not None)

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if not isinstance(node.ctx, ast.Load):
            scope.bind(node.id)

    def _function(self, node: Any, scope: Scope) -> None:
        if not isinstance(node, ast.Lambda):
            scope.bind(node.name)
            self._push(node.decorator_list, scope)
        self._push([*node.args.defaults, *node.args.kw_defaults], scope)
        inner = self.open_function(node, scope)
        self._push([node.body] if isinstance(node, ast.Lambda) else node.body, inner)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        scope.bind(node.name)
        self._push(node.decorator_list, scope)
        around = self._open_types(node, scope)
        self._push([*node.bases, *node.keywords], around)
        self.of[id(node)] = inner = Scope("class", around, node.name)
        self._push(node.body, inner)

    def _comprehension(self, node: Any, scope: Scope) -> None:
        self.of[id(node)] = inner = Scope("comprehension", scope)
        first, *rest = node.generators
        self._push([first.iter], scope)
        self._push([first.target, *first.ifs, *rest], inner)
        self._push([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> None:
        home = scope
        while home.kind == "comprehension" and home.parent is not None:
            home = home.parent
        home.bind(node.target.id)
        self._push([node.value], scope)

    def _global(self, node: ast.Global, scope: Scope) -> None:
        scope.forced.update(node.names)

    def _nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        scope.outer.update(node.names)

    def _import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            scope.bound.add(name)
            module = alias.name if alias.asname else name
            scope.imports.setdefault(name, []).append(LocalImport(module, None, 0))

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            name = alias.asname or alias.name
            scope.bound.add(name)
            scope.imports.setdefault(name, []).append(LocalImport(node.module or "", alias.name, node.level))

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        self._push([node.target, node.value], scope)
        if scope.kind == "class":
            self._push([node.annotation], scope)

    def _binding(self, node: Any, scope: Scope) -> None:
        for field in ("name", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                scope.bind(name)
        self._push(_children(node), scope)

    def _alias(self, node: Any, scope: Scope) -> None:
        scope.bind(node.name.id)
        self._push([node.value], self._open_types(node, scope))


def all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters of a function."""
    stars = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]


def names_bound_in(node: Any) -> set[str]:
    """The names that a function or class binds in its own scope."""
    scopes = Scopes()
    if isinstance(node, ast.ClassDef):
        scope = Scope("class", None, node.name)
        scopes.read(node.body, scope)
    else:
        scope = scopes.open_function(node, Scope("outside", None))
        scopes.read([node.body] if isinstance(node, ast.Lambda) else node.body, scope)
    return scope.bound


def _children(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for field in node._fields:
        value = getattr(node, field, None)
        if type(value) is list:
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST) and value._fields:  # operators and contexts have none
            found.append(value)
    return found


_HANDLERS: dict[type, Any] = {
    ast.Name: Scopes._name,
    ast.Lambda: Scopes._function,
    ast.ClassDef: Scopes._class,
    ast.NamedExpr: Scopes._walrus,
    ast.Global: Scopes._global,
    ast.Nonlocal: Scopes._nonlocal,
    ast.Import: Scopes._import,
    ast.ImportFrom: Scopes._import_from,
    ast.AnnAssign: Scopes._annotated,
    ast.ExceptHandler: Scopes._binding,
    ast.MatchAs: Scopes._binding,
    ast.MatchStar: Scopes._binding,
    ast.MatchMapping: Scopes._binding,
    **dict.fromkeys(DEFINITIONS, Scopes._function),
    **dict.fromkeys(COMPREHENSIONS, Scopes._comprehension),
}
if hasattr(ast, "TypeAlias"):
    _HANDLERS[ast.TypeAlias] = Scopes._alias
