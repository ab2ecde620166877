"""Writes a store. Every change is made under a unique name and becomes visible by one rename; the record comes last."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylightnix.errors import StoreError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.keeping import Sealed, Workspace
from pylightnix.model.records import Context, PromiseRecord, Record, Run, hash_realization, hash_value
from pylightnix.names import DerivationRef, KeyRef, RealizationRef
from pylightnix.store.files import fresh_id, write_new, write_once
from pylightnix.store.layout import Layout, unwritable
from pylightnix.store.reading import Reader
from pylightnix.store.trees import hash_tree, remove_tree, seal_top

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


class Writer(Reader):
    """What can be written into a store. It completes `Keeper`."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._next: dict[KeyRef, int] = {}

    def write_derivation(self, ref: DerivationRef, document: bytes) -> None:
        self.layout.ensure()
        path = f"{self.layout.derivations}/{ref}.json"
        if not os.path.exists(path):
            with _writing(path):
                write_once(self.layout.tmp, path, document)

    def add_context(self, record: Record, context: Context, document: bytes) -> None:
        path = f"{self.place(record)}/context-{context.hash[:DIGITS]}.json"
        if os.path.exists(path):
            return
        try:
            self.write_derivation(context.derivation, document)
            write_once(self.layout.tmp, path, context.to_bytes())
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise unwritable(path, error) from error
        except StoreError as error:
            if error.fields.get("errno") not in _READ_ONLY:
                raise

    def reserve(self, home: KeyRef) -> int:
        self.layout.ensure()
        base = f"{self.layout.records}/{home}"
        with _writing(base):
            index = self._next.get(home)
            if index is None:
                os.makedirs(base, exist_ok=True)
                index = _first_free(base)
            while True:
                try:
                    write_new(f"{base}/{index}.run", b"")
                except FileExistsError:
                    index += 1
                else:
                    self._next[home] = index + 1
                    return index

    def workspace(self, home: KeyRef, run: int) -> Workspace:
        unique = fresh_id()
        notes = f"{self.layout.tmp}/{unique}"
        with _writing(notes):
            os.mkdir(notes)
            os.mkdir(f"{notes}.out")
        return Workspace(
            Path(notes), Path(f"{notes}.out"), Path(f"{notes}.scratch"),
            Path(f"{self.layout.tmp}/checkpoint-{home.digits}-{run}"), Path(f"{notes}/run-{run}-{unique}.log"),
        )  # fmt: skip

    def seal(self, workspace: Workspace, home: KeyRef, key: str, value: Any, promises: Mapping[str, str]) -> Sealed:
        manifest = f"{workspace.notes}/manifest.jsonl"
        with _writing(manifest), open(manifest, "wb") as sink:
            tree = hash_tree(workspace.out, promises.values(), sink, seal=True)
        kept = {
            name: PromiseRecord(path, tree.artifacts[path].kind, tree.artifacts[path].digest)
            for name, path in promises.items()
        }
        ref = RealizationRef.of(hash_realization(key, tree.digest, hash_value(value)), home.name)
        return Sealed(workspace, ref, Record(ref, home, key, tree.digest, value, kept, tree.size, tree.files))

    def register(self, sealed: Sealed, run: Run) -> Record:
        workspace, record = sealed.workspace, sealed.record
        final = self.place(record)
        with _writing(final):
            self._publish_artifacts(workspace, record)
            _write_notes(workspace, record, run)
            try:
                os.rename(workspace.notes, final)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                _add_run(workspace, final)
        self.discard(workspace)
        return record

    def _publish_artifacts(self, workspace: Workspace, record: Record) -> None:
        """Move the artifacts to their place, unless the same ones are there."""
        target = f"{self.layout.store}/{record.ref}"
        if self.present(record) and not self._same(Path(target), record):
            os.chmod(target, 0o755)
            os.rename(target, f"{workspace.notes}.replaced")
        try:
            os.rename(workspace.out, target)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        seal_top(Path(target))

    def _same(self, target: Path, record: Record) -> bool:
        """Whether what is there can be used: it was registered, or a crash left it before its record and it is whole."""
        if os.path.exists(f"{self.place(record)}/record.json"):
            return True
        try:
            return hash_tree(target).digest == record.tree
        except (StoreError, OSError):
            return False

    def keep_failed(self, workspace: Workspace, name: str, facts: Mapping[str, Any]) -> Path:
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        kept = f"{self.layout.failed}/{moment}-{name}-{fresh_id()}"
        document = json.dumps({**facts, "pylightnix": kind_tag("failure")}, indent=1, default=str)
        with _writing(kept):
            os.mkdir(kept)
            write_new(f"{kept}/failure.json", document.encode(errors="backslashreplace"))
            for path, name_there in ((workspace.out, "out"), (workspace.log, "log"), (workspace.scratch, "scratch")):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(path, f"{kept}/{name_there}")
        self.discard(workspace)
        return Path(kept)

    def discard(self, workspace: Workspace) -> None:
        for path in (workspace.notes, workspace.out, workspace.scratch, Path(f"{workspace.notes}.replaced")):
            if os.path.lexists(path):
                remove_tree(path)

    def environment(self, facts: Mapping[str, Any]) -> str:
        data = canonical({**facts, "pylightnix": kind_tag("environment")})
        digest = digest_bytes(data)
        path = f"{self.layout.environments}/{digest[:DIGITS]}.json"
        if not os.path.exists(path):
            with _writing(path):
                write_once(self.layout.tmp, path, data)
        return digest

    def remove(self, record: Record) -> None:
        """Remove a realization: the record first, so that nobody sees half of it; its run indices stay used."""
        self.layout.ensure()
        trash = Path(f"{self.layout.tmp}/{fresh_id()}")
        with _writing(str(trash)):
            os.mkdir(trash)
            os.rename(self.place(record), trash / "record")
            with contextlib.suppress(FileNotFoundError):
                payload = self.payload(record)
                os.chmod(payload, 0o755)
                os.rename(payload, trash / "out")
            remove_tree(trash)


def _write_notes(workspace: Workspace, record: Record, run: Run) -> None:
    """Write all that will stand in the record's directory; the log is there already, if there is one."""
    stem = workspace.log.name.removesuffix(".log")
    log = workspace.log.name if os.path.exists(workspace.log) else None
    write_new(f"{workspace.notes}/record.json", canonical(_record_document(record, run.context.hash)))
    write_new(f"{workspace.notes}/{stem}.json", canonical(_run_document(run, log)))


def _add_run(workspace: Workspace, final: str) -> None:
    """Give the run of an equal result to the realization that is there; the log before the run that names it."""
    stem = workspace.log.name.removesuffix(".log")
    with contextlib.suppress(FileNotFoundError):
        os.rename(workspace.log, f"{final}/{stem}.log")
    os.rename(f"{workspace.notes}/{stem}.json", f"{final}/{stem}.json")


def _record_document(record: Record, made_in: str) -> dict[str, Any]:
    return {
        "files": record.files, "key": record.key, "made_in": made_in, "promises": {name: kept._asdict() for name, kept in record.promises.items()},
        "pylightnix": kind_tag("record"), "realization": hash_realization(record.key, record.tree, record.value_hash), "size": record.size, "tree": record.tree, "value": record.value,
    }  # fmt: skip


def _run_document(run: Run, log: str | None) -> dict[str, Any]:
    return {
        "context": json.loads(run.context.to_bytes()), "duration": run.duration, "facts": dict(run.facts),
        "index": run.index, "log": log, "pylightnix": kind_tag("run"), "seed": run.seed, "started": run.started,
    }  # fmt: skip


def _first_free(base: str) -> int:
    """The first index above all that were reserved under a key."""
    indices = [int(name[:-4]) for name in os.listdir(base) if name.endswith(".run") and name[:-4].isdigit()]
    return max(indices, default=-1) + 1


@contextlib.contextmanager
def _writing(where: str) -> Any:
    """Turns what the file system refuses into an error that says so."""
    try:
        yield
    except OSError as error:
        raise unwritable(where, error) from error
