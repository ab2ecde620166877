"""Brings back single things that follow from others: modes, manifests, marks, what a damaged run still says."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import stat
from collections.abc import Mapping
from contextlib import closing

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import digest_bytes
from pylightnix.model.records import Record
from pylightnix.store import changes
from pylightnix.store.documents import parse_run, run_bytes
from pylightnix.store.files import read_small, write_new, write_once
from pylightnix.store.layout import Layout, writing
from pylightnix.store.manifests import read_manifest
from pylightnix.store.reading import DAMAGED, Reader, is_run
from pylightnix.store.sealing import Walk, let_owner_read, open_file, reading_rights, seal_top
from pylightnix.store.trees import hash_tree
from pylightnix.store.verification.artifacts import differences
from pylightnix.store.verification.checking import is_file
from pylightnix.store.verification.refusals import damage, status

_CONTEXT = re.compile(rb'\{"context":(\{.*\}),"duration":', re.DOTALL)
"""How a run's document begins: its keys are sorted."""


def write(layout: Layout, inside: str, data: bytes) -> None:
    """Write a document in one step; what may stand there was moved away before."""
    path = f"{layout.root}/{inside}"
    with writing(path):
        write_once(layout.tmp, path, data)


def mark(layout: Layout, inside: str) -> None:
    """Make an empty file, if it is not there."""
    path = f"{layout.root}/{inside}"
    with writing(path), contextlib.suppress(FileExistsError):
        write_new(path, b"")


def mark_damaged(layout: Layout, inside: str) -> None:
    """Note beside a record that nothing tells any more which runs made it, as far as names tell that."""
    path = f"{layout.root}/{inside}"
    try:
        indices = {int(name.split("-")[1]) for name in os.listdir(path) if is_run(name)}
    except OSError:
        indices = set()
    with writing(path):
        write_once(layout.tmp, f"{path}{DAMAGED}", " ".join(map(str, sorted(indices))).encode())


def seal(layout: Layout, inside: str) -> None:
    """Make artifacts read-only, from within to the top; a file with a name elsewhere too becomes a copy."""
    hash_tree(f"{layout.root}/{inside}", seal=True)
    seal_top(f"{layout.root}/{inside}")


def let_read(path: str) -> bool:
    """Give the owner the right to read something, a directory also to enter it; whether we may do so then."""
    there = status(path)
    if there is None:
        return False
    owner = 0o500 if stat.S_ISDIR(there.st_mode) else 0o400
    try:
        let_owner_read(path, None, owner)
    except OSError:
        return False
    return os.access(path, os.R_OK | (os.X_OK if owner & 0o100 else 0))


def executable_bits(layout: Layout, reader: Reader, record: Record) -> bool:
    """Set what can be executed as the manifest has it, if nothing else was changed; whether that was so."""
    top = f"{layout.store}/{record.ref}"
    try:
        found = differences(top, list(read_manifest(f"{reader.place(record)}/manifest.jsonl", record.tree)))
    except (StoreError, OSError) as error:
        damage(top, error)
        return False
    wanted = {name: entry.executable for name, entry, there in found if entry is not None and there is not None
              and entry == there._replace(executable=entry.executable)}  # fmt: skip
    if len(wanted) < len(found):
        return False
    with writing(top):
        _set_executable(top, wanted)
    return True


def _set_executable(top: str, wanted: Mapping[bytes, bool]) -> None:
    rights = reading_rights(os.lstat(top))
    with closing((walk := Walk(top)).steps()) as steps:
        for kind, path, name in steps:
            if kind == "file" and path in wanted:
                handle, _ = open_file(name, walk.fd, None)
                try:
                    changes.set_mode_of(handle, (0o555 if wanted[path] else 0o444) & rights)
                finally:
                    os.close(handle)


def manifest(layout: Layout, record: Record) -> bytes | None:
    """The manifest of artifacts, None if they are not there or not those of the record."""
    lines = io.BytesIO()
    top = f"{layout.store}/{record.ref}"
    try:
        found = hash_tree(top, (), lines)
    except (StoreError, OSError) as error:
        damage(top, error)
        return None
    return lines.getvalue() if found.digest == record.tree else None


def run_without_log(layout: Layout, inside: str) -> bytes | None:
    """The document of a run, but for its log that is lost; None if that is not what is wrong with it."""
    path = f"{layout.root}/{inside}"
    try:
        run = parse_run(path, read_small(path))
    except (DamageError, OSError) as error:
        damage(path, error)
        return None
    lost = run.log is not None and not is_file(f"{os.path.dirname(path)}/{run.log}")
    return run_bytes(dataclasses.replace(run, log=None)) if lost else None


def context_in_run(layout: Layout, inside: str, made_in: str) -> bytes | None:
    """The context of this hash, out of the document of a run that cannot be read; None if it is not there whole."""
    path = f"{layout.root}/{inside}"
    try:
        found = _CONTEXT.match(read_small(path))
    except (DamageError, OSError) as error:
        damage(path, error)
        return None
    return found[1] if found is not None and digest_bytes(found[1]) == made_in else None
