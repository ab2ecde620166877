"""The fields of each kind of syntax that count, in a fixed order. The same for every version of Python.

Positions, contexts, type comments, annotations and the `u` of strings do not count. Kinds with rules of their own
(names, functions, classes, imports, f-strings) are in `syntax`.
"""

from __future__ import annotations

import ast

_TABLE = """
Assert test msg
Assign targets value
AsyncFor target iter body orelse
AsyncWith items body
Attribute value attr
AugAssign target op value
Await value
BinOp left op right
BoolOp op values
Break
Call func args keywords
Compare left ops comparators
Continue
Delete targets
Dict keys values
Expr value
For target iter body orelse
If test body orelse
IfExp test body orelse
List elts
Match subject cases
MatchClass cls patterns kwd_attrs kwd_patterns
MatchOr patterns
MatchSequence patterns
MatchSingleton value
MatchValue value
NamedExpr target value
Raise exc cause
Return value
Set elts
Slice lower upper step
Starred value
Subscript value slice
Try body handlers orelse finalbody
TryStar body handlers orelse finalbody
Tuple elts
UnaryOp op operand
While test body orelse
With items body
Yield value
YieldFrom value
comprehension target iter ifs is_async
keyword arg value
match_case pattern guard body
withitem context_expr optional_vars
Add
And
BitAnd
BitOr
BitXor
Div
Eq
FloorDiv
Gt
GtE
In
Invert
Is
IsNot
LShift
Lt
LtE
MatMult
Mod
Mult
Not
NotEq
NotIn
Or
Pow
RShift
Sub
UAdd
USub
"""

FIELDS: dict[str, tuple[str, ...]] = {
    kind: tuple(fields) for kind, *fields in (line.split() for line in _TABLE.split("\n") if line)
}
"""What counts of a node, by the name of its kind."""


def meaningful(body: list[ast.stmt], in_class: bool = False) -> list[ast.stmt]:
    """The statements that do something: no docstrings, `pass`, bare constants, or mere declarations."""
    return [each for each in body if not _is_idle(each, in_class)]


def _is_idle(statement: ast.stmt, in_class: bool) -> bool:
    if isinstance(statement, (ast.Pass, ast.Global, ast.Nonlocal)):
        return True
    if isinstance(statement, ast.AnnAssign):
        return statement.value is None and not in_class and isinstance(statement.target, ast.Name)
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def text_pieces(values: list[ast.expr]) -> list[ast.expr | str]:
    """The pieces of an f-string, neighbouring texts joined: versions of Python split them differently."""
    pieces: list[ast.expr | str] = []
    for value in values:
        text = value.value if isinstance(value, ast.Constant) else None
        if not isinstance(text, str):
            pieces.append(value)
        elif pieces and isinstance(pieces[-1], str):
            pieces[-1] += text
        elif text:
            pieces.append(text)
    return pieces


_FIELD_MARKERS = ("ClassVar", "InitVar", "KW_ONLY")


def field_marker(annotation: ast.expr) -> str:
    """What an annotation in a class says of the kind of field; empty for a plain one."""
    node: ast.expr | None = _parsed(annotation)
    while node is not None:
        if isinstance(node, ast.Subscript):
            inner = _name_of(node.value)
            if inner in _FIELD_MARKERS:
                return inner
            is_annotated = inner == "Annotated" and isinstance(node.slice, ast.Tuple) and node.slice.elts
            node = node.slice.elts[0] if is_annotated and isinstance(node.slice, ast.Tuple) else None
        else:
            name = _name_of(node)
            return name if name in _FIELD_MARKERS else ""
    return ""


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _parsed(annotation: ast.expr) -> ast.expr:
    """An annotation in quotes says the same as one without."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return annotation
    return annotation
