"""Looks at the artifacts of a realization, once, and says what is wrong with them. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

from pylightnix.errors import StoreError
from pylightnix.model.records import PromiseRecord, Record
from pylightnix.store.filehash import go_on, hash_file
from pylightnix.store.files import open_plain
from pylightnix.store.manifests import EMPTY, Entry, read_manifest
from pylightnix.store.sealing import Walk
from pylightnix.store.trees import NEVER, Tree, describe, hash_tree, tree_of
from pylightnix.store.verification.findings import Kind
from pylightnix.store.verification.newer import newer_manifest
from pylightnix.store.verification.refusals import BarredError, damage, status

MOST_NAMED = 20
"""Artifacts of one realization that are named each; of more the number is told."""


class Seen(NamedTuple):
    """Something that is wrong: its kind, at which path below the artifacts, and what."""

    kind: Kind
    path: str
    what: str


def check_artifacts(top: str, manifest: str, record: Record, between: Callable[[], None] = go_on) -> Iterator[Seen]:
    """What is wrong with the artifacts below `top`, and with their manifest. Nothing is where there are none.

    `between` is as in `hash_tree`.

    Raises:
        BarredError: something but the artifacts themselves may not be read.
        StoreError: the system is at fault.
    """
    writable: list[str] = []
    there = status(top)
    if there is None:
        if what := wrong_manifest(manifest, record):
            yield _of_manifest(manifest, what)
        return
    try:
        tree = _hash(top, record, writable, between)
    except StoreError as error:
        yield from _unread(top, error)
        return
    if there.st_mode & NEVER:
        writable.insert(0, "")
    for path in writable[:MOST_NAMED]:
        yield Seen(Kind.MODE, path, _loose(os.path.join(top, path)))
    if len(writable) > MOST_NAMED:
        yield Seen(Kind.MODE, "", f"and {len(writable) - MOST_NAMED} more may be written to, or have a special bit")
    yield from _compare(top, manifest, record, tree, between)


def check_kept(top: str, record: Record) -> Iterator[Seen]:
    """What is wrong with the promised files that a collection kept below `top`. Raises as `check_artifacts` does."""
    if status(top) is None:
        return
    promised = {os.fsencode(one.path): one for one in record.promises.values() if one.kind == "file"}
    try:
        with closing((walk := Walk(top)).steps()) as steps:
            for kind, path, name in steps:
                promise = promised.get(path)
                if kind in ("directory", "left"):
                    continue
                if promise is None or kind != "file":
                    yield Seen(Kind.KEPT, os.fsdecode(path), f"this {kind} does not belong here")
                elif not _is_promised(describe(walk, kind, path, name), promise):
                    yield Seen(Kind.KEPT, os.fsdecode(path), "its bytes were changed")
    except StoreError as error:
        yield Seen(Kind.KEPT, "", damage(top, error))


def _is_promised(entry: Entry, promise: PromiseRecord) -> bool:
    """Whether it has the hash of the promise; a copy that was kept does not say whether it was executable."""
    either = [tree_of([entry._replace(executable=bit)], [promise.path]) for bit in (False, True)]
    return promise.tree in [tree.artifacts[promise.path].digest for tree in either]


def _loose(path: str) -> str:
    """What is wrong with a mode."""
    there = status(path)
    special = there is not None and not there.st_mode & 0o222
    return "it is setuid, setgid or sticky" if special else "somebody may write to it"


def _unread(top: str, error: StoreError) -> Iterator[Seen]:
    """What is wrong where the artifacts could not be read to their end."""
    try:
        what = damage(top, error)
    except BarredError as barred:
        for path in _barred(top) or [""]:
            yield Seen(Kind.RIGHTS, path, barred.what)
    else:
        yield Seen(Kind.ARTIFACTS, "", f"{error.where}: {what}" if error.where else what)


def _barred(top: str) -> list[str]:
    """What we may not read below a directory, or itself; not all, where there is much."""
    found: list[str] = []
    waiting = [""]
    while waiting and len(found) < MOST_NAMED:
        inner = waiting.pop()
        path = os.path.join(top, inner)
        if os.path.islink(path):
            continue
        if not os.access(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)):
            found.append(inner)
        elif os.path.isdir(path):
            waiting += [os.path.join(inner, name) for name in sorted(os.listdir(path), reverse=True)]
    return found


def _hash(top: str, record: Record, writable: list[str], between: Callable[[], None]) -> Tree:
    """All hashes from one pass; a second one only where a promise is not there, which is damage."""
    try:
        return hash_tree(top, [kept.path for kept in record.promises.values()], writable=writable, between=between)
    except StoreError as error:
        if "path" not in error.fields:
            raise
    writable.clear()
    return hash_tree(top, (), writable=writable, between=between)


def _compare(top: str, manifest: str, record: Record, tree: Tree, between: Callable[[], None]) -> Iterator[Seen]:
    if tree.digest == record.tree:
        if tree.digest != EMPTY and not _is_of(manifest, tree):
            yield _of_manifest(manifest, wrong_manifest(manifest, record) or "it was changed meanwhile")
        yield from _misinformed(record, tree)
        return
    try:
        entries = list(read_manifest(manifest, record.tree))
    except (StoreError, OSError) as error:
        damage(manifest, error)
        yield _of_manifest(manifest, wrong_manifest(manifest, record) or "it was changed meanwhile")
        yield Seen(Kind.ARTIFACTS, "", "something was changed; what it was, only the manifest knew")
        return
    try:
        found = differences(top, entries, between)
    except StoreError as error:
        yield from _unread(top, error)
        return
    for name, wanted, there in found[:MOST_NAMED]:
        yield Seen(Kind.ARTIFACTS, os.fsdecode(name), _difference(wanted, there))
    if len(found) > MOST_NAMED:
        yield Seen(Kind.ARTIFACTS, "", f"and {len(found) - MOST_NAMED} more differ")


def _of_manifest(path: str, what: str) -> Seen:
    said = newer_manifest(path)
    return Seen(Kind.NEWER, "", said) if said else Seen(Kind.MANIFEST, "", what)


def _is_of(path: str, tree: Tree) -> bool:
    """Whether a manifest is that of artifacts that were hashed just now: then its bytes are, so no line is parsed."""
    try:
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            return size == tree.lines and hash_file(file.fileno(), size) == tree.digest
    except (OSError, StoreError) as error:
        damage(path, error)
        return False


def _misinformed(record: Record, tree: Tree) -> Iterator[Seen]:
    """The record's own hash does not cover what it says of promises and sizes."""
    for name, kept in record.promises.items():
        if tree.artifacts.get(kept.path) != (kept.kind, kept.tree):
            yield Seen(Kind.RECORD, "", f"what it says of the promise {name!r} is not so")
    if (record.size, record.files) != (tree.size, tree.files):
        yield Seen(
            Kind.RECORD,
            "",
            f"it says {record.files} files of {record.size} bytes; there are {tree.files} of {tree.size}",
        )


Difference = tuple[bytes, Entry | None, Entry | None]
"""A path, what should be there, and what is."""


def differences(top: str, manifest: list[Entry], between: Callable[[], None] = go_on) -> list[Difference]:
    """What differs from a manifest, in byte order of the paths. `between` is as in `hash_tree`."""
    wanted = {entry.name: entry for entry in manifest}
    with closing((walk := Walk(top)).steps()) as steps:
        there = {path: describe(walk, kind, path, name, None, between) for kind, path, name in steps if kind != "left"}
    names = sorted(wanted.keys() | there.keys())
    return [(name, wanted.get(name), there.get(name)) for name in names if wanted.get(name) != there.get(name)]


def wrong_manifest(path: str, record: Record) -> str:
    """What is wrong with a manifest; empty if nothing is. Raises as `damage` does."""
    try:
        for _ in read_manifest(path, record.tree):
            pass
    except FileNotFoundError:
        return "it is not there"
    except (StoreError, OSError) as error:
        return damage(path, error)
    return ""


def _difference(wanted: Entry | None, there: Entry | None) -> str:
    if there is None:
        return "it is not there"
    if wanted is None:
        return f"this {there.kind} does not belong here"
    if wanted.kind != there.kind:
        return f"it was a {wanted.kind} and is a {there.kind}"
    if wanted.target != there.target:
        return f"the link led to {os.fsdecode(wanted.target)!r} and leads to {os.fsdecode(there.target)!r}"
    if wanted.size != there.size:
        return f"it had {wanted.size} bytes and has {there.size}"
    if wanted.hash != there.hash:
        return "its bytes were changed"
    return f"it was {'' if wanted.executable else 'not '}executable and is{' not' if wanted.executable else ''}"
