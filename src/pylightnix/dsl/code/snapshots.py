"""What source text said of a live object when it was first looked at: to notice a change that the object cannot show.

The code of a function can be compared with its file at any time. The decorators of a function and the body of a class
leave nothing to compare with, so the text that was seen first is kept, for as long as the object lives.
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterable
from typing import Any

_seen: dict[tuple[int, ...], tuple[weakref.ref[Any], int]] = {}


def is_as_first_seen(thing: Any, nodes: Iterable[ast.AST], marks: Iterable[object] = ()) -> bool:
    """Whether the text about a live object is what it was at the first look, comments and positions aside.

    Args:
        thing: a code object or a class.
        nodes: the syntax that says something about it.
        marks: other objects that a reload replaces where it keeps the thing itself.
    """
    text = hash(tuple(_outline(each) for node in nodes for each in ast.walk(node)))
    key = (id(thing), *(id(mark) for mark in marks))
    first = _seen.get(key)
    if first is None or first[0]() is not thing:
        _seen[key] = (weakref.ref(thing, lambda _: _seen.pop(key, None)), text)
        return True
    return first[1] == text


def _outline(node: ast.AST) -> tuple[str, ...]:
    """A node without its children and its position."""
    values = (getattr(node, field, None) for field in node._fields)
    inner = (each for each in values if not isinstance(each, ast.AST))
    return (type(node).__name__, *(str(len(each)) if isinstance(each, list) else repr(each) for each in inner))
