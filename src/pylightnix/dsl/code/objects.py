"""Containers, instances and well-known kinds of objects, as pieces of a form."""

from __future__ import annotations

import dataclasses
import enum
import functools
from types import MemberDescriptorType
from typing import Any

from pylightnix.dsl.code.callables import wrapped_inside
from pylightnix.dsl.code.origins import is_own, is_project_class, public_name
from pylightnix.dsl.code.parts import Draft
from pylightnix.dsl.code.pieces import Child, Piece
from pylightnix.dsl.code.wellknown import well_known_pieces
from pylightnix.hashing import canonical
from pylightnix.model.config import Encoding

BUILDER = "__pylightnix_builder__"
"""The attribute by which a stage gives its function."""

_CONTENTS = (dict, list, tuple, set, frozenset, str, bytes, int, float, complex)


def object_pieces(draft: Draft, value: Any, path: str) -> list[Piece]:
    """The pieces of a container or an instance; one that cannot be said is listed."""
    pieces = well_known_pieces(draft, value, path)
    if pieces is not None:
        return pieces
    kind = type(value)
    if is_stage(value):
        builder = getattr(value, BUILDER)
        draft.own |= own_chain(builder)
        return ["(stage", Child(builder, path), ")"]
    if any(each.__module__ == "logging" and each.__name__ == "Logger" for each in kind.__mro__):
        return [draft.by_name("logging.Logger")]
    return _instance(draft, kind, value, path)


def is_stage(value: Any) -> bool:
    """Whether something is a stage: an instance that gives the function which it describes."""
    return hasattr(type(value), BUILDER) or BUILDER in _own_dict(value)


def own_chain(builder: Any) -> frozenset[int]:
    """A builder and what it wraps: the functions whose own defaults are parameters of the configuration."""
    found: dict[int, Any] = {}
    while builder is not None and id(builder) not in found:
        found[id(builder)] = builder
        if isinstance(builder, functools.partial):
            builder = builder.func
        else:
            builder = getattr(builder, "__wrapped__", None) or getattr(builder, "__func__", None)
    return frozenset(found)


def _instance(draft: Draft, kind: type, value: Any, path: str) -> list[Piece]:
    if issubclass(kind, enum.Enum):
        return ["(member", Child(kind, path), _member(value), ")"]
    if issubclass(kind, tuple) and not is_project_class(kind):
        return ["(tuple", Child(kind, path), *(Child(each, f"{path}[{i}]") for i, each in enumerate(value)), ")"]
    if dataclasses.is_dataclass(kind) and not is_own(value):
        fields = [(each.name, getattr(value, each.name, None)) for each in dataclasses.fields(kind)]
        return _state(kind, path, fields, [])
    encoded = _registered(value, path)
    if encoded is not None:
        return ["(encoded", Child(kind, path), encoded, ")"]
    if is_project_class(kind) and not is_own(value):
        return _state(kind, path, _attributes(kind, value), _content(kind, value, path))
    return _outside(draft, kind, value, path)


def _state(kind: type, path: str, attributes: list[tuple[str, Any]], content: list[Piece]) -> list[Piece]:
    pieces: list[Piece] = ["(instance", Child(kind, path), *content]
    for name, value in attributes:
        pieces += [f".{name!a}", Child(value, f"{path}.{name}")]
    return [*pieces, ")"]


def _attributes(kind: type, value: Any) -> list[tuple[str, Any]]:
    """The attributes that an instance keeps, by name; those that a cached property computed are no state."""
    found = {name: each for name, each in _own_dict(value).items() if not _is_computed(kind, name)}
    for parent in kind.__mro__:
        for name, slot in vars(parent).items():
            if type(slot) is MemberDescriptorType:
                with_value = _slot(slot, value)
                if with_value:
                    found.setdefault(name, with_value[0])
    if issubclass(kind, BaseException):
        found["args"] = value.args
    return sorted((str(name), each) for name, each in found.items()) if _plain_names(found) else list(found.items())


def _plain_names(found: dict[str, Any]) -> bool:
    return all(type(name) is str for name in found)


def _own_dict(value: Any) -> dict[str, Any]:
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_computed(kind: type, name: str) -> bool:
    return any(isinstance(vars(parent).get(name), functools.cached_property) for parent in kind.__mro__)


def _slot(slot: MemberDescriptorType, value: Any) -> tuple[Any, ...]:
    try:
        return (slot.__get__(value),)
    except AttributeError:
        return ()


def _content(kind: type, value: Any, path: str) -> list[Piece]:
    """What an instance of a class that extends a builtin type has as that type."""
    for base in _CONTENTS:
        if issubclass(kind, base):
            plain = dict(dict.items(value)) if base is dict else base(value)
            return [Child(plain, path)]
    return []


def _member(value: enum.Enum) -> str:
    return ascii(value.value) if isinstance(value, enum.Flag) else ascii(value.name)


def _registered(value: Any, path: str) -> str | None:
    """The encoding of a value whose type somebody has registered, or a NumPy scalar."""
    try:
        return ascii(canonical(Encoding("code", non_finite=True).encode(value, path)).decode())
    except Exception:  # an encoder of the user's may fail in any way
        return None


def _outside(draft: Draft, kind: type, value: Any, path: str) -> list[Piece]:
    name = public_name(value)
    if name is not None:
        return [draft.by_name(name)]
    shown = draft.type_name(kind)
    if is_own(value):
        return [draft.leave_out(path, shown, "give it to the stage as a parameter; only its type counts")]
    inner = wrapped_inside(value)
    if inner is not None:
        draft.leave_out(path, shown, "the function that it wraps is followed, its own settings are not")
        return ["(wrapped", draft.by_name(shown), Child(inner[1], f"{path}.{inner[0]}"), ")"]
    why = "only its type counts; give it as a parameter, or make it in a stage of its own"
    return [draft.leave_out(path, shown, why)]
