"""Takes realizations into a store that were made in another one: verified first, then visible, inputs before users.

There is one way for all of them, wherever they come from: `begin` gives a place where nobody looks, whoever brings
something writes it there, `finish` holds it against its hashes, and `settle` makes all that is finished visible.
Unaware of where things come from.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pylightnix.errors import ArtifactError, DamageError, StoreError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.keeping import Sealed, Workspace
from pylightnix.model.records import PromiseRecord, Record, Run
from pylightnix.names import DerivationRef, RealizationRef, printable
from pylightnix.store import changes
from pylightnix.store.documents import parse_derivation, record_bytes
from pylightnix.store.files import fresh_id, is_directory, read_small, write_new
from pylightnix.store.layout import writing
from pylightnix.store.listed import seal_listed
from pylightnix.store.manifests import EMPTY, Entry, read_manifest
from pylightnix.store.publishing import (
    bring_back,
    is_registered,
    publish_all,
    put_artifacts,
    remove_quietly,
    set_aside_unless_whole,
)
from pylightnix.store.trees import tree_of
from pylightnix.store.writing import Writer

LONGEST = 1.0
"""Seconds after which what is finished becomes visible, if it need not wait for all."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A realization on its way in.

    Attributes:
        record: what it must turn out to be.
        whole: whether its artifacts come too; else its record alone.
        notes: a directory for its documents and logs, and `out` one for its artifacts.
        lacks: whether the store has neither its record nor, if it is whole, its artifacts.
        there: the names of the files that the store has of it.
        held: files of fewer bytes were held against `manifest.jsonl` when they were written, each as one whole.
    """

    record: Record
    whole: bool
    notes: str
    out: str
    lacks: bool
    there: frozenset[str]
    runs: list[Run] = field(default_factory=list)
    held: int = 0

    def wants(self, name: str) -> bool:
        """Whether the store does not have this file of it."""
        return name not in self.there

    def alone(self, is_alone: bool) -> None:
        """Whether no artifacts come, which is known only now."""
        if is_alone and self.whole:
            self.whole = False
            self.lacks = not self.there

    def write(self, name: str, data: bytes) -> None:
        """Write one of its documents, if it is wanted."""
        if self.wants(name):
            write_new(f"{self.notes}/{name}", data)


class Receiver:
    """Takes in realizations; to be closed.

    Args:
        keeper: of the store, which is made if it is not there.
        together: whether all become visible at the end or none; else each soon, after what came before it.
    """

    def __init__(self, keeper: Writer, *, together: bool = False) -> None:
        self._keeper = keeper
        self._together = together
        self._ready: list[tuple[Arrival, Sealed]] = []
        self._since = time.monotonic()
        self._documents: str | None = None
        self._held: set[RealizationRef] = set()
        keeper.layout.ensure()
        self._holding = keeper.holding()  # last: where anything before fails, nobody would give it back

    def close(self) -> None:
        """Drop what is not settled."""
        for arrival, _ in self._ready:
            _remove(arrival)
        self._ready.clear()
        if self._documents is not None:
            remove_quietly(self._documents)
        self._holding.release()

    def see(self, record: Record) -> frozenset[str] | None:
        """The files that the store has of a realization with its record; None if it lacks that. One look."""
        try:
            there = frozenset(os.listdir(self._keeper.place(record)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return there if is_registered(self._keeper.place(record), record) else None

    def hold(self, refs: Iterable[RealizationRef]) -> None:
        """Keep these from being collected until the end, also before they have a record."""
        new = set(refs) - self._held
        if new:
            with self._holding.looking():
                self._holding.add(sorted(new))
            self._held |= new

    def write_derivation(self, ref: DerivationRef, data: bytes) -> None:
        """Take in a derivation; DamageError if it is none, or not of this name."""
        parse_derivation(f"derivations/{ref}.json", data, ref)
        self._keeper.write_derivation(ref, data)

    def write_environment(self, digest: str, data: bytes) -> None:
        """Take in the description of an environment; DamageError if it is another one."""
        if digest_bytes(data) != digest:
            raise DamageError("its bytes are not those of its name", where=f"environments/{digest[:DIGITS]}.json")
        self._keeper.write_environment(digest, data)

    def stage_derivation(self, ref: DerivationRef, data: bytes) -> None:
        """Take in a derivation that was checked, before what becomes visible next."""
        self._stage(f"{ref}.derivation", data)

    def stage_environment(self, digest: str, data: bytes) -> None:
        """As `stage_derivation`, the description of an environment."""
        self._stage(f"{digest}.environment", data)

    def _stage(self, name: str, data: bytes) -> None:
        if self._documents is None:
            self._documents = f"{self._keeper.layout.tmp}/{fresh_id()}.documents"
            with writing(self._documents):
                changes.make_directory(self._documents)
        with writing(self._documents), contextlib.suppress(FileExistsError):
            write_new(f"{self._documents}/{name}", data)

    def _write_documents(self) -> None:
        for name in sorted(os.listdir(self._documents)) if self._documents else ():
            data = read_small(f"{self._documents}/{name}")
            what, _, kind = name.rpartition(".")
            if kind == "derivation":
                self._keeper.write_derivation(DerivationRef(what), data)
            else:
                self._keeper.write_environment(what, data)

    def begin(self, record: Record, *, whole: bool) -> Arrival:
        """A place for a realization, which is held from now on.

        Args:
            record: what it must turn out to be.
            whole: whether its artifacts come too.
        """
        self.hold([record.ref])
        there = self.see(record)
        lacks = there is None or (whole and not self._keeper.present(record))
        workspace = self._keeper.workspace(record.home, 0, has_out=whole and lacks, apart=True)
        return Arrival(record, whole, workspace.notes, workspace.out, lacks, there or frozenset())

    def finish(self, arrival: Arrival, runs: Iterable[Run]) -> None:
        """Hold what was written against the record, and have it become visible.

        Raises:
            DamageError: it is not what it must be; nothing of it becomes visible, and it is removed.
            StoreError: the store cannot be written.
        """
        try:
            arrival.runs = list(runs)
            with writing(arrival.notes):
                sealed = self._seal(arrival)
                write_new(f"{arrival.notes}/record.json", record_bytes(arrival.record, arrival.record.made_in))
        except BaseException:
            _remove(arrival)
            raise
        self._ready.append((arrival, sealed))
        if not self._together and time.monotonic() > self._since + LONGEST:
            self.settle()

    def drop(self, arrival: Arrival) -> None:
        """Take nothing of it in."""
        _remove(arrival)

    def _seal(self, arrival: Arrival) -> Sealed:
        record, has_out = arrival.record, arrival.whole and arrival.lacks
        workspace = Workspace(arrival.notes, arrival.out, "", "", "", has_out)
        manifest = f"{arrival.notes}/manifest.jsonl"
        if not has_out:
            if record.tree == EMPTY or os.path.lexists(manifest):
                _see_told(record, _tree_of(record, manifest))
            return Sealed(workspace, record.ref, record)
        wanted = f"{arrival.notes}/wanted.jsonl"
        promises = {name: kept.path for name, kept in record.promises.items()}
        paths = promises.values()
        tree = seal_listed(arrival.out, manifest, record.tree, paths, arrival.held) if arrival.held else None
        if tree is None and os.path.lexists(manifest):
            changes.move(manifest, wanted)
        try:
            found = self._keeper.seal(workspace, record.home, record.key, record.value, promises, tree)
        except ArtifactError as error:
            raise DamageError(error.what, where=error.where, hint=error.hint) from error
        if found.ref != record.ref:
            raise _differs(record, manifest, wanted)
        _see_told(record, found.record)
        with contextlib.suppress(FileNotFoundError):
            changes.remove_file(wanted)
        return Sealed(workspace, record.ref, record)

    def settle(self) -> None:
        """Make all that is finished visible, in its order, and lasting; the store's errors."""
        self._write_documents()
        for arrival, sealed in self._ready:
            with writing(arrival.notes):
                self._put(arrival, sealed)
        self._sync()
        while self._ready:
            arrival, sealed = self._ready[0]
            with writing(self._keeper.place(arrival.record)):
                self._reserve(arrival)
                publish_all(sealed, self._keeper.place(arrival.record))
            del self._ready[0]
            _remove(arrival)
        self._sync()
        self._since = time.monotonic()

    def _put(self, arrival: Arrival, sealed: Sealed) -> None:
        record, keeper = arrival.record, self._keeper
        payload, place = keeper.payload_text(record), keeper.place(record)
        if not (arrival.whole and arrival.lacks):
            if not arrival.there:  # a record alone: artifacts that are there were left by a crash, whole or not
                set_aside_unless_whole(payload, record, f"{keeper.layout.tmp}/{fresh_id()}")
        elif os.path.lexists(place) and not os.path.lexists(payload):
            bring_back(sealed, payload, self._sync)
        else:
            put_artifacts(sealed, payload, lambda: is_registered(place, record))

    def _reserve(self, arrival: Arrival) -> None:
        """The runs' indices, and so their seeds, are used from now on."""
        base = f"{self._keeper.layout.records}/{arrival.record.home}"
        changes.make_directories(base)
        for run in arrival.runs:
            if run.index:
                with contextlib.suppress(FileExistsError):
                    write_new(f"{base}/{run.index}.run", b"")

    def _sync(self) -> None:
        if self._keeper.lasting:
            with writing(self._keeper.root):
                changes.sync_all(self._keeper.root)


def _remove(arrival: Arrival) -> None:
    for path in (arrival.notes, arrival.out):
        if os.path.lexists(path):
            remove_quietly(path)


def _tree_of(record: Record, manifest: str) -> Record:
    """What the record must say of promises and sizes where this is the manifest; DamageError if it is none."""
    entries = () if record.tree == EMPTY else read_manifest(manifest, record.tree)
    try:
        tree = tree_of(entries, [kept.path for kept in record.promises.values()])
    except DamageError:
        raise
    except StoreError as error:
        raise DamageError(error.what, where=error.where) from error
    kept = {name: PromiseRecord(kept.path, *tree.artifacts[kept.path]) for name, kept in record.promises.items()}
    return replace(record, promises=kept, size=tree.size, files=tree.files)


def _see_told(record: Record, found: Record) -> None:
    """See that a record is right where its own hash says nothing: keys of what uses a promise follow from this."""
    if (found.promises, found.size, found.files) != (record.promises, record.size, record.files):
        raise DamageError(
            "what its record says of promises and sizes is not so", where=f"{record.ref.name} {record.ref.short}"
        )


def _differs(record: Record, found: str, wanted: str) -> DamageError:
    """The error for artifacts that are not those of the record; it names the first file that differs."""
    where = f"{record.ref.name} {record.ref.short}"
    hint = "verify the store that it comes from, with --repair"
    try:
        there = _entries(found) if is_directory(os.path.dirname(found)) else {}
        for entry in read_manifest(wanted, record.tree):
            if there.get(entry.name) != entry:
                path = printable(entry.path)
                return DamageError(f"{path} is not what its record says", where=where, hint=hint, path=entry.path)
    except (StoreError, OSError):
        pass
    return DamageError("the artifacts are not those of its record", where=where, hint=hint)


def _entries(manifest: str) -> dict[bytes, Entry]:
    try:
        return {entry.name: entry for entry in read_manifest(manifest)}
    except FileNotFoundError:
        return {}
