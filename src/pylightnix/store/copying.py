"""Copies what belongs to a selection from one store into another, sharing blocks where the file system can."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from typing import Literal, NamedTuple

from pylightnix.errors import CollectedError, DamageError, StoreError
from pylightnix.model.holding import Holding, Loose
from pylightnix.model.selection import Selection
from pylightnix.names import DerivationRef, RealizationRef
from pylightnix.store import changes
from pylightnix.store.closures import (
    Closure,
    Member,
    closure_of,
    derivation_bytes,
    environment_bytes,
    members,
    open_recorded,
)
from pylightnix.store.layout import writing
from pylightnix.store.manifests import EMPTY, Entry, read_manifest
from pylightnix.store.reading import Reader
from pylightnix.store.receiving import Arrival, Receiver
from pylightnix.store.sealing import copy_content
from pylightnix.store.writing import Writer

How = Literal["copied", "record", "merged", "there"]
"""What became of a realization: copied; its record alone, since it was collected; what was known of it added to what
was known there; all of it was there."""


class Moved(NamedTuple):
    """What became of one realization.

    Attributes:
        ref: which.
        how: what.
        size: bytes of its artifacts, where they were copied, else 0.
        shared: bytes of these that take no room, since both stores share their blocks.
    """

    ref: RealizationRef
    how: How
    size: int = 0
    shared: int = 0


class Copied(NamedTuple):
    """What a copy did, or would do.

    Attributes:
        moved: each realization, inputs before what uses them.
        absent: realizations that were chosen and are not in the store that was copied from.
        dry: whether nothing was done.
    """

    moved: tuple[Moved, ...]
    absent: tuple[RealizationRef, ...]
    dry: bool = False

    @property
    def size(self) -> int:
        """Bytes that were copied."""
        return sum(one.size for one in self.moved)

    @property
    def shared(self) -> int:
        """Bytes of these that take no room."""
        return sum(one.shared for one in self.moved)


def whole_closure(
    reader: Reader, selection: Selection, holding: Holding | None = None, *, incomplete: bool = False
) -> Closure:
    """What belongs to a selection, if it can be had elsewhere.

    Args:
        reader: of the store.
        selection: what is asked for.
        holding: keeps all of it from being collected from now on; None where nobody collects.
        incomplete: whether realizations may be missing that something of it was made from.

    Raises:
        CollectedError: what is asked for was collected.
        StoreError: something that it was made from was removed.
    """
    holding = holding or Loose()
    with holding.looking():
        closure = _whole(reader, selection, incomplete=incomplete)
        holding.add([place.ref for place in closure.order])
    return closure


def _whole(reader: Reader, selection: Selection, *, incomplete: bool) -> Closure:
    for kept in selection.kept:
        for ref in kept.choice.chosen:
            if not os.path.isdir(f"{reader.layout.store}/{ref}"):
                raise CollectedError(
                    "its artifacts are not here, only its record is", where=f"{ref.name} {ref.short}",
                    hint="realize its stage again, then it can be sent elsewhere", ref=ref,
                )  # fmt: skip
    closure = closure_of(reader, selection)
    if closure.absent and not incomplete:
        missing, through = closure.absent[0].place.ref, closure.absent[0].through
        raise StoreError(
            f"it was removed from this store, and {through.name} {through.short} was made from it"
            if through
            else "it is not in this store",
            where=f"{missing.name} {missing.short}", ref=missing,
            hint="realize its stage again; or send the rest without it, with --incomplete",
        )  # fmt: skip
    return closure


def copy_closure(
    source: Reader, target: Writer, selection: Selection, holding: Holding | None = None, *, dry: bool = False,
    incomplete: bool = False, told: Callable[[Moved], None] = lambda _: None,
) -> Copied:  # fmt: skip
    """Copy a selection and all that it was made from.

    Each realization becomes visible when all it was made from is, and its artifacts were held against their hashes.

    Args:
        source: of the one store.
        target: of the other one, which is made if it is not there.
        selection: what.
        holding: of the source, see `whole_closure`.
        dry: change nothing, only say what would be done.
        incomplete: whether what it was made from may be missing.
        told: is called with what became of each.

    Raises:
        DamageError: something in the source is damaged; what came before it is complete.
        StoreError: as `whole_closure`, or one of the stores refuses.
    """
    closure = whole_closure(source, selection, holding, incomplete=incomplete)
    moved: list[Moved] = []

    def note(one: Moved) -> None:
        moved.append(one)
        told(one)

    if dry:
        for one in members(source, closure):
            note(_would(one, target))
    else:
        _Copy(source, target).all(closure, note)
    return Copied(tuple(moved), tuple(one.place.ref for one in closure.absent), dry)


def _would(one: Member, target: Writer) -> Moved:
    """What copying it would do."""
    record = one.record
    if target.record_at(record.home, record.ref.digits) is None:
        return Moved(record.ref, "copied", record.size) if one.present else Moved(record.ref, "record")
    if one.present and not target.present(record):
        return Moved(record.ref, "copied", record.size)
    there = os.listdir(target.place(record))
    return Moved(record.ref, "merged" if set(one.files).difference(there) else "there")


class _Copy:
    def __init__(self, source: Reader, target: Writer) -> None:
        self._source = source
        self._target = target
        self._shares = True  # until the system says that it cannot
        self._written: set[str] = set()
        self._shared = 0

    def all(self, closure: Closure, note: Callable[[Moved], None]) -> None:
        with closing(Receiver(self._target)) as receiver:
            receiver.hold(place.ref for place in closure.order)
            try:
                for one in members(self._source, closure):
                    note(self._one(one, receiver))
            except DamageError:
                receiver.settle()  # what came before is whole, and need not be copied again
                raise
            receiver.settle()

    def _one(self, one: Member, receiver: Receiver) -> Moved:
        record = one.record
        there = receiver.see(record)
        present = there is not None and (self._target.present(record) or not one.present)
        if there is not None and present and not set(one.files).difference(there):
            return Moved(record.ref, "there")
        for ref in one.derivations:
            self._derivation(ref, receiver)
        for digest in one.environments:
            if digest not in self._written:
                receiver.write_environment(digest, environment_bytes(self._source, digest))
                self._written.add(digest)
        with writing(self._target.root):
            arrival = receiver.begin(record, whole=one.present)
        try:
            with writing(arrival.notes):
                self._fill(one, arrival)
        except BaseException:
            receiver.drop(arrival)
            raise
        receiver.finish(arrival, one.runs.values())
        if present:
            return Moved(record.ref, "merged")
        return Moved(record.ref, "copied", record.size, self._shared) if one.present else Moved(record.ref, "record")

    def _derivation(self, ref: DerivationRef, receiver: Receiver) -> None:
        if ref not in self._written:
            receiver.write_derivation(ref, derivation_bytes(self._source, ref))
            self._written.add(ref)

    def _fill(self, one: Member, arrival: Arrival) -> None:
        for name in one.files:
            if name in one.documents:
                arrival.write(name, one.documents[name])
            elif arrival.wants(name):
                self._copy(f"{one.directory}/{name}", f"{arrival.notes}/{name}", 0o444)
        if one.record.tree != EMPTY and (arrival.lacks or arrival.wants("manifest.jsonl")):
            self._copy(f"{one.directory}/manifest.jsonl", f"{arrival.notes}/manifest.jsonl", 0o444)
        self._shared = 0
        if arrival.whole and arrival.lacks and one.record.tree != EMPTY:
            top = self._source.payload_text(one.record)
            for entry in read_manifest(f"{arrival.notes}/manifest.jsonl", one.record.tree):
                self._make(entry, f"{top}/{entry.path}", f"{arrival.out}/{entry.path}")

    def _make(self, entry: Entry, source: str, path: str) -> None:
        if entry.kind == "directory":
            changes.make_directory(path)
        elif entry.kind == "link":
            changes.link_symbolically(os.fsdecode(entry.target), path)
        else:
            shared = self._copy(source, path, 0o755 if entry.executable else 0o644)
            self._shared += entry.size if shared else 0

    def _copy(self, source: str, path: str, mode: int) -> bool:
        """Copy a file; whether both share their blocks now."""
        with open_recorded(source) as file:
            handle = changes.open_new(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            try:
                if self._shares:
                    try:
                        changes.clone(file.fileno(), handle)
                    except OSError:
                        self._shares = False
                    else:
                        return True
                copy_content(file.fileno(), handle)
            finally:
                os.close(handle)
        return False
