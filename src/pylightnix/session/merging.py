"""What would become of a plan if results from elsewhere were there: other choices, other builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pylightnix.dsl.closure import pin
from pylightnix.engine.planning import plan_steps
from pylightnix.model.plan import Step
from pylightnix.model.records import Record
from pylightnix.model.shelf import Shelf
from pylightnix.names import DerivationRef, KeyRef, RealizationRef
from pylightnix.remotes.finding import Wanted
from pylightnix.remotes.substituting import seen
from pylightnix.session.targets import Targets
from pylightnix.store.store import Store


class Fresh(NamedTuple):
    """A realization that would be a new candidate.

    Attributes:
        ref: which.
        beside: how many candidates its key has here already.
    """

    ref: RealizationRef
    beside: int


class Change(NamedTuple):
    """What would happen to a derivation otherwise.

    Attributes:
        derivation: which.
        before: what a plan says now.
        after: what it would say.
    """

    derivation: DerivationRef
    before: Step
    after: Step


def fresh(store: Store, wanted: Wanted) -> tuple[Fresh, ...]:
    """What would be new, inputs before what uses them."""
    found = []
    for place in wanted.order:
        if place in wanted.offered and store.keeper.record_at(place.home, place.ref.digits) is None:
            record = wanted.offered[place].notes[0].record
            found.append(Fresh(place.ref, len(store.keeper.candidates(place.home, record.key))))
    return tuple(found)


def changes(store: Store, wanted: Wanted, asked: object) -> tuple[Change, ...]:
    """What a plan of these targets would say otherwise, if all of this were there.

    Raises:
        PylightnixError: the targets cannot be planned.
    """
    closure = pin(Targets(asked).derivations)
    before = plan_steps(closure, store.keeper)
    after = [_had(step) for step in plan_steps(closure, store.keeper, (), _There(store, wanted))]
    pairs = zip(closure.order, before, after, strict=True)
    return tuple(Change(pinned.ref, old, new) for pinned, old, new in pairs if _tells(old) != _tells(new))


_FROM = "this pull"


def _had(step: Step) -> Step:
    """A step when what is fetched is there already."""
    if step.action == "fetch" and step.why.endswith(f"; from {_FROM}"):
        return step._replace(action="reuse", why=step.why.removesuffix(f"; from {_FROM}"))
    return step


def _tells(step: Step) -> tuple[object, ...]:
    """What counts of a step."""
    return (step.action, step.wanted, step.chosen)


class _There:
    """All of it, as if it were there: a `Supply`, for plans."""

    there = True

    def __init__(self, store: Store, wanted: Wanted) -> None:
        self._whole = {place.ref for place, offered in wanted.offered.items() if offered.whole}
        self._under: dict[KeyRef, list[tuple[Record, Shelf]]] = {}
        for place, offered in wanted.offered.items():
            self._under.setdefault(place.home, []).append(seen(store.keeper, offered))

    def seek(self, keys: Mapping[KeyRef, str]) -> None:
        """Nothing more is found."""

    def candidates(self, home: KeyRef) -> Sequence[tuple[Record, Shelf]]:
        return self._under.get(home, ())

    def whence(self, record: Record) -> str:
        return _FROM if record.ref in self._whole else ""

    def fetch(self, records: Iterable[Record]) -> None:
        """Nothing comes: this is for plans."""
