"""The inputs of a realization one by one: where each stands, what was chosen for it. Reads through the shelf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pylightnix.errors import StoreError
from pylightnix.model.closure import unslotted
from pylightnix.model.config import Opaque, decode
from pylightnix.model.realization import Realization
from pylightnix.model.records import InputChoice
from pylightnix.names import DerivationRef


class Input(NamedTuple):
    """One input of a realization.

    Attributes:
        label: where it stands: `data`, `parts[0]`, `models['deep']`.
        derivation: what stands there.
        promise: the one promise of it that the builder saw; None if it saw all.
        choice: what was chosen for it, by which matcher.
    """

    label: str
    derivation: DerivationRef
    promise: str | None
    choice: InputChoice


def inputs_of(realization: Realization[Any]) -> list[Input]:
    """The inputs of a realization, by the names of its parameters, in the choices that it stands in."""
    params, references = unslotted(realization.description()["params"])
    context = realization.context
    return [
        Input(label, reference.derivation, reference.promise, context.inputs[reference.derivation])
        for name, tree in params.items()
        for label, place in _places(decode(tree, {}, _Place), name)
        for reference in [references[place.slot]]
    ]


class _Place(NamedTuple):
    """Marks where an input stands in a decoded parameter."""

    slot: int


def _places(value: Any, label: str) -> Iterator[tuple[str, _Place]]:
    """Where inputs stand in a parameter; labels are as one would write them in Python."""
    if type(value) is _Place:
        yield label, value
    elif type(value) in (list, tuple):
        for position, item in enumerate(value):
            yield from _places(item, f"{label}[{position}]")
    elif type(value) is dict:
        for key, item in value.items():
            yield from _places(item, f"{label}[{key!r}]")
    elif type(value) is Opaque and type(value.content) is dict:
        for key, item in value.content.items():
            yield from _places(item, f"{label}.{key}")
    elif type(value) is Opaque:
        yield from _places(value.content, label)


def realizations_of(realization: Realization[Any], choice: InputChoice) -> tuple[Realization[Any], ...] | StoreError:
    """The realizations behind a choice of this realization's context; the error if they were removed or are damaged."""
    try:
        chosen = realization._chosen(choice)
    except StoreError as error:
        return error
    return chosen if isinstance(chosen, tuple) else (chosen,)
