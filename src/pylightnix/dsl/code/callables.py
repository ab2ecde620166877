"""Functions, methods, classes and what wraps them, as pieces of a form. Made for values, unaware of syntax."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

from pylightnix.dsl.code.origins import (
    is_project_class,
    is_project_function,
    is_project_module,
    module_name,
    public_name,
)
from pylightnix.dsl.code.parts import Draft
from pylightnix.dsl.code.pieces import Child, Members, Piece

_WRAPPED = ("__wrapped__", "py_func", "pyfunc", "func")
_CACHE = type(functools.lru_cache(lambda: None))


def callable_pieces(draft: Draft, value: Any, path: str) -> list[Piece] | None:
    """The pieces of a function, method, class or module; None for anything else."""
    maker = _MAKERS.get(type(value))
    if maker is not None:
        return maker(draft, value, path)
    return _class(draft, value, path) if issubclass(type(value), type) else None


def is_named_inside(value: Any) -> bool:
    """Whether something is a function with more around it, so that its name is the function's."""
    return type(value) in (FunctionType, _CACHE)


def _function(draft: Draft, value: FunctionType, path: str) -> list[Piece]:
    if is_project_function(value):
        return [draft.function(value)]
    name = public_name(value)
    if name is not None:
        return [draft.by_name(name)]
    return _made_outside(draft, value, path)


def _made_outside(draft: Draft, value: FunctionType, path: str) -> list[Piece]:
    """A function that code outside the project has made, around functions of the project perhaps."""
    code = value.__code__
    maker = code.co_qualname.partition(".<locals>")[0]
    pieces: list[Piece] = ["(made", draft.by_name(f"{value.__globals__.get('__name__', '?')}.{maker}")]
    if hasattr(value, "registry") and hasattr(value, "dispatch"):
        return [*pieces, Members(tuple(value.registry.items()), path), ")"]
    wrapped = value.__dict__.get("__wrapped__")
    if wrapped is not None:
        pieces += ["wrapped", Child(wrapped, path)]
    for name, cell in sorted(zip(code.co_freevars, value.__closure__ or (), strict=True)):
        with_value = _content(cell)
        if with_value and with_value[0] is not wrapped:
            pieces += [ascii(name), Child(with_value[0], f"{path}.{name}")]
    return [*pieces, ")"]


def _content(cell: Any) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def _builtin(draft: Draft, value: Any, path: str) -> list[Piece]:
    name = public_name(value)
    if name is not None:
        return [draft.by_name(name)]
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        return [f"(method {value.__name__!a}", Child(owner, path), ")"]
    return [draft.leave_out(path, draft.type_name(type(value)), "compiled code without source; only its type counts")]


def _method(draft: Draft, value: MethodType, path: str) -> list[Piece]:
    name = public_name(value) if not _is_project_code(value.__func__) else None
    if name is not None:
        return [draft.by_name(name)]
    return ["(method", Child(value.__func__, path), Child(value.__self__, f"{path}.__self__"), ")"]


def _is_project_code(function: Any) -> bool:
    return type(function) is not FunctionType or is_project_function(function)


def _class(draft: Draft, value: type, path: str) -> list[Piece]:
    name = None if is_project_class(value) else public_name(value)
    is_made_here = name is None and "__dataclass_fields__" in vars(value)  # make_dataclass says "types" in Python 3.11
    if is_project_class(value) or is_made_here:
        return [draft.project_class(value)]
    return [draft.by_name(name or f"{value.__module__}.{value.__qualname__}")]


def _module(draft: Draft, value: ModuleType, path: str) -> list[Piece]:
    if not is_project_module(value):
        return [draft.by_name(module_name(value))]
    why = "what is taken out of it cannot be seen; name its functions one by one"
    return [draft.leave_out(path, "a module of the project used as a value", why)]


def _partial(draft: Draft, value: Any, path: str) -> list[Piece]:
    given: list[Piece] = [Child(each, f"{path}.args[{place}]") for place, each in enumerate(value.args)]
    for name in sorted(value.keywords):
        given += [ascii(name), Child(value.keywords[name], f"{path}.keywords[{name!r}]")]
    return [f"({type(value).__name__}", Child(value.func, path), *given, ")"]


def _wrapper(draft: Draft, value: Any, path: str) -> list[Piece]:
    return [f"({type(value).__name__}", Child(value.__func__, path), ")"]


def _property(draft: Draft, value: property, path: str) -> list[Piece]:
    return ["(property", *(Child(each, path) for each in (value.fget, value.fset, value.fdel)), ")"]


def _cached(draft: Draft, value: Any, path: str) -> list[Piece]:
    return ["(cached", Child(value.__wrapped__, path), ")"]


def _cached_property(draft: Draft, value: Any, path: str) -> list[Piece]:
    return ["(cached_property", Child(value.func, path), ")"]


def _single(draft: Draft, value: Any, path: str) -> list[Piece]:
    return ["(singledispatchmethod", Child(value.dispatcher, path), ")"]


def _slot(draft: Draft, value: Any, path: str) -> list[Piece]:
    return [f"(slot {value.__name__!a}", Child(value.__objclass__, path), ")"]


def wrapped_inside(value: Any) -> tuple[str, Any] | None:
    """The function that an object outside the project says it wraps, and the attribute that has it."""
    for attribute in _WRAPPED:
        inner = inspect.getattr_static(value, attribute, None)
        if inner is not None:
            found = getattr(value, attribute, None)
            if callable(found):
                return attribute, found
    return None


_MAKERS: dict[type, Callable[[Draft, Any, str], list[Piece]]] = {
    FunctionType: _function,
    BuiltinFunctionType: _builtin,
    MethodDescriptorType: _builtin,
    WrapperDescriptorType: _builtin,
    MethodWrapperType: _builtin,
    ClassMethodDescriptorType: _builtin,
    GetSetDescriptorType: _slot,
    MemberDescriptorType: _slot,
    MethodType: _method,
    ModuleType: _module,
    type: _class,
    functools.partial: _partial,
    functools.partialmethod: _partial,
    staticmethod: _wrapper,
    classmethod: _wrapper,
    property: _property,
    functools.cached_property: _cached_property,
    functools.singledispatchmethod: _single,
    _CACHE: _cached,
}
