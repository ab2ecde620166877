"""Whether a class statement in a file can be the one that made a class: what is fixed then is still as it says."""

from __future__ import annotations

import ast
import enum
from typing import Any

from pylightnix.dsl.code.grammar import field_marker
from pylightnix.dsl.code.members import NOTHING, fields_of
from pylightnix.dsl.code.scalars import word
from pylightnix.dsl.code.scopes import Scope

_SIMPLE = (ast.AnnAssign, ast.Assign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Expr, ast.Pass)


def fits(kind: type, node: ast.ClassDef) -> bool:
    """Whether the fields of a dataclass or named tuple, or the members of an enumeration, are those of the text.

    Anything else may be assigned later on, or be computed by the class, so it proves nothing.
    """
    known = fields_of(kind)
    if known is not None and all(isinstance(each, _SIMPLE) for each in node.body):
        return _fits_fields(kind, node, known)
    if issubclass(kind, enum.Enum) and getattr(kind, "_new_member_", None) is object.__new__:
        plain = {each.targets[0].id: each.value for each in node.body if is_plain(each)}  # type: ignore[attr-defined]
        return not any(_differs(plain[name], kind.__members__[name]._value_) for name in {*plain} & {*kind.__members__})
    return True


def _fits_fields(kind: type, node: ast.ClassDef, known: dict[str, Any]) -> bool:
    scope = Scope("class", None, node.name)
    written = {
        scope.mangled(each.target.id): each.value
        for each in fields_in(node)
        if isinstance(each.target, ast.Name) and field_marker(each.annotation) != "KW_ONLY"
    }
    everything = set(known) | set(getattr(kind, "__dataclass_fields__", ()))
    if not set(known) <= set(written) <= everything:
        return False
    return not any(_differs(written[name], known[name]) for name in known)


def _differs(written: ast.expr | None, live: Any) -> bool:
    """Whether a default in the text is a constant, and another one than that of the class."""
    if not isinstance(written, ast.Constant):
        return written is None and live is not NOTHING and word(live) is not None
    return live is NOTHING or word(written.value) != (word(live) or word(written.value))


def fields_in(node: ast.ClassDef) -> list[ast.AnnAssign]:
    """The annotated names of a class body."""
    return [each for each in node.body if isinstance(each, ast.AnnAssign)]


def is_plain(statement: ast.stmt) -> bool:
    """Whether a statement is `name = value`."""
    return (
        isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name)
    )
