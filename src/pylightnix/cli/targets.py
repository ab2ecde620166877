"""What a target means: something to realize, or realizations that are there. Unaware of how either is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pylightnix.cli.loading import Place, load, parse_place, users_code
from pylightnix.dsl.derivation import Promised, as_derivation
from pylightnix.dsl.stage import Stage
from pylightnix.errors import ArgumentError, TargetError, UnknownReferenceError
from pylightnix.model.realization import Realization
from pylightnix.names import is_prefix
from pylightnix.session.standing import standing
from pylightnix.store.store import Store


class Found(NamedTuple):
    """A realization, and where it stood in the list or dict that was asked for."""

    label: str
    realization: Realization[Any]


def asked(targets: Sequence[str], given: Mapping[str, Any], store: Store) -> Any:
    """What to realize: the one thing that a target names, or a dict of those that several name.

    Args:
        targets: as the user wrote them.
        given: parameters to set; only with a single target.
        store: where references are looked up.

    Raises:
        TargetError: a target names nothing that can be realized.
        ArgumentError: a parameter that it does not have.
    """
    if len(targets) == 1:
        return _asked(targets[0], given, store)
    if given:
        raise ArgumentError(
            "parameters are set for one target", where="--set", hint="give one target, or leave out --set"
        )
    return {target: _asked(target, {}, store) for target in targets}


def _asked(target: str, given: Mapping[str, Any], store: Store) -> Any:
    place = parse_place(target)
    if place is None:
        if given:
            raise ArgumentError(
                "a realization is what it is: no parameter of it can be set",
                where=target,
                hint="give FILE.py:STAGE with --set",
            )
        return realization(target, store)
    with users_code(place.source):
        return _describe(place, load(place), given)


def _describe(place: Place, thing: Any, given: Mapping[str, Any]) -> Any:
    """The derivations that a thing of the user's stands for."""
    if isinstance(thing, Stage):
        return thing(**given) if given else thing
    if as_derivation(thing) is not None or isinstance(thing, (list, tuple, dict)):
        if given:
            kind = "a derivation" if as_derivation(thing) is not None else f"a {type(thing).__name__}"
            raise ArgumentError(
                f"it is {kind} already, and its parameters are fixed", where=str(place),
                hint="name the stage that it comes from, or set the parameter where it is made", name=next(iter(given)),
            )  # fmt: skip
        return thing
    if callable(thing) and not isinstance(thing, type):
        return _compose(place, thing, given)
    if isinstance(thing, Promised):
        raise TargetError(
            "it is a promise of a stage, and stages are realized",
            where=str(place),
            hint=f"pylightnix path {str(place).rpartition('.')[0]} {thing.name} prints where it is",
        )
    raise TargetError(
        f"it is {_named(thing)}, and stages and derivations are realized",
        where=str(place),
        hint="put @stage on the function that makes it",
    )


def _compose(place: Place, function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """What a plain function gives that composes stages."""
    try:
        inspect.signature(function).bind(**given)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"it cannot be called so: {error}",
            where=str(place),
            hint="parameters without a default are given with --set NAME=VALUE",
        ) from None
    made = function(**given)
    if as_derivation(made) is None and not isinstance(made, (list, tuple, dict)):
        raise TargetError(
            f"calling it gave {_named(made)}, no derivation", where=str(place),
            hint="put @stage on it, or let it return derivations (or a list or dict of them)",
        )  # fmt: skip
    return made


def _named(thing: object) -> str:
    return "None" if thing is None else f"an object of type {type(thing).__name__}"


def realization(reference: str, store: Store) -> Realization[Any]:
    """The realization that a reference names.

    Raises:
        TargetError: the text is neither a reference nor a file or module with a stage.
        UnknownReferenceError: nothing, or more than one thing, is named so.
    """
    if not is_prefix(reference):
        raise TargetError(
            f"{reference!r} is neither a reference nor FILE.py:STAGE nor MODULE:STAGE",
            hint="a reference is what pylightnix ls shows first in each line, or the first digits of it",
        )
    return store.realization(reference)


def found(target: str, given: Mapping[str, Any], store: Store) -> list[Found]:
    """The realizations that a target names and that are in the store; builds nothing.

    Raises:
        TargetError: something would have to be built first.
    """
    thing = asked([target], given, store)
    if parse_place(target) is None:
        return [Found("", thing)]
    return flatten(standing(thing, store))


def realizations(targets: Sequence[str], given: Mapping[str, Any], store: Store) -> list[Realization[Any]]:
    """All realizations that targets name; errors as `found`."""
    return [one.realization for target in targets for one in found(target, given, store)]


def flatten(shape: Any, label: str = "") -> list[Found]:
    """What `realize_many` gave, one by one, with labels such as `deep` or `[0]` where containers were asked for."""
    if isinstance(shape, tuple) and all(isinstance(item, Realization) for item in shape):
        return [Found(label, item) for item in shape]
    if isinstance(shape, Mapping):
        return [one for name, item in shape.items() for one in flatten(item, f"{label}.{name}" if label else str(name))]
    return [one for position, item in enumerate(shape) for one in flatten(item, f"{label}[{position}]")]


def one_of(references: Sequence[str], prefix: str, store: Store) -> str | None:
    """The reference that begins with these digits; None if there is none.

    Raises:
        UnknownReferenceError: there are several.
    """
    matching = [reference for reference in references if reference.startswith(prefix)]
    if len(matching) > 1:
        raise UnknownReferenceError(
            f"{prefix} names {len(matching)} things", where=str(store.path),
            hint=f"give more digits: {', '.join(matching[:5])}", ref=prefix, found=matching,
        )  # fmt: skip
    return matching[0] if matching else None
