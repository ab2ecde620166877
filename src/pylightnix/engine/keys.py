"""Keys: a derivation's document with each input as the builder sees it, hashed. Unaware of candidates and matchers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pylightnix.hashing import canonical, digest_bytes
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.promises import Promise
from pylightnix.model.records import InputChoice, Record
from pylightnix.names import DerivationRef, KeyRef


class Key(NamedTuple):
    """What a builder can see, hashed: in full (empty where nobody asks for it), and as the home of its candidates."""

    full: str
    home: KeyRef


class Keys:
    """The keys of a closure.

    Args:
        closure: what is walked.
        choices: what was chosen so far.
        records: gives the records of what was chosen for a derivation.
    """

    def __init__(
        self,
        closure: Closure,
        choices: Mapping[DerivationRef, InputChoice],
        records: Callable[[DerivationRef], tuple[Record, ...]],
    ) -> None:
        self._closure = closure
        self._choices = choices
        self._records = records
        self._common: dict[DerivationRef, str] = {}
        self._promises: dict[int, tuple[Mapping[str, Promise], str]] = {}

    def of(self, pinned: Pinned) -> Key:
        """The key of a derivation whose inputs are chosen."""
        views = [self._visible(ref, promise) for ref, promise in pinned.inputs]
        full = digest_bytes(pinned.template.fill("key", pinned.params.fill(views)))
        return Key(full, KeyRef.of(full, pinned.name))

    def _visible(self, ref: DerivationRef, promise: str | None) -> str:
        """What a builder sees of an input, as canonical JSON."""
        records = self._records(ref)
        if promise is None:
            common = self._common_view(ref)
            views = [f'{common}"tree":"{r.tree}","value":"{r.value_hash}"}}' for r in records]
        else:
            kept = [record.promises[promise] for record in records]
            views = [f'{{"artifact":"{artifact.tree}","kind":"{artifact.kind}"}}' for artifact in kept]
        return f'{{"$inputs":[{",".join(views)}]}}' if self._choices[ref].many else f'{{"$input":{views[0]}}}'

    def _common_view(self, ref: DerivationRef) -> str:
        """What every realization of a derivation shows alike, parameters and promises: the beginning of its view."""
        common = self._common.get(ref)
        if common is None:
            pinned = self._closure.by_ref[ref]
            common = f'{{"params":{pinned.params.shown()},"promises":{self._promised(pinned)},'
            self._common[ref] = common
        return common

    def _promised(self, pinned: Pinned) -> str:
        """The promised paths by name; all derivations of a stage share them."""
        known = self._promises.get(id(pinned.promises))
        if known is None:
            text = canonical({name: promise.path for name, promise in pinned.promises.items()}).decode()
            known = self._promises[id(pinned.promises)] = (pinned.promises, text)
        return known[1]
