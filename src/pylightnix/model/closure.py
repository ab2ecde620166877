"""A derivation with its identity pinned, and a closure of them in order. Unaware of stores and of running."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pylightnix.hashing import Template, canonical
from pylightnix.model.conditions import PLAIN, Conditions
from pylightnix.model.matching import Matcher
from pylightnix.model.params import Params
from pylightnix.model.promises import Promise
from pylightnix.names import DerivationRef

if TYPE_CHECKING:
    from pylightnix.model.realization import Realization


class InputRef(NamedTuple):
    """What stands in a slot: a derivation of the same closure, or one promise of it."""

    derivation: DerivationRef
    promise: str | None = None

    def text(self) -> str:
        """The tagged object that stands for it in a derivation's file: canonical JSON."""
        if self.promise is None:
            return f'{{"$derivation":"{self.derivation}"}}'
        return canonical({"$promise": {"derivation": self.derivation, "name": self.promise}}).decode()


class Origin(NamedTuple):
    """Where the code of a builder comes from: for records and messages, never for the identity."""

    file: str | None = None
    line: int | None = None
    qualname: str = ""


class Pinned(NamedTuple):
    """A derivation as it is at the moment of one plan: its code identity taken, its document fixed.

    Attributes:
        ref: names the derivation.
        template: makes its document, and those that differ from it in kind and parameters.
        params: the parameters, encoded, with a hole where an input stands.
        inputs: what stands in each slot.
        types: what decoding the parameters needs.
        promises: by name.
        matcher: decides which candidates count.
        builder: called with the parameters and promises by name; None where only the description is at hand.
        wants_build: whether the builder takes the `Build` as first argument.
        origin: where the code is.
        fixed: the realization that was given in place of the derivation: it is chosen, and its inputs are not
            walked; None for all others.
        conditions: how its runs are to be carried out.
    """

    ref: DerivationRef
    template: Template
    params: Params
    inputs: tuple[InputRef, ...]
    types: Mapping[str, object]
    promises: Mapping[str, Promise]
    matcher: Matcher
    builder: Callable[..., object] | None
    wants_build: bool
    origin: Origin
    fixed: Realization[Any] | None
    conditions: Conditions = PLAIN

    @property
    def name(self) -> str:
        """The name of the stage."""
        return self.ref.name

    @property
    def document(self) -> bytes:
        """Canonical JSON; its hash is in `ref`. Made when asked for: a warm realize needs none of them twice."""
        return self.template.fill("derivation", self.params.fill([ref.text() for ref in self.inputs]))

    def parsed(self) -> Mapping[str, Any]:
        """The document as an object, as reading its file would give it."""
        parsed: Mapping[str, Any] = json.loads(self.document)
        return parsed


def unslotted(params: Mapping[str, Any]) -> tuple[dict[str, Any], list[InputRef]]:
    """The parameters of a derivation's file with `{"$slot": n}` for each reference, and what stands there."""
    inputs: list[InputRef] = []
    return {name: _to_slots(tree, inputs) for name, tree in params.items()}, inputs


def _to_slots(tree: Any, inputs: list[InputRef]) -> Any:
    if type(tree) is list:
        return [_to_slots(item, inputs) for item in tree]
    if type(tree) is not dict:
        return tree
    if len(tree) == 1 and "$derivation" in tree:
        inputs.append(InputRef(DerivationRef.parse(tree["$derivation"])))
        return {"$slot": len(inputs) - 1}
    if len(tree) == 1 and "$promise" in tree:
        content = tree["$promise"]
        inputs.append(InputRef(DerivationRef.parse(content["derivation"]), content["name"]))
        return {"$slot": len(inputs) - 1}
    return {name: _to_slots(item, inputs) for name, item in tree.items()}


@dataclass(frozen=True, slots=True)
class Closure:
    """Pinned derivations, inputs before what uses them, and which of them were asked for.

    Attributes:
        order: each derivation once.
        targets: those asked for, in the order of asking.
        by_ref: the same derivations by reference.
    """

    order: tuple[Pinned, ...]
    targets: tuple[DerivationRef, ...]
    by_ref: Mapping[DerivationRef, Pinned] = field(repr=False)
