"""A store as a backend that can be read: names of a remote, of which the bytes are made when they are asked for.

Nothing is kept but where content lies. What was collected meanwhile is not there any more.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Container, Iterator
from typing import NamedTuple

from pylightnix.errors import RemoteError, StoreError
from pylightnix.hashing import DIGITS, digest_bytes, digest_document
from pylightnix.model.records import Context, Record
from pylightnix.names import KeyRef, RealizationRef, is_reference
from pylightnix.remotes.backend import check_name
from pylightnix.remotes.format import (
    HEAD,
    Offer,
    Pieces,
    head_bytes,
    index_bytes,
    index_name,
    is_offer,
    tree_name,
)
from pylightnix.remotes.offering import Offering, Sign, Suspect, has_manifest, long_logs, manifest_of
from pylightnix.remotes.pieces import PACKED, PIECE, Blob, Cutter
from pylightnix.store.closures import Member, Place, member, not_as_recorded, open_recorded
from pylightnix.store.reading import Reader, is_home
from pylightnix.store.trees import EMPTY, Entry, read_manifest

_BLOB = re.compile(r"blobs/[0-9a-f]{2}/([0-9a-f]{64})")
_TREE = re.compile(r"trees/[0-9a-f]{2}/([0-9a-f]{64})\.json")
_OFFER = re.compile(r"claims/([^/]+)/([^/]+)")


class _Lies(NamedTuple):
    """Where the content of a blob is: in this file from here on; or in this pack of a realization; or in its notes."""

    place: Place
    path: str = ""
    offset: int = 0
    pack: int = -1


class Served:
    """A store, to be read as a remote is.

    Args:
        source: of the store.
        sign: signs claims of what was made here; None if nobody does.
        suspect: tells secrets; None if they may be read.
        visible: references of what can be had; None: all.
    """

    lists = False
    writes = False

    def __init__(
        self, source: Reader, *, sign: Sign | None = None, suspect: Suspect | None = None,
        visible: Callable[[], Container[str]] | None = None,
    ) -> None:  # fmt: skip
        self.url = source.root
        self._source = source
        self._offering = Offering(source, _plain, sign, suspect)
        self._visible = visible
        self._lies: dict[str, _Lies] = {}
        self._trees: dict[str, Place] = {}
        self._pieces: dict[str, Pieces] = {}
        self._mutex = threading.Lock()

    def get(self, name: str, most: int) -> bytes | None:
        """The bytes of a name; None if there are none, or not any more.

        Raises:
            DamageError: something in the store is damaged.
            SecretError: something in it looks like a secret.
        """
        check_name(name)
        data = self._get(name)
        if data is not None and len(data) > most:
            raise RemoteError(f"{name} has {len(data)} bytes, and {most} are the most that it may have", where=self.url)
        return data

    def has(self, name: str) -> bool:
        return self.get(name, 1 << 62) is not None

    def put(self, name: str, data: bytes) -> None:
        raise RemoteError("a store that is served can only be read", where=self.url)

    def names(self, prefix: str) -> Iterator[str]:
        raise RemoteError("a store that is served does not tell what it has", where=self.url)

    def remove(self, name: str) -> None:
        raise RemoteError("a store that is served can only be read", where=self.url)

    def close(self) -> None:
        """Nothing: no file is open."""

    def _get(self, name: str) -> bytes | None:
        if name == HEAD:
            return head_bytes(digest_document("served", {"store": self.url})[:32])
        if name.startswith("refs/"):
            return self._ref(name.removeprefix("refs/"))
        if (form := _OFFER.fullmatch(name)) is not None:
            return self._under(form[1], form[2])
        if (form := _TREE.fullmatch(name)) is not None and name == tree_name(form[1]):
            return self._tree(form[1])
        if (form := _BLOB.fullmatch(name)) is not None:
            return self._blob(form[1])
        return None

    def _ref(self, text: str) -> bytes | None:
        if not is_reference(text):
            return None
        ref = RealizationRef.parse(text)
        for home in self._source.homes(ref.name):
            if os.path.lexists(f"{self._source.layout.records}/{home}/{ref.digits}") and self._is_visible(ref):
                return home.encode()
        return None

    def _is_visible(self, ref: RealizationRef) -> bool:
        return self._visible is None or ref in self._visible()

    def _under(self, home_text: str, last: str) -> bytes | None:
        if not is_home(home_text):
            return None
        home = KeyRef(home_text)
        if is_offer(last):
            offers = self._offers(Place(home, RealizationRef(f"{last[:DIGITS]}{home[DIGITS:]}")))
            return next((one.to_bytes() for one in offers if one.name() == f"claims/{home}/{last}"), None)
        if f"claims/{home}/{last}" != index_name(home):
            return None
        refs = [record.ref for record in self._source.records_of(home)]
        found = [one.name() for ref in refs for one in self._offers(Place(home, ref))]
        return index_bytes({name.rpartition("/")[2] for name in found}) if found else None

    def _member(self, place: Place) -> Member | None:
        directory = f"{self._source.layout.records}/{place.home}/{place.ref.digits}"
        if not self._is_visible(place.ref) or not os.path.isdir(directory):
            return None
        return member(self._source, place)

    def _offers(self, place: Place) -> list[Offer]:
        one = self._member(place)
        if one is None:
            return []
        blobs = []
        for number, piece in enumerate(self._offering.notes(one)):
            blobs.append(_plain(piece))
            self._note(blobs[-1], _Lies(place, offset=number))
        paths = [f"{one.directory}/{name}" for name in long_logs(one)]
        for path in [*paths, manifest_of(one)] if has_manifest(one) else paths:
            for number, blob in enumerate(self._offering.described(path)):
                self._note(blob, _Lies(place, path, number * PIECE))
        self._trees.setdefault(one.record.tree, place)
        known = (*(run.context for run in one.runs.values()), *one.contexts.values())
        contexts: dict[str, Context] = {context.hash: context for context in known}
        return self._offering.offers(one, contexts.values(), blobs)

    def _note(self, blob: Blob, lies: _Lies) -> None:
        self._lies[blob.digest] = lies

    def _tree(self, tree: str) -> bytes | None:
        """Where the content of a tree is, which all of it has to be read for, once."""
        place = self._trees.get(tree) or self._find_tree(tree)
        one = self._member(place) if place is not None else None
        if one is None or place is None or not one.present:
            return None
        with self._mutex:
            known = self._pieces.get(tree)
        if known is None:
            known = _Cutting(self, place, one).all()
            with self._mutex:
                self._pieces[tree] = known
        return known.to_bytes()

    def _find_tree(self, tree: str) -> Place | None:
        for record in self._source.records():
            if record.tree == tree and self._is_visible(record.ref) and self._source.present(record):
                return Place(record.home, record.ref)
        return None

    def _blob(self, digest: str) -> bytes | None:
        lies = self._lies.get(digest)
        one = self._member(lies.place) if lies is not None else None
        if lies is None or one is None:
            return None
        try:
            data = self._content(lies, one)
        except (FileNotFoundError, StoreError):
            if self._member(lies.place) is None or not one.present:
                return None
            raise
        return data if data is not None and digest_bytes(data) == digest else None

    def _content(self, lies: _Lies, one: Member) -> bytes | None:
        if lies.pack >= 0:
            return b"".join(self._pack(one.record, lies.pack))
        if lies.path:
            with open_recorded(lies.path) as file:
                file.seek(lies.offset)
                return file.read(PIECE)
        notes = self._offering.notes(one)
        return notes[lies.offset] if lies.offset < len(notes) else None

    def _pack(self, record: Record, number: int) -> Iterator[bytes]:
        """The content of small files from so many pieces on, of one piece."""
        begin, end, offset = number * PIECE, (number + 1) * PIECE, 0
        top = self._source.payload_text(record)
        for entry in read_manifest(f"{self._source.place(record)}/manifest.jsonl", record.tree):
            if entry.kind != "file" or entry.size >= PACKED:
                continue
            if offset < end and begin < offset + entry.size:
                with open_recorded(f"{top}/{entry.path}") as file:
                    file.seek(max(begin - offset, 0))
                    yield file.read(min(end, offset + entry.size) - max(begin, offset))
            offset += entry.size


class _Cutting:
    """Cuts what a realization has as a push would, and notes where each piece lies."""

    def __init__(self, served: Served, place: Place, one: Member) -> None:
        self._served = served
        self._place = place
        self._one = one
        self._packs = 0

    def all(self) -> Pieces:
        packs, files = Cutter(self._pack), []
        top = self._served._source.payload_text(self._one.record)
        if self._one.record.tree != EMPTY:
            for entry in read_manifest(manifest_of(self._one), self._one.record.tree):
                if entry.kind == "file":
                    path = f"{top}/{entry.path}"
                    if entry.size < PACKED:
                        packs.add(self._small(entry, path))
                    else:
                        files.append(self._large(entry, path))
        return Pieces(tuple(packs.finish()), tuple(files))

    def _pack(self, data: bytes) -> Blob:
        blob = _plain(data)
        self._served._note(blob, _Lies(self._place, pack=self._packs))
        self._packs += 1
        return blob

    def _small(self, entry: Entry, path: str) -> bytes:
        with open_recorded(path) as file:
            data = file.read(PACKED)
        if digest_bytes(data) != entry.hash:
            raise not_as_recorded(path)
        self._served._offering.look(entry.path, path, data)
        return data

    def _large(self, entry: Entry, path: str) -> tuple[Blob, ...]:
        blobs: list[Blob] = []
        with open_recorded(path) as file:
            while data := file.read(PIECE):
                if not blobs:
                    self._served._offering.look(entry.path, path, data[: 64 << 10])
                blobs.append(_plain(data))
                self._served._note(blobs[-1], _Lies(self._place, path, (len(blobs) - 1) * PIECE))
        if sum(blob.size for blob in blobs) != entry.size:
            raise not_as_recorded(path)
        return tuple(blobs)


def _plain(data: bytes) -> Blob:
    """Content as it is: whoever reads it holds it against its hash."""
    return Blob(digest_bytes(data), False, len(data))
