"""Writes a store. Every change is made under a unique name and becomes visible by one rename; the record comes last."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pylightnix.errors import ArtifactError, StoreError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.keeping import Blot, Lost, Sealed, Workspace
from pylightnix.model.records import Context, PromiseRecord, Record, Run, hash_realization, hash_value_text
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable
from pylightnix.store import changes
from pylightnix.store.blotting import blot
from pylightnix.store.checkpoints import drop, leave, take
from pylightnix.store.claims import Claims, HeldSlot
from pylightnix.store.collection.holds import Holding, Holds
from pylightnix.store.documents import check_times, value_text
from pylightnix.store.failures import keep_failure
from pylightnix.store.files import NewFile, fresh_id, has_bytes, is_directory, is_there, write_new, write_once
from pylightnix.store.layout import Layout, writing
from pylightnix.store.manifests import EMPTY
from pylightnix.store.past import PastRuns
from pylightnix.store.pending import Durability, Pending, Ready
from pylightnix.store.publishing import (
    bring_back,
    close_log,
    is_registered,
    publish,
    put_artifacts,
    remove_quietly,
    write_notes,
)
from pylightnix.store.reading import DAMAGED, LOST, Reader
from pylightnix.store.recollection import Recollections
from pylightnix.store.shares import Shares
from pylightnix.store.trees import Tree, hash_tree, is_empty
from pylightnix.store.watching import Watch

_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_is_reserved = re.compile(r"([0-9]{1,9})\.run").fullmatch


class Writer(Reader):
    """What can be written into a store. It completes `Keeper`."""

    def __init__(self, layout: Layout, durability: Durability = "batch") -> None:
        super().__init__(layout)
        self.memory = Recollections(layout, self._looked.get)
        self._next: dict[KeyRef, int] = {}
        self._new: set[KeyRef] = set()  # keys of which nobody has begun a run but us, and we have reserved one
        self._claims = Claims(layout.locks)
        self._holds = Holds(layout)
        self._pending = Pending(layout.root, durability, self._note, self._publish, self._drop)
        self._steady = self._pending.gate

    @property
    def durability(self) -> Durability:
        """What of the results outlasts a loss of power."""
        return self._pending.durability

    @property
    def lasting(self) -> bool:
        return self.durability != "none"

    def candidates(self, home: KeyRef, key: str) -> list[Record]:
        pending = self._pending.records(home)
        found = super().candidates(home, key)
        new = pending.keys() - {record.ref for record in found} if pending else ()
        return sorted([*found, *[pending[ref] for ref in new]], key=lambda record: record.ref) if new else found

    def runs(self, record: Record) -> tuple[Run, ...]:
        with self._steady:
            pending = [ready.run for ready in self._pending.of(record.home) if ready.sealed.ref == record.ref]
            if not pending:
                return super().runs(record)
            there = super().runs(record) if os.path.lexists(self.place(record)) else ()
        return tuple(sorted({run.index: run for run in (*pending, *there)}.values(), key=Run.order))

    def _places(self, record: Record) -> list[str]:
        pending = [
            ready.sealed.workspace.notes for ready in self._pending.of(record.home) if ready.sealed.ref == record.ref
        ]
        place = self.place(record)
        return [place, *pending] if not pending or os.path.lexists(place) else pending

    def write_derivation(self, ref: DerivationRef, document: bytes) -> None:
        self._write_named(f"{self.layout.derivations}/{ref}.json", document)

    def renew_derivation(self, ref: DerivationRef, document: bytes) -> None:
        """As `write_derivation`, also in the place of one of that size with other bytes."""
        self._write_named(f"{self.layout.derivations}/{ref}.json", document, every_byte=True)

    def _write_named(self, path: str, data: bytes, *, every_byte: bool = False) -> None:
        """Write a document that is named by its hash, unless it is there; one that was cut off is written again."""
        if _size(path) == len(data) and (not every_byte or has_bytes(path, data)):
            return  # what is whole may outlast a loss of power already: nothing takes its place
        self.layout.ensure()
        with writing(path):
            try:
                write_once(self.layout.tmp, path, data)
            except FileNotFoundError:  # somebody removed the store, or a part of it, under our feet
                self._next.clear()
                self.layout.ensure(again=True)
                write_once(self.layout.tmp, path, data)
        self._pending.unsynced = True

    def add_context(self, record: Record, context: Context, document: bytes) -> None:
        data = context.to_bytes()
        name = f"context-{context.hash[:DIGITS]}.json"
        try:
            self.write_derivation(context.derivation, document)  # also one that a loss of power cut off
            if _size(f"{self.place(record)}/{name}") == len(data):
                return
            with self._steady, writing(name):
                write_once(self.layout.tmp, f"{self._places(record)[0]}/{name}", data)
            self._pending.unsynced = True
        except StoreError as error:
            if error.fields.get("errno") not in _UNWRITABLE:
                raise
            self.memory.withhold()

    def trashed(self) -> Mapping[RealizationRef, str]:
        from pylightnix.store.collection.trash import Trash  # few need it

        return {one.ref: one.name for one in Trash(self.layout).all() if one.what == "artifacts"}

    def bring_back(self, record: Record, place: str) -> bool:
        from pylightnix.store.collection.trash import Trash

        with contextlib.suppress(OSError, StoreError):
            Trash(self.layout, adrift=self.adrift).put_back_artifacts(record.ref, place)
        return self.present(record)

    def holding(self) -> Holding:
        return self._holds.begin()

    def claim(self, home: KeyRef) -> HeldSlot:
        self.layout.ensure()
        may_be_first = not self._looked.get(home) and home not in self._next
        return self._claims.claim(home, functools.partial(self._begin, home) if may_be_first else None)

    def shares(self, scope: str, making: Collection[str]) -> Shares:
        return Shares(self.layout, scope, making)

    def together(self) -> contextlib.AbstractContextManager[None]:
        return self._pending.together()

    def settle(self) -> None:
        self._pending.settle()

    def when_settled(self, act: Callable[[], None]) -> None:
        self._pending.when_settled(act)

    def reserve(self, home: KeyRef, *, first: bool = False) -> int:
        self.layout.ensure()
        base = f"{self.layout.records}/{home}"
        with writing(base):
            index = 0 if first else self._next.get(home)
            if index is None:
                index = 0 if self._begin(home) else self._first_free(base)
            while index:
                try:
                    self._mark(f"{base}/{index}.run")
                except FileExistsError:
                    index += 1
                except FileNotFoundError:
                    index = 0 if self._begin(home) else index
                else:
                    self._expect_one_more(home)
                    break
            self._next[home] = index + 1
            return index

    def _begin(self, home: KeyRef) -> bool:
        """Make the directory of a key, unless it is there: whoever makes it has run 0, and needs no mark for that."""
        base = f"{self.layout.records}/{home}"
        with writing(base):
            while True:
                try:
                    changes.make_directory(base)
                except FileExistsError:
                    self._new.discard(home)
                    return False
                except FileNotFoundError:
                    changes.make_directories(self.layout.records)
                else:
                    self._new.add(home)
                    return True

    @staticmethod
    def _first_free(base: str) -> int:
        """The first index above all that were reserved under a key that is there."""
        if not is_directory(base):
            raise StoreError(
                "in the place of a directory of the store there is a link, or a file", where=printable(base),
                hint="pylightnix verify --repair moves it away",
            )  # fmt: skip
        forms = filter(None, map(_is_reserved, os.listdir(base)))
        return max((int(form[1]) for form in forms), default=0) + 1

    def _mark(self, path: str) -> None:
        """Make an empty file: one more name of one that is there, since that costs a quarter; else a new one."""
        present = self._claims.presence()
        if present is not None:
            try:
                changes.link(present, path)
            except FileExistsError:
                raise
            except OSError:  # no second names here, or no more of them, or no directory
                pass
            else:
                return
        write_new(path, b"")

    def _expect_one_more(self, home: KeyRef) -> None:
        """We have put one more name under a key: the look before that knows of it."""
        if home in self._looked:
            self._looked[home] += 1

    def past(self) -> PastRuns:
        return PastRuns(self.layout.records)

    def workspace(self, home: KeyRef, run: int, *, has_out: bool = True, apart: bool = False) -> Workspace:
        unique = fresh_id()
        base = f"{self.layout.tmp}/{unique}"
        notes = f"{base}@{run}@{home}"
        with writing(notes):
            changes.make_directory(notes)
            if has_out:
                try:
                    changes.make_directory(f"{base}.out")
                except BaseException:
                    remove_quietly(notes)
                    raise
        if apart:
            checkpoint = f"{base}.checkpoint"
        else:
            checkpoint = take(self.layout.checkpoints, home, run, unique, look=home not in self._new)
            self._new.discard(home)
        log = f"{notes}/run-{run}-{unique}.log"
        return Workspace(notes, f"{base}.out", f"{base}.scratch", checkpoint, log, has_out)

    def watch(self, workspace: Workspace, records: Iterable[Record]) -> Watch:
        return Watch(self.layout, workspace.notes, records, self.settle)

    def forget_killed(self, home: KeyRef) -> None:
        from pylightnix.store.collection.debris import forget_killed  # few need it

        forget_killed(self.layout, home)

    @property
    def blot(self) -> Blot:
        return blot

    def seal(
        self, workspace: Workspace, home: KeyRef, key: str, value: Any, promises: Mapping[str, str],
        tree: Tree | None = None,
    ) -> Sealed:  # fmt: skip
        text = value_text(home, value)
        tree = tree or self._seal(workspace, promises)
        kept = {
            name: PromiseRecord(path, tree.artifacts[path].kind, tree.artifacts[path].digest)
            for name, path in promises.items()
        }
        value_hash = hash_value_text(text)
        full = hash_realization(key, tree.digest, value_hash)
        ref = RealizationRef.of(full, home.name)
        record = Record(ref, home, key, tree.digest, value, kept, tree.size, tree.files, "", value_hash, full)
        return Sealed(workspace, ref, record)

    def _seal(self, workspace: Workspace, promises: Mapping[str, str]) -> Tree:
        if not (workspace.has_out and (promises or not is_empty(workspace.out))):
            return Tree(EMPTY, 0, 0, {})
        manifest = f"{workspace.notes}/manifest.jsonl"
        with writing(manifest), NewFile(manifest) as sink:
            try:
                return hash_tree(workspace.out, promises.values(), sink, seal=True)
            except StoreError as error:
                raise ArtifactError(error.what, where=error.where, hint=error.hint, **error.fields) from error

    def register(self, sealed: Sealed, run: Run, *, logged: bool | None = None) -> Record:
        record = sealed.record
        check_times(run)
        payload = self.payload_text(record)
        with writing(payload):
            log = close_log(sealed.workspace) if logged is not False else None
            if is_there(self.place(record)) and not os.path.lexists(payload):
                moved = bring_back(sealed, payload, self._pending.sync)
            else:
                moved = put_artifacts(sealed, payload, lambda: self._is_taken(record))
        record.made_in = run.context.hash
        self._pending.add(Ready(sealed, run if log == run.log else replace(run, log=log), moved))
        return record

    def _is_taken(self, record: Record) -> bool:
        """Whether there is an equal realization, visible or pending."""
        return record.ref in self._pending.records(record.home) or is_registered(self.place(record), record)

    def _note(self, ready: Ready) -> None:
        with writing(ready.sealed.workspace.notes):
            write_notes(ready.sealed, ready.run)

    def _publish(self, ready: Ready) -> None:
        sealed, place = ready.sealed, self.place(ready.sealed.record)
        with writing(place):
            new = publish(sealed, place)
        if new:
            self._expect_one_more(sealed.record.home)
        self._forget_damage(sealed.record, ready.run.index)
        _clear(sealed.workspace, all_of_it=not (new and ready.moved))
        if sealed.workspace.has_out:
            drop(sealed.workspace.checkpoint)

    def _drop(self, ready: Ready) -> None:
        self.discard(ready.sealed.workspace)

    def lose(self, record: Record | Lost) -> None:
        path = f"{self.layout.records}/{record.home}/{record.ref.digits}{LOST}"
        with writing(path), contextlib.suppress(FileExistsError):
            write_new(path, b"")
        self._forget_damage(record)

    def damaged(self, home: KeyRef) -> list[Lost]:
        found = super().damaged(home)
        made = {(ready.sealed.ref, ready.run.index) for ready in self._pending.of(home)} if found else ()
        return [lost for lost in found if (lost.ref, lost.run) not in made]

    def _forget_damage(self, record: Record | Lost, run: int | None = None) -> None:
        """A run of it was made again, or it was shown to be lost for ever: the mark goes with the last run."""
        before = self._damaged.get(record.home, [])
        of_it = [lost for lost in before if lost.ref == record.ref and run in (None, lost.run)]
        if not of_it:
            return
        after = self._damaged[record.home] = [lost for lost in before if lost not in of_it]
        if any(lost.ref == record.ref for lost in after):
            return
        path = f"{self.layout.records}/{record.home}/{record.ref.digits}{DAMAGED}"
        with writing(path), contextlib.suppress(FileNotFoundError):
            changes.remove_file(path)

    def keep_failed(self, workspace: Workspace, name: str, facts: Mapping[str, Any]) -> Path:
        kept = keep_failure(self.layout, workspace, name, facts)
        self.discard(workspace)
        return kept

    def discard(self, workspace: Workspace) -> None:
        _clear(workspace)
        if workspace.checkpoint.startswith(workspace.out.removesuffix("out")):  # of a run apart: nobody else's
            drop(workspace.checkpoint)
        else:
            leave(workspace.checkpoint)

    def environment(self, facts: Mapping[str, Any]) -> str:
        data = canonical({**facts, "pylightnix": kind_tag("environment")})
        digest = digest_bytes(data)
        self.write_environment(digest, data)
        return digest

    def write_environment(self, digest: str, data: bytes) -> None:
        """Write the description of an environment, of which this is the hash, unless it is there."""
        self._write_named(f"{self.layout.environments}/{digest[:DIGITS]}.json", data)


def _size(path: str) -> int:
    """The size of a file, -1 if there is none."""
    if not is_there(path):  # asked first, since of what is to be built it nearly always is so
        return -1
    try:
        status = os.lstat(path)
    except OSError:
        return -1
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _clear(workspace: Workspace, *, all_of_it: bool = True) -> None:
    """Remove a workspace, all but its checkpoint; or what is left where notes and artifacts were moved away."""
    there = [workspace.scratch] if workspace.has_out else []  # else the builder was told of no directory
    there += [workspace.notes, workspace.out] if all_of_it else []
    for path in there:
        if os.path.lexists(path):
            remove_quietly(path)
