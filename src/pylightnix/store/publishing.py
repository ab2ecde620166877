"""Makes a sealed realization visible: the artifacts by one rename, then the record by another. Unaware of layouts."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from pylightnix.errors import DamageError, StoreError
from pylightnix.model.keeping import Sealed, Workspace
from pylightnix.model.records import Record, Run
from pylightnix.store import changes
from pylightnix.store.documents import parse_record, record_bytes, run_bytes
from pylightnix.store.files import read_small, write_new
from pylightnix.store.trees import hash_tree, remove_tree, seal_top

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


def publish(sealed: Sealed, run: Run, payload: Path, place: str) -> bool:
    """Move the artifacts to their place and then the record to its; an equal realization that is there gets the run.

    Args:
        sealed: what was made; its notes become the directory of the record.
        run: which run made it.
        payload: where the artifacts shall be.
        place: where the record shall be.

    Returns:
        Whether all was new, and nothing of it is left in the workspace.

    Raises:
        OSError: the system refused.
        StoreError: the same, in the artifacts.
    """
    workspace, record = sealed.workspace, sealed.record
    _write_notes(workspace, record, run)
    moved = _publish_artifacts(workspace, record, payload, place)
    try:
        changes.move(workspace.notes, place)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        _mend_record(workspace, record, place)
        _add_run(workspace, place)
        return False
    return moved


def _write_notes(workspace: Workspace, record: Record, run: Run) -> None:
    """Write all that will stand in the record's directory; the log is there already, if there is one."""
    stem = workspace.log.name.removesuffix(".log")
    log = workspace.log.name if os.path.exists(workspace.log) else None
    if log is not None:
        changes.set_mode(workspace.log, os.stat(workspace.log).st_mode & 0o444)
    write_new(f"{workspace.notes}/record.json", record_bytes(record, run.context.hash))
    write_new(f"{workspace.notes}/{stem}.json", run_bytes(run, log))


def _publish_artifacts(workspace: Workspace, record: Record, target: Path, place: str) -> bool:
    """Move the artifacts to their place, unless the same ones are there; whether they were moved."""
    moved = True
    if _is_directory(target) and not _same(target, record, place):
        replaced = f"{workspace.notes}.replaced"
        with contextlib.suppress(FileNotFoundError):
            changes.set_mode(target, 0o755)
            changes.move(target, replaced)
        remove_quietly(replaced)
    try:
        changes.move(workspace.out, target)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        moved = False
    seal_top(target)
    return moved


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _same(target: Path, record: Record, place: str) -> bool:
    """Whether what is there can be used: it is registered, or a crash left it before its record and it is whole."""
    if _is_registered(f"{place}/record.json", record):
        return True
    try:
        return hash_tree(target).digest == record.tree
    except (StoreError, OSError):
        return False


def _is_registered(path: str, record: Record) -> bool:
    """Whether a record is there and readable."""
    try:
        parse_record(path, read_small(path), record.ref.digits, record.home)
    except (DamageError, OSError):
        return False
    return True


def _mend_record(workspace: Workspace, record: Record, final: str) -> None:
    """Put ours in the place of a record that is damaged, or lost."""
    path = f"{final}/record.json"
    if _is_registered(path, record):
        return
    with contextlib.suppress(FileNotFoundError):
        changes.move(path, f"{workspace.notes}/damaged")
    for name in ("manifest.jsonl", "record.json"):
        changes.replace(f"{workspace.notes}/{name}", f"{final}/{name}")


def _add_run(workspace: Workspace, final: str) -> None:
    """Give the run of an equal result to the realization that is there; the log before the run that names it."""
    stem = workspace.log.name.removesuffix(".log")
    with contextlib.suppress(FileNotFoundError):
        changes.move(workspace.log, f"{final}/{stem}.log")
    changes.move(f"{workspace.notes}/{stem}.json", f"{final}/{stem}.json")


def remove_quietly(path: Path | str) -> None:
    """Remove something from `tmp/`. What cannot be removed stays there, where nobody looks."""
    with contextlib.suppress(StoreError):
        remove_tree(path)
