"""What a class holds at this moment, apart from what its `class` statement says."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Iterator
from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any

from pylightnix.dsl.code.origins import is_project_function, qualname_of
from pylightnix.dsl.code.parts import Draft, Token
from pylightnix.dsl.code.values import encode

NOTHING: Any = object()
"""Stands for a default that there is none of, or that cannot be compared."""

_MADE_BY_PYTHON = ("_abc_impl", "_is_protocol", "_is_runtime_protocol")
_OPTIONS = ("init", "repr", "eq", "order", "unsafe_hash", "frozen")
_SLOTS = (MemberDescriptorType, GetSetDescriptorType)


def methods_of(kind: type) -> Iterator[FunctionType]:
    """The functions that the `class` statement itself defines."""
    for value in vars(kind).values():
        function = _unwrapped(value)
        is_written = isinstance(function, FunctionType) and _is_written(function)
        if is_written and qualname_of(function) == f"{kind.__qualname__}.{function.__code__.co_name}":
            yield function


def _unwrapped(value: Any) -> Any:
    seen: set[int] = set()
    while id(value) not in seen:
        seen.add(id(value))
        if isinstance(value, property):
            value = value.fget or value.fset or value.fdel
        elif isinstance(value, functools.cached_property):
            value = value.func
        elif isinstance(value, (staticmethod, classmethod)):
            value = value.__func__
        elif isinstance(value, FunctionType):
            value = vars(value).get("__wrapped__", value)
    return value


def _is_written(function: FunctionType) -> bool:
    """Whether somebody wrote the function, rather than a decorator that makes text and runs it."""
    filename = function.__code__.co_filename
    is_made = filename == "<string>" or filename.startswith("<attrs generated")
    return not is_made and is_project_function(function)


def fields_of(kind: type) -> dict[str, Any] | None:
    """The fields that a dataclass or named tuple has of its own, with their defaults; None for other classes."""
    known = vars(kind).get("__dataclass_fields__")
    if known is not None:
        inherited = {name for base in kind.__mro__[1:] for name in getattr(base, "__dataclass_fields__", ())}
        missing = dataclasses.MISSING
        return {
            name: NOTHING if field.default is missing else field.default
            for name, field in known.items()
            if name not in inherited
        }
    if is_named_tuple(kind):
        defaults = kind._field_defaults  # type: ignore[attr-defined]
        return {name: defaults.get(name, NOTHING) for name in kind._fields}  # type: ignore[attr-defined]
    return None


def extra_members(draft: Draft, kind: type, known: set[str]) -> list[Token]:
    """What was put on a class after its `class` statement, or by something else than that.

    Args:
        draft: the part of the class.
        kind: the class.
        known: the names that the `class` statement binds.
    """
    tokens: list[Token] = []
    for name, value in sorted(vars(kind).items(), key=lambda item: str(item[0])):
        if name not in known and _is_extra(kind, name, value):
            tokens += [f".{name!a}", *encode(draft, value, f"{kind.__qualname__}.{name}")]
    return ["(extra", *tokens, ")"] if tokens else []


def _is_extra(kind: type, name: str, value: Any) -> bool:
    if isinstance(value, _SLOTS) or name in _MADE_BY_PYTHON:
        return False
    function = _unwrapped(value)
    if isinstance(function, FunctionType):
        return _is_written(function)
    is_own_business = name.startswith("__") and name.endswith("__")
    return not is_own_business and _is_ordinary(kind)


def _is_ordinary(kind: type) -> bool:
    """Whether nothing else than people puts attributes on the class."""
    return type(kind).__module__ in ("builtins", "abc") and not issubclass(kind, enum.Enum) and not is_named_tuple(kind)


def is_named_tuple(kind: type) -> bool:
    """Whether `namedtuple` or `NamedTuple` has made a class itself, not a parent of it."""
    return kind.__bases__ == (tuple,) and "_fields" in vars(kind)


def live_members(draft: Draft, kind: type) -> list[Token]:
    """The form of a class that was made without a `class` statement, or whose text is gone: what it holds."""
    tokens: list[Token] = ["(made"]
    options = vars(kind).get("__dataclass_params__")
    fields = fields_of(kind) or {}
    if options is not None:
        tokens.append(ascii([name for name in _OPTIONS if getattr(options, name)]))
        for name in fields:
            tokens += _dataclass_field(draft, kind, vars(kind)["__dataclass_fields__"][name])
    else:
        for name, default in fields.items():
            tokens += [f"field:{name}", *_default(draft, kind, name, default)]
    if issubclass(kind, enum.Enum):
        tokens += enum_members(draft, kind)
    return [*tokens, ")", *extra_members(draft, kind, set(fields))]


def _dataclass_field(draft: Draft, kind: type, field: Any) -> list[Token]:
    absent = dataclasses.MISSING
    name = field.name
    on = [each for each in ("init", "repr", "hash", "compare", "kw_only") if getattr(field, each)]
    factory = NOTHING if field.default_factory is absent else field.default_factory
    default = NOTHING if field.default is absent else field.default
    given = [*_default(draft, kind, name, default), "factory", *_default(draft, kind, name, factory)]
    return [f"field:{name}", ascii(on), ascii(field._field_type.name), *given]


def _default(draft: Draft, kind: type, name: str, value: Any) -> list[Token]:
    return ["-"] if value is NOTHING else encode(draft, value, f"{kind.__qualname__}.{name}")


def enum_members(draft: Draft, kind: type[enum.Enum]) -> list[Token]:
    """The members of an enumeration in order, aliases included, and their values."""
    tokens: list[Token] = ["(members"]
    for name, member in kind.__members__.items():
        tokens += [ascii(name), *encode(draft, member._value_, f"{kind.__qualname__}.{name}")]
    return [*tokens, ")"]
