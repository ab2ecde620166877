"""A store as a backend that can be read: names of a remote, of which the bytes are made when they are asked for.

Nothing is kept but where content is. What was collected meanwhile is not there any more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterator

from pylightnix.errors import RemoteError, StoreError
from pylightnix.hashing import DIGITS, digest_document
from pylightnix.model.records import Context, Record
from pylightnix.names import KeyRef, RealizationRef, is_reference
from pylightnix.remotes.backend import check_name
from pylightnix.remotes.format import HEAD, Offer, head_bytes, index_bytes, index_name, is_offer, tree_name
from pylightnix.remotes.offering import Offering, Sign, Suspect, has_manifest, long_logs, manifest_of
from pylightnix.remotes.pieces import PIECE
from pylightnix.remotes.recutting import PATIENCE, Trees, pack_slices, plain
from pylightnix.remotes.slices import Content, file_slices
from pylightnix.remotes.whereabouts import InFile, InNotes, InPack, InRecord, Where, Whereabouts
from pylightnix.store.closures import Member, Place, member
from pylightnix.store.reading import Reader, is_home

_BLOB = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_TREE = re.compile(r"trees/([0-9a-f]{2})/(\1[0-9a-f]{62})\.json")
_OFFER = re.compile(r"claims/([^/]+)/([^/]+)")

Read = Callable[[int, int], Iterator[bytes]]


class Served:
    """A store, to be read as a remote is; to be closed.

    Args:
        source: of the store.
        sign: signs claims of what was made here; None if nobody does.
        suspect: tells secrets; None if they may be read.
        visible: references of what can be had; None: all.
        patience: seconds that a question for a tree waits, which has to be read for it.
    """

    lists = False
    writes = False

    def __init__(
        self, source: Reader, *, sign: Sign | None = None, suspect: Suspect | None = None,
        visible: Callable[[], Container[str]] | None = None, patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self.url = source.root
        self._source = source
        self._offering = Offering(source, plain, sign, suspect)
        self._visible = visible
        self._whereabouts = Whereabouts()
        self._cut = Trees(self._offering, self._whereabouts, patience)
        self._having: dict[str, dict[Place, None]] = {}

    def find(self, name: str) -> Content | None:
        """What a name stands for, to be read in slices; None if there is nothing, or not any more.

        Raises:
            BadNameError: nothing can have this name.
            DamageError: something in the store is damaged.
            RemoteError: it takes long; with `again`, it may be there later.
            SecretError: something in it looks like a secret.
        """
        check_name(name)
        if (form := _BLOB.fullmatch(name)) is not None:
            return self._blob(form[2])
        data = self._document(name)
        return None if data is None else Content.of(data)

    def get(self, name: str, most: int) -> bytes | None:
        """The bytes of a name; None if there are none. Raises as `find` does."""
        found = self.find(name)
        if found is None:
            return None
        if found.size > most:
            raise RemoteError(
                f"{name} has {found.size} bytes, and {most} are the most that it may have", where=self.url
            )
        return b"".join(found.all())

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def put(self, name: str, data: bytes) -> None:
        raise RemoteError("a store that is served can only be read", where=self.url)

    def names(self, prefix: str) -> Iterator[str]:
        raise RemoteError("a store that is served does not tell what it has", where=self.url)

    def remove(self, name: str) -> None:
        raise RemoteError("a store that is served can only be read", where=self.url)

    def close(self) -> None:
        """End what is being read."""
        self._cut.close()

    def _document(self, name: str) -> bytes | None:
        if name == HEAD:
            return head_bytes(digest_document("served", {"store": self.url})[:32])
        if name.startswith("refs/"):
            return self._ref(name.removeprefix("refs/"))
        if (form := _OFFER.fullmatch(name)) is not None:
            return self._under(form[1], form[2])
        if (form := _TREE.fullmatch(name)) is not None and name == tree_name(form[2]):
            return self._tree(form[2])
        return None

    def _ref(self, text: str) -> bytes | None:
        if not is_reference(text):
            return None
        ref = RealizationRef.parse(text)
        for home in self._source.homes(ref.name):
            if self._is_there(Place(home, ref)):
                return home.encode()
        return None

    def _is_there(self, place: Place) -> bool:
        """Whether there is a record, and who asks may know of it."""
        return os.path.isdir(self._directory(place)) and (self._visible is None or place.ref in self._visible())

    def _directory(self, place: Place) -> str:
        return f"{self._source.layout.records}/{place.home}/{place.ref.digits}"

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

    def _offers(self, place: Place) -> list[Offer]:
        """The offers of a realization; none if it is not there, or goes just now."""
        if not self._is_there(place):
            return []
        try:
            return self._offers_of(place, member(self._source, place))
        except (OSError, StoreError):
            if not self._is_there(place):
                return []
            raise

    def _offers_of(self, place: Place, one: Member) -> list[Offer]:
        notes = [plain(piece) for piece in self._offering.notes(one)]
        for number, blob in enumerate(notes):
            self._whereabouts.note(blob, InNotes(place, number))
        paths = [f"{one.directory}/{name}" for name in long_logs(one)]
        for path in [*paths, manifest_of(one)] if has_manifest(one) else paths:
            for number, blob in enumerate(self._offering.described(path)):
                self._whereabouts.note(blob, InRecord(place, os.path.basename(path), number * PIECE))
        self._having.setdefault(one.record.tree, {})[place] = None
        known = (*(run.context for run in one.runs.values()), *one.contexts.values())
        contexts: dict[str, Context] = {context.hash: context for context in known}
        return self._offering.offers(one, contexts.values(), notes)

    def _tree(self, tree: str) -> bytes | None:
        """Where the content of a tree is."""
        while (record := self._having_tree(tree) or self._look_for(tree)) is not None:
            place = Place(record.home, record.ref)
            try:
                return self._cut.pieces(member(self._source, place), self._source.payload_text(record)).to_bytes()
            except (OSError, StoreError):
                if self._is_there(place) and self._source.present(record):
                    raise  # else it was collected meanwhile, and perhaps another one has it
        return None

    def _having_tree(self, tree: str) -> Record | None:
        """A realization that was seen to have this tree, and still does."""
        for place in tuple(self._having.get(tree, ())):
            record = self._source.record_at(place.home, place.ref.digits) if self._is_there(place) else None
            if record is not None and record.tree == tree and self._source.present(record):
                return record
        return None

    def _look_for(self, tree: str) -> Record | None:
        for record in self._source.records():
            place = Place(record.home, record.ref)
            if record.tree == tree and self._source.present(record) and self._is_there(place):
                self._having.setdefault(tree, {})[place] = None
                return record
        return None

    def _blob(self, digest: str) -> Content | None:
        size, places = self._whereabouts.of(digest)
        read = next(filter(None, (self._reads(where, digest) for where in places)), None)
        return Content(digest, size, read) if read is not None else None

    def _reads(self, where: Where, digest: str) -> Read | None:
        """Reads a blob there; None if it is not there any more."""
        if isinstance(where, InFile | InPack):
            record = self._having_tree(where.tree)
            return self._reads_artifacts(where, record) if record is not None else None
        if not self._is_there(where.place):
            return None
        if isinstance(where, InRecord):
            path, offset = f"{self._directory(where.place)}/{where.name}", where.offset
            return lambda begin, end: file_slices(path, offset + begin, offset + end)
        return self._reads_notes(where, digest)

    def _reads_artifacts(self, where: InFile | InPack, record: Record) -> Read:
        top = self._source.payload_text(record)
        if isinstance(where, InFile):
            path, offset = f"{top}/{where.path}", where.offset
            return lambda begin, end: file_slices(path, offset + begin, offset + end)
        manifest, pack = f"{self._source.place(record)}/manifest.jsonl", where
        return lambda begin, end: pack_slices(manifest, top, pack, begin, end)

    def _reads_notes(self, where: InNotes, digest: str) -> Read | None:
        """Notes are made anew; where more has come to be known since, they are not what was asked for."""
        try:
            notes = self._offering.notes(member(self._source, where.place))
        except (OSError, StoreError):
            if not self._is_there(where.place):
                return None
            raise
        content = Content.of(notes[where.number]) if where.number < len(notes) else None
        return content.read if content is not None and content.digest == digest else None
