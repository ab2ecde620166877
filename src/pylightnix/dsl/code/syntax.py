"""Our own normal form of syntax: what a function or class says, without how it is written.

A form is a flat sequence of tokens, made with a stack and no recursion, so the depth of an expression does not matter.
A name of the piece's own is written as `v<scopes up>:name`; a name from around it as what it stands for, so that
renaming a module, or importing a thing under another name, changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, TypeAlias, cast

from pylightnix.dsl.code.grammar import FIELDS, field_marker, meaningful, text_pieces
from pylightnix.dsl.code.naming import Naming
from pylightnix.dsl.code.parts import Draft, Ref, Token
from pylightnix.dsl.code.scalars import word
from pylightnix.dsl.code.scopes import COMPREHENSIONS, DEFINITIONS, Scope, Scopes
from pylightnix.dsl.code.surroundings import Surroundings
from pylightnix.errors import CodeError

Piece: TypeAlias = str | Ref | tuple[ast.AST, Scope]


class Writer:
    """Writes pieces of syntax as tokens.

    Args:
        draft: collects what is named and what cannot be followed.
        scopes: of the pieces, already read.
        around: what the free names stand for.
        typed: whether the annotations of fields count in full (see `classes`).
    """

    def __init__(self, draft: Draft, scopes: Scopes, around: Surroundings, typed: bool = True) -> None:
        self._scopes = scopes
        self._naming = Naming(draft, around, scopes.assigned)
        self._typed = typed

    def write(self, pieces: Iterable[Piece]) -> list[Token]:
        """The tokens of some pieces, in order."""
        tokens: list[Token] = []
        stack: list[Piece] = list(pieces)[::-1]
        while stack:
            piece = stack.pop()
            if type(piece) is str or type(piece) is Ref:
                tokens.append(piece)
            else:
                node, scope = cast("tuple[ast.AST, Scope]", piece)
                handler = _HANDLERS.get(type(node))
                made = handler(self, node, scope) if handler is not None else self._plain(node, scope)
                stack += made[::-1]
        return tokens

    def body(self, statements: list[ast.stmt], scope: Scope) -> list[Piece]:
        """The statements of a body that do something."""
        return ["[", *((each, scope) for each in meaningful(statements, scope.kind == "class")), "]"]

    def parameters(self, arguments: ast.arguments) -> str:
        """The names and kinds of a function's parameters."""
        positional = [each.arg for each in arguments.posonlyargs]
        plain = [each.arg for each in arguments.args]
        keyword = [each.arg for each in arguments.kwonlyargs]
        stars = [each.arg if each is not None else "-" for each in (arguments.vararg, arguments.kwarg)]
        return f"({' '.join(positional)} / {' '.join(plain)} * {' '.join(keyword)} ** {' '.join(stars)})"

    def _plain(self, node: ast.AST, scope: Scope) -> list[Piece]:
        kind = type(node).__name__
        fields = FIELDS.get(kind)
        if fields is None:
            raise CodeError(
                f"syntax that this version does not know: {kind}", hint="pass version=… to the stage", syntax=kind
            )
        if not fields:
            return [kind]
        pieces: list[Piece] = [f"({kind}"]
        for field in fields:
            pieces += self._field(getattr(node, field), scope)
        pieces.append(")")
        return pieces

    def _field(self, value: Any, scope: Scope) -> list[Piece]:
        if isinstance(value, ast.AST):
            return [(value, scope)]
        if not isinstance(value, list):
            return ["-" if value is None else ascii(value)]
        if value and isinstance(value[0], ast.stmt):
            return self.body(value, scope)
        return ["[", *(piece for each in value for piece in self._field(each, scope)), "]"]

    def _constant(self, node: ast.Constant, scope: Scope) -> list[Piece]:
        found = word(node.value)
        assert found is not None, f"BUG: a constant of type {type(node.value)}"
        return [found]

    def _name(self, node: ast.Name, scope: Scope) -> list[Piece]:
        if isinstance(node.ctx, ast.Load):
            return [*self._naming.chain(node, (), scope)]
        return [self._naming.bound(node.id, scope)]

    def _attribute(self, node: ast.Attribute, scope: Scope) -> list[Piece]:
        attributes: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            attributes.append(scope.mangled(base.attr))
            base = base.value
        if not isinstance(base, ast.Name) or not isinstance(node.ctx, ast.Load):
            return self._plain(node, scope)
        return [*self._naming.chain(base, tuple(reversed(attributes)), scope)]

    def _call(self, node: ast.Call, scope: Scope) -> list[Piece]:
        self._naming.notice_dynamic(node, scope)
        return self._plain(node, scope)

    def _text(self, node: Any, scope: Scope) -> list[Piece]:
        """An f-string, or a template string."""
        pieces = text_pieces(node.values)
        if isinstance(node, ast.JoinedStr) and all(isinstance(each, str) for each in pieces):
            return [ascii("".join(str(each) for each in pieces))]
        inner: list[Piece] = [ascii(each) if isinstance(each, str) else (each, scope) for each in pieces]
        return [f"({type(node).__name__}", *inner, ")"]

    def _formatted(self, node: Any, scope: Scope) -> list[Piece]:
        spec: Any = node.format_spec
        shown: list[Piece] = ["-" if spec is None or not spec.values else (spec, scope)]
        source: list[Piece] = [ascii(node.str)] if hasattr(node, "str") else []
        return [f"(Formatted {node.conversion}", (node.value, scope), *source, *shown, ")"]

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope) -> list[Piece]:
        defaults = self._field([*node.args.defaults, *node.args.kw_defaults], scope)
        head: list[Piece] = [f"({type(node).__name__}", self.parameters(node.args), *defaults]
        inner = self._scopes.of[id(node)]
        if isinstance(node, ast.Lambda):
            return [*head, (node.body, inner), ")"]
        decorators = self._field(node.decorator_list, scope)
        name = self._naming.bound(node.name, scope)
        return [*head, name, *decorators, self._types(node), *self.body(node.body, inner), ")"]

    def _types(self, node: ast.AST) -> str:
        """The names of type parameters; their bounds are annotations."""
        return f"<{' '.join(each.name for each in getattr(node, 'type_params', ()))}>"

    def _class(self, node: ast.ClassDef, scope: Scope) -> list[Piece]:
        around = self._scopes.types_of.get(id(node), scope)
        head = [*self._field(node.decorator_list, scope), *self._field([*node.bases, *node.keywords], around)]
        name = self._naming.bound(node.name, scope)
        return ["(ClassDef", name, *head, self._types(node), *self.body(node.body, self._scopes.of[id(node)]), ")"]

    def _comprehension(self, node: Any, scope: Scope) -> list[Piece]:
        inner = self._scopes.of[id(node)]
        first, *rest = node.generators
        result = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        head: list[Piece] = [f"({type(node).__name__}", (first.iter, scope), str(first.is_async)]
        later = [first.target, *first.ifs, *rest, *result]
        return [*head, str(len(first.ifs)), *((each, inner) for each in later), ")"]

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> list[Piece]:
        value: list[Piece] = ["-" if node.value is None else (node.value, scope)]
        if scope.kind == "class":
            kind = field_marker(node.annotation)
            text: list[Piece] = [(node.annotation, scope)] if self._typed else []
            return [f"(Field {kind or '-'}", (node.target, scope), *value, *text, ")"]
        if node.value is None:
            return ["(Declare", (node.target, scope), ")"]
        return ["(Assign [", (node.target, scope), "]", *value, ")"]

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> list[Piece]:
        pieces: list[Piece] = []
        for alias in node.names:
            is_whole = isinstance(node, ast.Import) and alias.asname is None
            name = alias.asname or (alias.name.partition(".")[0] if is_whole else alias.name)
            pieces += ["(Import", self._naming.bound(name, scope), *self._naming.imported(node, alias, scope), ")"]
        return pieces

    def _handler(self, node: ast.ExceptHandler, scope: Scope) -> list[Piece]:
        name = "-" if node.name is None else self._naming.bound(node.name, scope)
        return ["(ExceptHandler", name, *self._field(node.type, scope), *self.body(node.body, scope), ")"]

    def _match_name(self, node: ast.MatchAs | ast.MatchStar, scope: Scope) -> list[Piece]:
        name = "-" if node.name is None else self._naming.bound(node.name, scope)
        pattern = self._field(node.pattern, scope) if isinstance(node, ast.MatchAs) else []
        return [f"({type(node).__name__}", name, *pattern, ")"]

    def _match_mapping(self, node: ast.MatchMapping, scope: Scope) -> list[Piece]:
        rest = "-" if node.rest is None else self._naming.bound(node.rest, scope)
        return ["(MatchMapping", *self._field(node.keys, scope), *self._field(node.patterns, scope), rest, ")"]

    def _type_alias(self, node: Any, scope: Scope) -> list[Piece]:
        inner = self._scopes.types_of.get(id(node), scope)
        return ["(TypeAlias", self._naming.bound(node.name.id, scope), self._types(node), (node.value, inner), ")"]


_HANDLERS: dict[type, Any] = {
    ast.Constant: Writer._constant,
    ast.Name: Writer._name,
    ast.Attribute: Writer._attribute,
    ast.Call: Writer._call,
    ast.JoinedStr: Writer._text,
    ast.FormattedValue: Writer._formatted,
    ast.Lambda: Writer._function,
    ast.ClassDef: Writer._class,
    ast.AnnAssign: Writer._annotated,
    ast.Import: Writer._import,
    ast.ImportFrom: Writer._import,
    ast.ExceptHandler: Writer._handler,
    ast.MatchAs: Writer._match_name,
    ast.MatchStar: Writer._match_name,
    ast.MatchMapping: Writer._match_mapping,
    **dict.fromkeys(DEFINITIONS, Writer._function),
    **dict.fromkeys(COMPREHENSIONS, Writer._comprehension),
}
_NEWER = {"TypeAlias": Writer._type_alias, "TemplateStr": Writer._text, "Interpolation": Writer._formatted}
_HANDLERS.update({getattr(ast, name): handler for name, handler in _NEWER.items() if hasattr(ast, name)})
