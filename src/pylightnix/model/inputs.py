"""The inputs of a realization one by one: where each stands, what was chosen for it. Reads through the shelf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pylightnix.errors import StoreError
from pylightnix.model.closure import unslotted
from pylightnix.model.config import Slot
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
    """The inputs of a realization, in the order of its parameters, in the choices that it stands in."""
    params, references = unslotted(realization.description()["params"])
    context = realization.context
    return [
        Input(label, reference.derivation, reference.promise, context.inputs[reference.derivation])
        for name, tree in params.items()
        for label, index in _slots(tree, name)
        for reference in [references[index]]
    ]


def _slots(tree: Any, label: str) -> Iterator[tuple[str, int]]:
    """Where inputs stand in a parameter: labels as one would write them in Python, and indices of slots."""
    if type(tree) is Slot:
        yield label, tree.index
    elif type(tree) is list:
        for position, item in enumerate(tree):
            yield from _slots(item, f"{label}[{position}]")
    elif type(tree) is dict:
        yield from _slots_in_dict(tree, label)


def _slots_in_dict(tree: dict[str, Any], label: str) -> Iterator[tuple[str, int]]:
    tag, content = next(iter(tree.items())) if len(tree) == 1 else ("", None)
    if tag in ("$tuple", "$dict"):
        yield from _slots(content, label) if tag == "$tuple" else _slots_in_items(content, label)
    elif tag in ("$dataclass", "$custom"):
        for name, item in content["fields"].items() if tag == "$dataclass" else [("value", content["value"])]:
            yield from _slots(item, f"{label}.{name}")
    else:
        yield from _slots_in_items(tree, label)


def _slots_in_items(items: dict[str, Any], label: str) -> Iterator[tuple[str, int]]:
    for key, item in items.items():
        yield from _slots(item, f"{label}[{key!r}]")


def realizations_of(realization: Realization[Any], choice: InputChoice) -> tuple[Realization[Any], ...] | StoreError:
    """The realizations behind a choice of this realization's context; the error, if they were removed or are damaged."""
    try:
        chosen = realization._chosen(choice)
    except StoreError as error:
        return error
    return chosen if isinstance(chosen, tuple) else (chosen,)  # type: ignore[return-value]
