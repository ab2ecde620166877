"""Finds in a remote what a realization was made from, as far as a store does not have it. Fetches no artifacts.

A remote is a stranger: what it says is held against the hashes that lead to it, and of what is signed somebody else
judges by whom. What is damaged counts as not there, unless nothing else is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pylightnix.errors import DamageError, PylightnixError, RemoteError, StoreError, TrustError, UnknownReferenceError
from pylightnix.hashing import DIGITS
from pylightnix.model.claims import Claim, Signature
from pylightnix.model.records import Context, InputChoice
from pylightnix.names import KeyRef, RealizationRef, is_prefix, is_reference
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.format import (
    LARGE,
    SMALL,
    Offer,
    index_name,
    is_offer,
    key_of,
    offers_prefix,
    parse_index,
    ref_name,
)
from pylightnix.remotes.notes import Notes, parse_notes
from pylightnix.remotes.pieces import Blob
from pylightnix.remotes.remote import Remote
from pylightnix.store.closures import Place, inputs_first, places_of
from pylightnix.store.collection.reach import find_context
from pylightnix.store.reading import Reader

Doubt = Callable[[Claim, frozenset[Signature]], str]
"""Says why a claim with these signatures is not believed; nothing if it is."""


class Offered(NamedTuple):
    """What a remote has of one realization, and who is believed says so.

    Attributes:
        notes: of each offer that says something else, at least one.
        manifest: the blobs of its manifest.
        whole: whether the artifacts are there.
        signed: the claims that are believed, with all signatures of each.
    """

    notes: tuple[Notes, ...]
    manifest: tuple[Blob, ...]
    whole: bool
    signed: Mapping[Claim, frozenset[Signature]]

    def context(self, digest: str) -> Context | None:
        """The context of this hash."""
        return next(filter(None, (one.context(digest) for one in self.notes)), None)


class Wanted(NamedTuple):
    """A closure, and where it is to be had.

    Attributes:
        order: each realization once, after all that it was made from.
        offered: those that the remote has and the store lacks, or lacks something of.
        absent: those that neither has.
        targets: what was asked for, with the context that it stands in.
        contexts: the hashes of those in which each one stands here.
    """

    order: tuple[Place, ...]
    offered: Mapping[Place, Offered]
    absent: tuple[Place, ...]
    targets: tuple[tuple[Place, Context], ...]
    contexts: Mapping[Place, frozenset[str]]


class Finder:
    """Looks into a remote.

    Args:
        remote: which.
        store: what is there already.
        fetcher: asks the remote.
        doubt: judges offers.
    """

    def __init__(self, remote: Remote, store: Reader, fetcher: Fetcher, doubt: Doubt) -> None:
        self._remote = remote
        self._store = store
        self._fetcher = fetcher
        self._doubt = doubt
        self._offered: dict[Place, Offered | None] = {}
        self.url = remote.url
        self.distrusted: dict[Place, str] = {}

    def place(self, reference: str) -> Place:
        """The place of the realization that a reference, or the beginning of one, names in the remote.

        Raises:
            UnknownReferenceError: nothing, or more than one thing, is named so.
            DamageError: what names it is damaged.
        """
        where = self._remote.url
        if not is_prefix(reference):
            raise UnknownReferenceError(
                f"{reference!r} is no reference", where=where, hint="pylightnix ls shows them where it was made"
            )
        if not self._remote.backend.lists:
            if not is_reference(reference):
                raise UnknownReferenceError(
                    f"{reference} is not a whole reference, and what begins so cannot be asked for here", where=where,
                    hint="give all of it, with the name of the stage", ref=reference,
                )  # fmt: skip
            return self._place(RealizationRef.parse(reference))
        names = [name.removeprefix("refs/") for name in self._remote.backend.names(f"refs/{reference}")]
        found = sorted(filter(is_reference, names))  # others may have put anything there
        if len(found) != 1:
            what = f"{reference} names {len(found)} things" if found else f"nothing is named {reference}"
            hint = (
                f"give more digits: {', '.join(found[:5])}" if found else "push it there first; or look at the address"
            )
            raise UnknownReferenceError(what, where=where, hint=hint, ref=reference, found=found)
        return self._place(RealizationRef.parse(found[0]))

    def _place(self, ref: RealizationRef) -> Place:
        data = self._fetcher.document(ref_name(ref), SMALL)
        if data is None:
            raise UnknownReferenceError(
                f"nothing is named {ref}", where=self._remote.url, ref=ref,
                hint="push it there first; or look at the address",
            )  # fmt: skip
        return Place(key_of(data, ref), ref)

    def under(self, home: KeyRef, skip: Container[RealizationRef] = ()) -> dict[Place, Offered]:
        """What the remote has under a key and is believed; errors are of that which is asked, and not of one offer.

        Args:
            home: the key.
            skip: realizations that need not be looked at.

        Raises:
            RemoteError: the remote cannot be reached, or refuses.
        """
        names: dict[Place, list[str]] = {}
        for name in self._names_under(home):
            ref = RealizationRef(f"{name.rpartition('/')[2][:DIGITS]}{home[DIGITS:]}")
            if ref not in skip:
                names.setdefault(Place(home, ref), []).append(name)
        found: dict[Place, Offered] = {}
        for (place, _), offered in zip(names.items(), self._fetcher.each(self._judged, names.items()), strict=True):
            if isinstance(offered, str):
                self.distrusted[place] = offered
            elif offered is not None:
                found[place] = self._offered[place] = offered
        return found

    def _judged(self, named: tuple[Place, Sequence[str]]) -> Offered | str | None:
        """What is offered under these names; in words why nothing of it is taken."""
        try:
            return self._look(*named)
        except TrustError as error:
            return error.what
        except DamageError as error:
            return str(error)

    def closure(self, targets: Iterable[Place]) -> Wanted:
        """Targets, and all that they were made from.

        Raises:
            TrustError: of a target, or something that it was made from, nobody vouches who is believed.
            DamageError: something of it is damaged, and nothing else is there.
            RemoteError: the remote cannot be reached, or refuses.
        """
        return _Search(self, self._store).closure(list(targets))

    def offered(self, places: Iterable[Place]) -> dict[Place, Offered | None]:
        """What the remote has of each; None if nothing."""
        new = [place for place in dict.fromkeys(places) if place not in self._offered]
        self._offered.update(zip(new, self._fetcher.each(self._look, new), strict=True))
        return self._offered

    def _look(self, place: Place, names: Sequence[str] | None = None) -> Offered | None:
        problems: list[PylightnixError] = []
        names = list(self._names(place) if names is None else names)
        offers = list(self._believed(place, names, problems))
        if (
            names and not offers and not problems
        ):  # what a served store has collected meanwhile is offered by other names
            offers = list(self._believed(place, self._names(place), problems))
        notes: dict[tuple[Blob, ...], Notes] = {}
        for offer in offers:
            try:
                if offer.notes not in notes:
                    notes[offer.notes] = self._notes(offer)
            except DamageError as error:
                problems.append(error)
        if not notes:
            if problems:
                raise problems[0]
            return None
        signed: dict[Claim, frozenset[Signature]] = {}
        for offer in offers:
            signed[offer.claim] = signed.get(offer.claim, frozenset()).union(offer.signatures)
        return Offered(tuple(notes.values()), offers[0].manifest, any(offer.whole for offer in offers), signed)

    def _believed(self, place: Place, names: Iterable[str], problems: list[PylightnixError]) -> Iterator[Offer]:
        """The offers of claims that are believed, by all signatures of each together."""
        claims: dict[Claim, list[Offer]] = {}
        for name in names:
            try:
                offer = self._offer(name, place)
            except DamageError as error:
                problems.append(error)
                continue
            if offer is not None:
                claims.setdefault(offer.claim, []).append(offer)
        for claim, offers in claims.items():
            if why := self._doubt(claim, frozenset(one for offer in offers for one in offer.signatures)):
                problems.append(_distrust(place, why, self._remote.url))
            else:
                yield from offers

    def _names(self, place: Place) -> list[str]:
        """The names of all offers of a realization."""
        begin = offers_prefix(place.home, place.ref.digits)
        if self._remote.backend.lists:
            return sorted(name for name in self._remote.backend.names(begin) if is_offer(name.rpartition("/")[2]))
        return [name for name in self._names_under(place.home) if name.startswith(begin)]

    def _names_under(self, home: KeyRef) -> list[str]:
        """The names of all offers of a key."""
        begin = offers_prefix(home)
        if self._remote.backend.lists:
            return sorted(name for name in self._remote.backend.names(begin) if is_offer(name.rpartition("/")[2]))
        data = self._fetcher.document(index_name(home), LARGE)
        return [f"{begin}{last}" for last in parse_index(index_name(home), data)] if data is not None else []

    def _offer(self, name: str, place: Place) -> Offer | None:
        data = self._fetcher.document(name, SMALL)
        if data is None:
            return None
        offer = Offer.parse(name, data)
        if offer.place != place:
            raise DamageError("it is of another realization", where=f"{self._remote.url}: {name}")
        return offer

    def _notes(self, offer: Offer) -> Notes:
        place = offer.place
        where = f"{self._remote.url}: {place.ref.name} {place.ref.short}"
        notes = parse_notes(b"".join(map(self._fetcher.blob, offer.notes)), place)
        claim, record = offer.claim, notes.record
        if (claim.key, claim.tree, claim.value, claim.size) != (
            record.key,
            record.tree,
            record.value_hash,
            record.size,
        ):
            raise DamageError("its record is not what is claimed", where=where)
        context = notes.context(claim.context)
        if context is None or context.derivation != claim.derivation:
            raise DamageError("the context that is claimed is not among what is known of it", where=where)
        return notes


class _Search:
    """From target to context to input, a level after the other, so that all of one are asked for at once."""

    def __init__(self, finder: Finder, store: Reader) -> None:
        self._finder = finder
        self._store = store
        self._inputs: dict[Place, dict[Place, None]] = {}
        self._offered: dict[Place, Offered] = {}
        self._absent: dict[Place, None] = {}
        self._contexts: dict[Place, set[str]] = {}

    def closure(self, targets: Sequence[Place]) -> Wanted:
        found = self._finder.offered(targets)
        level: list[tuple[Place, Context]] = []
        for place in targets:
            offered = found[place]
            if offered is None:
                raise RemoteError(
                    f"{place.ref.name} {place.ref.short} is not in it", where=self._finder.url,
                    hint="push it there again",
                )  # fmt: skip
            self._offered[place] = offered
            level += [(place, context) for claim in offered.signed if (context := offered.context(claim.context))]
        asked = tuple(level)
        seen: set[tuple[Place, str]] = set()
        while level:
            choices: list[InputChoice] = []
            for place, context in level:
                self._contexts.setdefault(place, set()).add(context.hash)
                below = [inner for choice in context.inputs.values() for inner in places_of(choice)]
                self._inputs.setdefault(place, {}).update(dict.fromkeys(below))
                choices += context.inputs.values()
            stand = dict.fromkeys((place, choice.context) for choice in choices for place in places_of(choice))
            level = list(self._next([one for one in stand if one not in seen]))
            seen.update(stand)
        contexts = {place: frozenset(found) for place, found in self._contexts.items()}
        return Wanted(tuple(inputs_first(self._inputs)), self._offered, tuple(self._absent), asked, contexts)

    def _next(self, stand: Sequence[tuple[Place, str]]) -> Iterator[tuple[Place, Context]]:
        """The contexts of these; from the store, where it has all of a realization."""
        here = {one: self._here(*one) for one in stand}
        found = self._finder.offered(place for (place, _), context in here.items() if context is None)
        for (place, digest), context in here.items():
            if context is not None:
                yield place, context
                continue
            offered = found[place]
            if offered is None:
                self._absent[place] = None
                continue
            there = offered.context(digest)
            if there is None:
                raise DamageError(
                    f"what {place.ref.name} {place.ref.short} was made from is not known there",
                    where=self._finder.url, hint="push again what uses it",
                )  # fmt: skip
            self._offered[place] = offered
            yield place, there

    def _here(self, place: Place, digest: str) -> Context | None:
        """The context, if the store has it and the realization with its artifacts."""
        try:
            record = self._store.record_at(place.home, place.ref.digits)
            if record is None or not self._store.present(record):
                return None
            return find_context(self._store.place(record), digest)
        except (StoreError, OSError):
            return None


def _distrust(place: Place, why: str, where: str) -> TrustError:
    return TrustError(
        f"{place.ref.name} {place.ref.short} is there, and not to be believed: {why}", where=where,
        hint="pylightnix key trust NAME KEY, if you trust its maker; or --unsigned, for this time", ref=place.ref,
    )  # fmt: skip
