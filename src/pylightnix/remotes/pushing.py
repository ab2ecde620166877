"""Sends a closure to a remote: content first, then what refers to it, claims last, inputs before what uses them.

So a realization is there with all that it was made from, or it is not there, whenever this is killed; and whoever does
it again sends only what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import NamedTuple

from pylightnix.errors import DamageError, SecretError
from pylightnix.hashing import DIGITS, digest_document
from pylightnix.model.hidden import longest
from pylightnix.model.records import Record
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.remotes.contents import Contents, Sending
from pylightnix.remotes.format import (
    Offer,
    index_bytes,
    index_name,
    is_offer,
    offers_prefix,
    ref_name,
    tree_name,
)
from pylightnix.remotes.memory import Memory
from pylightnix.remotes.offering import Offering, Sign, Suspect, has_manifest, long_logs, manifest_of
from pylightnix.remotes.remote import Remote
from pylightnix.remotes.sending import Sender, stored_as
from pylightnix.store.closures import (
    Closure,
    Member,
    Place,
    member,
)
from pylightnix.store.copying import Moved
from pylightnix.store.manifests import EMPTY
from pylightnix.store.reading import Reader

_TOGETHER = 64
"""Realizations of which the claims are published one after the other, when all else of them is there."""


class Manner(NamedTuple):
    """How to push.

    Attributes:
        memory: what the remote is known to have.
        sign: signs a claim; None if nobody does.
        signer: the public key of who signs, in text; empty if nobody does.
        suspect: tells secrets; None if they may be sent.
        fresh: whether the remote is not there yet, so that nobody need ask it.
        again: look at all that the remote has, and send anew what is not there or damaged.
        dry: send nothing, only say what would be sent.
    """

    memory: Memory
    sign: Sign | None = None
    signer: str = ""
    suspect: Suspect | None = None
    fresh: bool = False
    again: bool = False
    dry: bool = False


class Pushed(NamedTuple):
    """What a push did, or would do.

    Attributes:
        moved: each realization, inputs before what uses them.
        absent: realizations that were chosen and are not in the store.
        sent: bytes that went over.
        dry: whether nothing was sent.
    """

    moved: tuple[Moved, ...]
    absent: tuple[RealizationRef, ...]
    sent: int
    dry: bool = False

    @property
    def size(self) -> int:
        """Bytes of the artifacts that the remote lacked."""
        return sum(one.size for one in self.moved)


def push_closure(
    source: Reader, remote: Remote, closure: Closure, manner: Manner, told: Callable[[Moved], None] = lambda _: None
) -> Pushed:
    """Send a closure.

    Args:
        source: of the store that has it.
        remote: where to.
        closure: what.
        manner: how.
        told: is called with what became of each realization.

    Raises:
        DamageError: something in the store is damaged; what came before it is there, and it is not.
        SecretError: a file looks like a secret.
        RemoteError: the remote cannot be reached, or refuses.
    """
    with closing(Sender(remote.backend, look=manner.again)) as sender:
        return _Push(source, remote, closure, manner, sender, told).all()


class _Prepared(NamedTuple):
    """A realization of which the content is on its way.

    Attributes:
        moved: what becomes of it.
        print_: of all that is known of it.
        tree: the name of the document of its pieces.
        pieces: None if the remote has them.
        offers: to be published.
        begun: bytes that had gone over before.
    """

    moved: Moved
    print_: str
    tree: str
    pieces: Sending | None
    offers: list[Offer]
    begun: int


def _moved(one: Member, *, was_there: bool, lacks: bool) -> Moved:
    """What becomes of a realization of which something is sent."""
    if one.present and (lacks or not was_there):
        return Moved(one.record.ref, "copied", one.record.size)
    return Moved(one.record.ref, "merged" if was_there else "record")


class _Push:
    def __init__(
        self, source: Reader, remote: Remote, closure: Closure, manner: Manner, sender: Sender,
        told: Callable[[Moved], None],
    ) -> None:  # fmt: skip
        self._source = source
        self._remote = remote
        self._closure = closure
        self._manner = manner
        self._sender = sender
        self._told = told
        self._moved: dict[RealizationRef, Moved] = {}
        self._ready: list[_Prepared] = []
        self._again = manner.again and not manner.dry
        self._offers: dict[KeyRef, set[str]] = {}
        self._offering = Offering(source, lambda data: stored_as(data)[0], manner.sign, manner.suspect)

    def all(self) -> Pushed:
        memory = self._manner.memory
        prints = {place: self._print(place) for place in self._closure.order}
        unknown = [place for place in self._closure.order if not memory.knows(place.ref, prints[place])]
        self._ask({place.home: None for place in unknown})
        new = set(unknown)
        try:
            for place in self._closure.order:
                if place in new:
                    self._one(place, prints[place])
                else:
                    self._note(Moved(place.ref, "there"))
                if len(self._ready) >= (1 if self._again else _TOGETHER):
                    self._settle()
            self._settle()
        except (DamageError, SecretError):
            self._settle()  # what came before is whole, and need not be sent again
            raise
        finally:
            memory.keep()
        absent = tuple(one.place.ref for one in self._closure.absent)
        moved = tuple(self._moved[place.ref] for place in self._closure.order)
        return Pushed(moved, absent, self._sender.sent, self._manner.dry)

    def _print(self, place: Place) -> str:
        """Of whatever changes when more is known of a realization, or more is there: files, contexts, who signs."""
        directory = f"{self._source.layout.records}/{place.home}/{place.ref.digits}"
        contexts = sorted(context.hash for context in self._closure.contexts.get(place, ()))
        there = os.path.lexists(f"{self._source.layout.store}/{place.ref}")
        what = {
            "artifacts": there, "contexts": contexts, "files": sorted(os.listdir(directory)),
            "signer": self._manner.signer,
        }  # fmt: skip
        return digest_document("print", what)[:DIGITS]

    def _ask(self, homes: Iterable[KeyRef]) -> None:
        """Look which offers the remote has under these keys."""
        if self._manner.fresh:
            return
        names = self._remote.backend.names
        asked = list(homes)
        found = self._sender.each(lambda home: {name.rpartition("/")[2] for name in names(offers_prefix(home))}, asked)
        self._offers.update(zip(asked, found, strict=True))

    def _one(self, place: Place, print_: str) -> None:
        one = member(self._source, place)
        notes = [stored_as(piece) for piece in self._offering.notes(one)]
        contexts = self._closure.contexts_of(place, one)
        offers = self._offering.offers(one, contexts, [blob for blob, _ in notes])
        there = self._offers.setdefault(place.home, set())
        missing = [offer for offer in offers if self._again or offer.name().rpartition("/")[2] not in there]
        if not missing:
            self._manner.memory.note(place.ref, print_)
            self._note(Moved(place.ref, "there"))
            return
        was_there = any(name.startswith(f"{place.ref.digits}@") for name in there)
        lacks = one.present and one.record.tree != EMPTY and not self._has_tree(one.record)
        moved = _moved(one, was_there=was_there, lacks=lacks)
        if self._manner.dry:
            self._note(moved)
            return
        begun = self._sender.sent
        for blob, stored in notes:
            self._sender.send(blob, stored)
        self._send_along(one)
        pieces = self._pieces(one) if lacks else None
        self._ready.append(_Prepared(moved, print_, tree_name(one.record.tree), pieces, missing, begun))

    def _has_tree(self, record: Record) -> bool:
        return not (self._manner.fresh or self._again) and self._remote.backend.has(tree_name(record.tree))

    def _send_along(self, one: Member) -> None:
        """The manifest, and logs that do not stand in the notes."""
        paths = [f"{one.directory}/{name}" for name in long_logs(one)]
        if has_manifest(one):
            paths.append(manifest_of(one))
        contents = Contents(self._sender)
        for future in [future for path in paths for future in contents.file(path)]:
            future.result()

    def _pieces(self, one: Member) -> Sending:
        hidden = self._offering.hidden
        search = self._offering.search if hidden else None
        contents = Contents(self._sender, self._offering.look, search, longest(hidden))
        return contents.send(manifest_of(one), one.record.tree, self._source.payload_text(one.record))

    def _settle(self) -> None:
        """Publish what is prepared: what claims refer to, at once; then the claims, in their order."""
        ready, self._ready = self._ready, []
        if not ready:
            return
        documents: list[tuple[str, bytes]] = [
            (one.tree, one.pieces.done().to_bytes()) for one in ready if one.pieces is not None
        ]
        homes: dict[KeyRef, None] = {}
        for one in ready:
            home = one.offers[0].place.home
            documents.append((ref_name(one.moved.ref), home.encode()))
            self._offers[home].update(offer.name().rpartition("/")[2] for offer in one.offers)
            homes[home] = None
        documents += [(index_name(home), index_bytes(set(filter(is_offer, self._offers[home])))) for home in homes]
        for _ in self._sender.each(lambda one: self._sender.put(*one), documents):
            pass
        for one in ready:
            for offer in one.offers:
                self._sender.put(offer.name(), offer.to_bytes())
            self._manner.memory.note(one.moved.ref, one.print_)
            sound = self._again and self._sender.sent == one.begun
            self._note(Moved(one.moved.ref, "there") if sound else one.moved)

    def _note(self, moved: Moved) -> None:
        self._moved[moved.ref] = moved
        self._told(moved)
