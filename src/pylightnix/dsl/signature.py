"""The parameters of a builder, read once from its signature. Unaware of what they will be given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from pylightnix.errors import ArgumentError, ConfigError
from pylightnix.model.build import Build
from pylightnix.model.promises import Promise


class Parameter(NamedTuple):
    """One parameter: its name, its default (or `REQUIRED`), whether it may be given by position."""

    name: str
    default: Any
    positional: bool
    is_build: bool

    @property
    def promise(self) -> Promise | None:
        """The promise that it declares, if it does."""
        return self.default if isinstance(self.default, Promise) else None


REQUIRED = inspect.Parameter.empty
"""Stands for the default of a parameter that has none."""


def _signature(function: Callable[..., object]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{function!r} has no readable signature", hint="wrap it in a function of your own"
        ) from error


def check_runs(name: str, function: Callable[..., object]) -> None:
    """See that a builder runs when it is called.

    Raises:
        ConfigError: it does not: what it has in it runs later, or never.
    """
    if inspect.iscoroutinefunction(function):
        kind, hint = "a coroutine function", "let a plain function call asyncio.run(…)"
    elif inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        kind, hint = "a generator function", "return a list, or write to a promised file"
    else:
        return
    raise ConfigError(f"the builder is {kind}: calling it runs nothing of it", where=name, hint=hint)


def hint_for_missing(names: Collection[str], else_hint: str) -> str:
    """What to do about parameters that were not given; `build` is most likely meant to be the Build."""
    return "annotate it, build: Build, to be given the Build" if "build" in names else else_hint


def check_call(name: str, function: Callable[..., object], given: Collection[str]) -> bool:
    """See that a plain builder can be called with these names; whether it takes the `Build` first.

    Raises:
        ArgumentError: it cannot.
    """
    parameters = list(_signature(function).parameters.values())
    wants_build = bool(parameters) and _is_build(function, parameters[0].annotation)
    takes = parameters[1:] if wants_build else parameters
    named = {p.name: p for p in takes if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in takes)
    unknown = sorted(set(given) - set(named))
    if unknown and not open_ended:
        raise ArgumentError(
            f"the builder has no parameter {', '.join(unknown)}",
            where=name,
            hint=f"its parameters: {', '.join(named) or 'none'}",
        )
    missing = [p.name for p in named.values() if p.default is p.empty and p.name not in given]
    missing += [p.name for p in takes if p.kind is p.POSITIONAL_ONLY and p.default is p.empty]
    if missing:
        hint = hint_for_missing(missing, "give it in params or promises, by name")
        raise ArgumentError(f"the builder needs {', '.join(missing)}", where=name, hint=hint)
    return wants_build


def read_parameters(function: Callable[..., object]) -> list[Parameter]:
    """The parameters of a stage in order; ConfigError for kinds that a name cannot be given to."""
    found = []
    for position, parameter in enumerate(_signature(function).parameters.values()):
        where = f"{getattr(function, '__qualname__', function)}({_text(parameter)})"
        is_build = _is_build(function, parameter.annotation)
        if is_build and position > 0:
            raise ConfigError("the Build stands first or not at all", where=where)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError("a stage names each of its parameters", where=where, hint="give a list or a dict instead")
        if parameter.kind is parameter.POSITIONAL_ONLY and not is_build:
            raise ConfigError(
                "parameters are given by name: this one has none outside", where=where, hint="remove the /"
            )
        found.append(
            Parameter(parameter.name, parameter.default, parameter.kind is not parameter.KEYWORD_ONLY, is_build)
        )
    return found


def _text(parameter: inspect.Parameter) -> str:
    """As it stands in the signature, or its name alone: its default may be anything, also what cannot be shown."""
    try:
        return str(parameter)
    except Exception:
        return parameter.name


def _is_build(function: Callable[..., object], annotation: object) -> bool:
    if annotation is Build:
        return True
    if not isinstance(annotation, str) or not annotation.endswith("Build"):
        return False
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    first, *rest = annotation.split(".")
    found = scope.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found is Build or (found is None and annotation == "Build")
