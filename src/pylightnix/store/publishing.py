"""Makes a sealed realization visible: the artifacts by one rename, then the record by another. Unaware of layouts."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable

from pylightnix.errors import DamageError, StoreError
from pylightnix.model.keeping import Sealed, Workspace
from pylightnix.model.records import Record, Run
from pylightnix.store import changes
from pylightnix.store.aside import beside_of, set_aside
from pylightnix.store.documents import parse_record, record_bytes, run_bytes
from pylightnix.store.files import read_small, write_new
from pylightnix.store.manifests import EMPTY
from pylightnix.store.removal import remove_tree
from pylightnix.store.sealing import seal_top
from pylightnix.store.trees import hash_tree

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_SEALED = 0o555


def put_artifacts(sealed: Sealed, payload: str, is_taken: Callable[[], bool]) -> bool:
    """Move the artifacts to their place, where nobody sees them without a record.

    Args:
        sealed: what was made.
        payload: where the artifacts shall be.
        is_taken: whether an equal realization has its record already, so that what is at the place belongs to it.

    Returns:
        Whether they were moved; else there were equal ones already, and ours are where they were.

    Raises:
        OSError: the system refused.
        StoreError: the same, in the artifacts.
    """
    moved = _put(sealed.workspace, payload)
    if not moved and not (is_taken() or _is_whole(payload, sealed.record)):
        _make_way(sealed.workspace, payload)
        moved = _put(sealed.workspace, payload)
    if sealed.workspace.has_out or not moved:
        seal_top(payload)
    return moved


def _put(workspace: Workspace, place: str) -> bool:
    """Move the artifacts to their place; False if something is there. Where there can be none, make it, sealed."""
    if workspace.has_out:
        return _move(workspace, workspace.out, place)
    try:
        changes.make_directory(place, _SEALED)
    except FileExistsError:
        return False
    return True


def _move(workspace: Workspace, directory: str, place: str) -> bool:
    """Move a directory to its place, where an empty one, a link or a file gives way; False if there is another one."""
    try:
        try:
            changes.move(directory, place)
        except NotADirectoryError:
            _make_way(workspace, place)
            changes.move(directory, place)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True


def _make_way(workspace: Workspace, place: str) -> None:
    """Take away what is in the way; of a link the link, and not what it leads to."""
    replaced = f"{workspace.notes}.replaced"
    with contextlib.suppress(FileNotFoundError):
        set_aside(place, replaced)
    remove_quietly(replaced)


def bring_back(sealed: Sealed, payload: str, sync: Callable[[], None]) -> bool:
    """Move artifacts to where a visible record misses them: sealed and lasting before anybody can see them.

    An ordinary user can move a sealed directory only within the one it is in, so that is done in two steps.

    Args:
        sealed: what was made.
        payload: where the artifacts shall be.
        sync: makes all that was written so far outlast a loss of power.

    Returns:
        Whether they were moved; else somebody else was faster.

    Raises:
        OSError: the system refused.
        StoreError: the same, in the artifacts.
    """
    beside = beside_of(payload)
    try:
        _put(sealed.workspace, beside)
        seal_top(beside)
        sync()
        moved = _move(sealed.workspace, beside, payload)
    except BaseException:
        remove_quietly(beside)
        raise
    if not moved:
        remove_quietly(beside)
    return moved


def write_notes(sealed: Sealed, run: Run) -> None:
    """Write what will stand in the record's directory; the log is there already, if there is one.

    Raises:
        OSError: the system refused.
    """
    workspace, record = sealed.workspace, sealed.record
    _write_anew(f"{workspace.notes}/record.json", record_bytes(record, run.context.hash))
    _write_anew(f"{workspace.log.removesuffix('.log')}.json", run_bytes(run))


def _write_anew(path: str, data: bytes) -> None:
    """Write a file in a workspace; one that an attempt has left, which the system cut short, is replaced."""
    try:
        write_new(path, data)
    except FileExistsError:
        changes.remove_file(path)
        write_new(path, data)


def close_log(workspace: Workspace) -> str | None:
    """Make the log of a run that has ended read-only; its name, None if nothing was written, or it is no file."""
    try:
        mode = os.lstat(workspace.log).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        return None
    changes.set_mode(workspace.log, mode & 0o444)
    return os.path.basename(workspace.log)


def publish(sealed: Sealed, place: str) -> bool:
    """Make the record visible; an equal realization that is there gets the run.

    Returns:
        Whether the record is new, and nothing of the notes is left in the workspace.

    Raises:
        OSError: the system refused.
    """
    if _move(sealed.workspace, sealed.workspace.notes, place):
        return True
    _mend_record(sealed.workspace, sealed.record, place)
    _add_run(sealed.workspace, place)
    return False


def publish_all(sealed: Sealed, place: str) -> bool:
    """As `publish`, with any number of runs and contexts: an equal realization that is there gets those it lacks.

    Returns:
        Whether the record is new.

    Raises:
        OSError: the system refused.
    """
    notes = sealed.workspace.notes
    if _move(sealed.workspace, notes, place):
        return True
    _mend_record(sealed.workspace, sealed.record, place)
    names = [name for name in os.listdir(notes) if name.startswith(("run-", "context-", "signed-"))]
    for name in sorted(names, key=lambda name: (name.endswith(".json"), name)):  # a log before the run that names it
        if not os.path.lexists(f"{place}/{name}"):
            changes.move(f"{notes}/{name}", f"{place}/{name}")
    return False


def _is_whole(payload: str, record: Record) -> bool:
    """Whether artifacts that a crash left before their record, or that another process has just put there, are ours."""
    try:
        return hash_tree(payload).digest == record.tree
    except (StoreError, OSError):
        return False


def set_aside_unless_whole(payload: str, record: Record, aside: str) -> None:
    """Take away artifacts that would become those of a record, and are not; OSError as it comes."""
    if os.path.lexists(payload) and not _is_whole(payload, record):
        with contextlib.suppress(FileNotFoundError):
            set_aside(payload, aside)
        remove_quietly(aside)


def is_registered(place: str, record: Record) -> bool:
    """Whether a record is there and readable."""
    path = f"{place}/record.json"
    try:
        parse_record(path, read_small(path), record.ref.digits, record.home)
    except (DamageError, OSError):
        return False
    return True


def _mend_record(workspace: Workspace, record: Record, place: str) -> None:
    """Put ours in the place of a record that is damaged, or lost; and in that of a manifest that is lost."""
    damaged = not is_registered(place, record)
    if record.tree != EMPTY and (damaged or not os.path.lexists(f"{place}/manifest.jsonl")):
        _replace(workspace, place, "manifest.jsonl")
    if damaged:
        _replace(workspace, place, "record.json")


def _replace(workspace: Workspace, place: str, name: str) -> None:
    """Put our note in the place of another one, whatever that is."""
    with contextlib.suppress(FileNotFoundError):
        changes.move(f"{place}/{name}", f"{workspace.notes}/damaged-{name}")
    changes.replace(f"{workspace.notes}/{name}", f"{place}/{name}")


def _add_run(workspace: Workspace, place: str) -> None:
    """Give the run of an equal result to the realization that is there; the log before the run that names it."""
    stem = os.path.basename(workspace.log).removesuffix(".log")
    with contextlib.suppress(FileNotFoundError):
        changes.move(workspace.log, f"{place}/{stem}.log")
    changes.move(f"{workspace.notes}/{stem}.json", f"{place}/{stem}.json")


def remove_quietly(path: str) -> None:
    """Remove something from `tmp/`. What cannot be removed stays there, where nobody looks."""
    with contextlib.suppress(StoreError):
        remove_tree(path)
