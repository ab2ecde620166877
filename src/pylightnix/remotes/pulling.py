"""Takes what a remote has into a store: held against its hashes, then visible, inputs before what uses them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

from pylightnix.errors import DamageError
from pylightnix.model.records import Record
from pylightnix.names import RealizationRef
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.finding import Offered, Wanted
from pylightnix.remotes.format import LARGE, Pieces, tree_name
from pylightnix.remotes.making import make_files, write_file
from pylightnix.remotes.pieces import PACKED, Blob
from pylightnix.remotes.resuming import Parts
from pylightnix.store.closures import Place, open_recorded
from pylightnix.store.copying import Moved
from pylightnix.store.layout import writing
from pylightnix.store.manifests import EMPTY, check_manifest
from pylightnix.store.receiving import Arrival, Receiver
from pylightnix.store.signed import Signed
from pylightnix.store.writing import Writer

_AHEAD = 16
"""Realizations of which the first requests are made before their turn."""

_SMALL = 1 << 20
"""A manifest, and packs, of no more bytes are fetched ahead as a whole."""


class Pulled(NamedTuple):
    """What a pull did, or would do.

    Attributes:
        moved: each realization, inputs before what uses them.
        absent: realizations that something was made from, and that neither has.
        fetched: bytes that came over.
        dry: whether nothing was taken in.
    """

    moved: tuple[Moved, ...]
    absent: tuple[RealizationRef, ...]
    fetched: int
    dry: bool = False


def pull_closure(
    target: Writer, fetcher: Fetcher, wanted: Wanted, *, whole: Callable[[Place], bool] = lambda _: True,
    dry: bool = False, told: Callable[[Moved], None] = lambda _: None,
) -> Pulled:  # fmt: skip
    """Take a closure in. Each realization becomes visible when all it was made from is.

    Args:
        target: of the store, which is made if it is not there.
        fetcher: asks the remote.
        wanted: what, and what is known of it.
        whole: of which to take the artifacts too, and not the record alone.
        dry: take nothing in, only say what would be taken.
        told: is called with what became of each realization.

    Raises:
        DamageError: something in the remote is damaged; what came before it is there, and it is not.
        RemoteError: the remote cannot be reached, or refuses.
        StoreError: the store cannot be written.
    """
    moved: list[Moved] = []

    def note(one: Moved) -> None:
        moved.append(one)
        told(one)

    if dry:
        for place in wanted.order:
            note(_would(target, place, wanted.offered.get(place), whole=whole(place)))
    else:
        _Pull(target, fetcher, whole).all(wanted, note)
    absent = tuple(place.ref for place in wanted.absent)
    return Pulled(tuple(moved), absent, fetcher.fetched, dry)


def _would(target: Writer, place: Place, offered: Offered | None, *, whole: bool) -> Moved:
    """What taking it in would do."""
    if offered is None:
        return Moved(place.ref, "there")
    record = offered.notes[0].record
    known = target.record_at(place.home, place.ref.digits)
    if offered.whole and whole and (known is None or not target.present(known)):
        return Moved(place.ref, "copied", record.size)
    if known is None:
        return Moved(place.ref, "record")
    names = {name for notes in offered.notes for name in (*notes.documents, *notes.logs)}
    return Moved(place.ref, "merged" if names.difference(os.listdir(target.place(known))) else "there")


def find_pieces(fetcher: Fetcher, record: Record) -> Pieces | None:
    """Where the content of a realization is in a remote; None if it has not all of it.

    Raises:
        DamageError: what says so is damaged, or of something else.
        RemoteError: the remote cannot be reached, or refuses.
    """
    name = tree_name(record.tree)
    data = fetcher.document(name, LARGE)
    if data is None:
        return None
    pieces = Pieces.parse(name, data)
    if pieces.size != record.size:
        raise DamageError("its pieces have not the size that the record says", where=name)
    return pieces


def fetch_artifacts(target: Writer, fetcher: Fetcher, record: Record) -> bool:
    """Have the artifacts of a realization of which the store has the record; whether the remote had them.

    Nobody need be believed for that: the record says what they are.

    Raises:
        DamageError: something in the remote is damaged, or the store has no manifest of it.
        RemoteError: the remote cannot be reached, or refuses.
        StoreError: the store cannot be written.
    """
    pieces = find_pieces(fetcher, record) if record.tree != EMPTY else None
    if pieces is None and record.tree != EMPTY:
        return False
    with closing(Receiver(target)) as receiver:
        with writing(target.root):
            arrival = receiver.begin(record, whole=True)
        try:
            with writing(arrival.notes):
                if pieces is not None and arrival.lacks:
                    manifest = f"{arrival.notes}/manifest.jsonl"
                    with open_recorded(f"{target.place(record)}/manifest.jsonl") as file:
                        write_file(manifest, iter(lambda: file.read(_SMALL), b""))
                    check_manifest(manifest, record.tree)
                    _make_in_parts(target, fetcher, record, (manifest, pieces, None, arrival.out))
                    arrival.held = PACKED
        except BaseException:
            receiver.drop(arrival)
            raise
        receiver.finish(arrival, ())
        receiver.settle()
    return True


class _Content(NamedTuple):
    """What a realization has in the remote, and what of it came at once: a short manifest, small packs."""

    manifest: bytes | None
    pieces: Pieces | None
    packs: bytes | None


class _Pull:
    def __init__(self, target: Writer, fetcher: Fetcher, whole: Callable[[Place], bool]) -> None:
        self._source = fetcher.address
        self._target = target
        self._fetcher = fetcher
        self._whole = whole
        self._written: set[str] = set()
        self._contexts: Mapping[Place, frozenset[str]] = {}

    def all(self, wanted: Wanted, note: Callable[[Moved], None]) -> None:
        self._contexts = wanted.contexts
        with closing(Receiver(self._target)) as receiver:
            receiver.hold(place.ref for place in wanted.order)
            try:
                for place, offered, content in self._ahead(wanted):
                    note(
                        self._one(place, offered, content, receiver)
                        if offered and content
                        else Moved(place.ref, "there")
                    )
            except DamageError:
                receiver.settle()  # what came before is whole, and need not be fetched again
                raise
            receiver.settle()

    def _ahead(self, wanted: Wanted) -> Iterator[tuple[Place, Offered | None, Future[_Content] | None]]:
        """Each realization, with its content if that is wanted and not there, of which the first is fetched ahead."""
        ahead: deque[tuple[Place, Offered | None, Future[_Content] | None]] = deque()
        for place in wanted.order:
            offered = wanted.offered.get(place)
            content = self._fetcher.later(self._content, (place, offered)) if offered is not None else None
            ahead.append((place, offered, content))
            if len(ahead) > _AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _content(self, wanted: tuple[Place, Offered]) -> _Content:
        place, offered = wanted
        record = offered.notes[0].record
        known = self._target.record_at(record.home, record.ref.digits)
        if record.tree == EMPTY or (known is not None and self._target.present(known)):
            return _Content(None, None, None)
        manifest = self._small(offered.manifest)
        if not offered.whole or not self._whole(place):
            return _Content(manifest, None, None)
        pieces = find_pieces(self._fetcher, record)
        if pieces is None:
            raise DamageError(
                "it is not there, and something that is refers to it", where=tree_name(record.tree),
                hint="push it there anew, with --again",
            )  # fmt: skip
        return _Content(manifest, pieces, self._small(pieces.packs))

    def _small(self, blobs: tuple[Blob, ...]) -> bytes | None:
        """The content of these, if it is little."""
        little = len(blobs) <= 1 and sum(blob.size for blob in blobs) <= _SMALL
        return b"".join(map(self._fetcher.blob, blobs)) if little else None

    def _one(self, place: Place, offered: Offered, content: Future[_Content], receiver: Receiver) -> Moved:
        record = self._record(place, offered)
        for notes in offered.notes:
            for ref, data in notes.derivations.items():
                if ref not in self._written:
                    receiver.write_derivation(ref, data)
                    self._written.add(ref)
            for digest, data in notes.environments.items():
                if digest not in self._written:
                    receiver.write_environment(digest, data)
                    self._written.add(digest)
        whole = offered.whole and self._whole(place)
        with writing(self._target.root):
            arrival = receiver.begin(record, whole=whole)
        try:
            with writing(arrival.notes):
                new = self._notes(offered, arrival)
                self._note_signed(offered, arrival)
                self._fill(record, offered.manifest, content.result(), arrival)
        except BaseException:
            receiver.drop(arrival)
            raise
        receiver.finish(arrival, [run for notes in offered.notes for run in notes.runs.values()])
        if arrival.lacks:
            return Moved(place.ref, "copied", record.size) if whole else Moved(place.ref, "record")
        return Moved(place.ref, "merged" if new else "there")

    def _record(self, place: Place, offered: Offered) -> Record:
        """The record; it says nothing else of its origin than what came along, or is signed."""
        record = offered.notes[0].record
        contexts = self._contexts.get(place) or {claim.context for claim in offered.signed}
        return record if record.made_in in contexts else replace(record, made_in=min(contexts))

    def _notes(self, offered: Offered, arrival: Arrival) -> bool:
        """Write what is known of it; whether any of that is new here."""
        new = False
        for notes in offered.notes:
            for name, data in notes.documents.items():
                if arrival.wants(name) and not os.path.lexists(f"{arrival.notes}/{name}"):
                    arrival.write(name, data)
                    new = True
            for name, blobs in notes.logs.items():
                if arrival.wants(name) and not os.path.lexists(f"{arrival.notes}/{name}"):
                    write_file(f"{arrival.notes}/{name}", self._fetcher.stream(blobs))
                    new = True
        return new

    def _note_signed(self, offered: Offered, arrival: Arrival) -> None:
        """Note who vouches for it, which also tells that it was not made here."""
        for claim, signatures in offered.signed.items():
            signed = Signed(claim, signatures, self._source)
            arrival.write(signed.name(), signed.to_bytes())

    def _fill(self, record: Record, listed: tuple[Blob, ...], content: _Content, arrival: Arrival) -> None:
        """Write the manifest, and then what it lists."""
        if record.tree == EMPTY or not (arrival.lacks or arrival.wants("manifest.jsonl")):
            return
        manifest = f"{arrival.notes}/manifest.jsonl"
        write_file(manifest, [content.manifest] if content.manifest is not None else self._fetcher.stream(listed))
        check_manifest(manifest, record.tree)  # before a name in it is used
        if content.pieces is not None:
            what = (manifest, content.pieces, content.packs, arrival.out)
            _make_in_parts(self._target, self._fetcher, record, what)
            arrival.held = PACKED


def _make_in_parts(
    target: Writer, fetcher: Fetcher, record: Record, what: tuple[str, Pieces, bytes | None, str]
) -> None:
    """As `make_files`; what has come of large files stays if that fails."""
    parts = Parts(target.layout, record)
    try:
        make_files(fetcher, *what, parts)
    except BaseException:
        parts.leave()
        raise
