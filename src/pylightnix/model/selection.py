"""A selection: what was chosen for some targets, from which all else that was chosen follows. Unaware of files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pylightnix.model.realization import Realization
from pylightnix.model.records import Context, InputChoice
from pylightnix.names import DerivationRef


class Kept(NamedTuple):
    """What was chosen for one derivation."""

    derivation: DerivationRef
    choice: InputChoice


class Selection(NamedTuple):
    """What a root keeps.

    Attributes:
        kept: the targets; what they were made from is reached through their contexts.
        contexts: those that no record has, since nothing was chosen with them.
    """

    kept: tuple[Kept, ...]
    contexts: tuple[Context, ...] = ()


def selection_of(realizations: Iterable[Realization[Any]]) -> Selection:
    """The selection that these realizations stand in: those of one derivation and context are one choice."""
    together: dict[tuple[DerivationRef, str], InputChoice] = {}
    barren: dict[str, Context] = {}
    for one in realizations:
        context = one.context
        place = (context.derivation, context.hash)
        before = together.get(place)
        chosen = (*before.chosen, one.ref) if before else (one.ref,)
        together[place] = InputChoice(one.record.home, tuple(dict.fromkeys(chosen)), True, context.hash, "kept")
        barren.update((other.hash, other) for other in one._around.barren)
    return Selection(tuple(Kept(ref, choice) for (ref, _), choice in together.items()), tuple(barren.values()))
