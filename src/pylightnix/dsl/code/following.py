"""From a builder to all that it reaches: parts, each with its label. Hashes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pylightnix.dsl.code.classes import class_part
from pylightnix.dsl.code.functions import function_part
from pylightnix.dsl.code.objects import BUILDER, own_chain
from pylightnix.dsl.code.parts import Draft, Key, Part, Pool, Ref
from pylightnix.dsl.code.values import encode
from pylightnix.errors import CodeError

ROOT = "builder"
"""The label of a builder that is not simply a function: a partial, a bound method, an object that can be called."""


def labelled_parts(function: object, own_defaults: bool, pool: Pool) -> Iterator[tuple[str, tuple[Part, str]]]:
    """Each part with its label and its text.

    Parts are numbered in the order in which the texts name them, so nothing else can change a label.
    """
    root = _root(function, own_defaults, pool)
    taken: dict[str, int] = {}
    first = _part(pool, root)
    labels: dict[Key, str] = {root: _free(first.label, taken)}
    alike = {(first.label, first.tokens): labels[root]}
    order = [root]
    for key in order:
        part = _part(pool, key)
        for inner in part.refs:
            if inner not in labels:
                other = _part(pool, inner)
                form = (other.label, other.tokens)
                if form not in alike:
                    alike[form] = _free(other.label, taken)
                    order.append(inner)
                labels[inner] = alike[form]
        head = "root " if key == root else ""
        words = (f"@{labels[token.key]!a}" if type(token) is Ref else token for token in part.tokens)
        yield labels[key], (part, head + " ".join(words))  # type: ignore[arg-type]


def _root(function: object, own_defaults: bool, pool: Pool) -> Key:
    function = getattr(function, BUILDER, function)
    if not callable(function):
        raise CodeError(f"{function!r} cannot be called, so it has no code", hint="give a function")
    draft = Draft(pool, frozenset() if own_defaults else own_chain(function))
    tokens = encode(draft, function, ROOT)
    if len(tokens) == 1 and type(tokens[0]) is Ref:
        return tokens[0].key
    key = ("root", id(function), own_defaults)
    pool.objects[key] = function
    pool.parts[key] = draft.part(ROOT, tokens)
    return key


def _part(pool: Pool, key: Key) -> Part:
    part = pool.parts.get(key)
    if part is None:
        thing: Any = pool.objects[key]
        part = function_part(pool, thing, bool(key[2])) if key[0] == "function" else class_part(pool, thing)
        pool.parts[key] = part
    return part


def _free(label: str, taken: dict[str, int]) -> str:
    """The label itself, or with the next number after it."""
    count = taken.get(label, 0) + 1
    taken[label] = count
    numbered = label if count == 1 else f"{label}#{count}"
    return numbered if count == 1 or numbered not in taken else _free(label, taken)
