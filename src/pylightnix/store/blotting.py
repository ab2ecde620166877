"""Keeps secrets out of what a run left in its workspace, before any of it goes elsewhere. Unaware of whose they are.

A file with a secret is removed, and one that cannot be looked into goes with all that is around it. A log loses its
secrets at once: its name is taken away before it is written anew.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pylightnix.errors import StoreError
from pylightnix.model.hidden import Hidden, blotted, blotted_in, found_in, longest
from pylightnix.model.keeping import Workspace
from pylightnix.names import printable
from pylightnix.store import changes
from pylightnix.store.files import NO_LINK, NewFile
from pylightnix.store.removal import remove_tree

_CHUNK = 1 << 20


def blot(workspace: Workspace, hidden: Sequence[Hidden]) -> str:
    """Leave no secret in a workspace; what of the artifacts had one, in words: empty if nothing had."""
    if not hidden:
        return ""
    given_away = ""
    for place in (workspace.log, workspace.out, workspace.scratch, workspace.checkpoint):
        try:
            found = _blot_log(place, hidden) if place == workspace.log else _clean(place, hidden)
        except (OSError, StoreError) as error:
            with contextlib.suppress(OSError, StoreError):
                remove_tree(place)
            what = error.what if isinstance(error, StoreError) else error.strerror or str(error)
            found = f"nobody can see whether a secret is in it: {printable(what)}"
        if place in (workspace.log, workspace.out):
            given_away = given_away or found
    return given_away


def _blot_log(path: str, hidden: Sequence[Hidden]) -> str:
    if not os.path.lexists(path):
        return ""
    with open(os.open(path, os.O_RDONLY | NO_LINK), "rb") as file:
        if not _in_open(file, hidden):
            return ""
        file.seek(0)
        changes.remove_file(path)
        with NewFile(path, stat.S_IMODE(os.fstat(file.fileno()).st_mode)) as new:
            for portion in blotted_in(_portions(file), hidden):
                new.write(portion)
    return ""


def _clean(place: str, hidden: Sequence[Hidden]) -> str:
    """Remove what has a secret in it, or in its name; what the first one was, in words."""
    first = ""
    for path, name in list(_with_secrets(place, hidden)):
        remove_tree(path)
        where = blotted(os.fsencode(os.path.relpath(path, place)), hidden)
        first = first or f"{printable(os.fsdecode(where))} has the secret {name} in it"
    return first


def _with_secrets(place: str, hidden: Sequence[Hidden]) -> Iterator[tuple[str, str]]:
    if os.path.islink(place):  # a builder has put it there: where it leads is nothing of ours
        if name := _in_file(place, hidden):
            yield place, name
        return
    for folder, below, files in os.walk(place, onerror=_raise) if os.path.isdir(place) else ():
        for inner in [*below, *files]:
            path = f"{folder}/{inner}"
            _let_us(path, stat.S_IRWXU if inner in below else 0)
            if name := found_in(os.fsencode(inner), hidden) or _in_file(path, hidden):
                yield path, name


def _raise(error: OSError) -> None:
    raise error


def _let_us(path: str, rights: int) -> None:
    """A builder may have locked itself out; we need not stay out."""
    mode = os.lstat(path).st_mode
    if not stat.S_ISLNK(mode) and mode & rights != rights:
        changes.set_mode(path, stat.S_IMODE(mode) | rights)


def _in_file(path: str, hidden: Sequence[Hidden]) -> str:
    kind = os.lstat(path).st_mode
    if stat.S_ISLNK(kind):
        return found_in(os.fsencode(os.readlink(path)), hidden)
    if not stat.S_ISREG(kind):
        return ""
    _let_us(path, stat.S_IRUSR)
    with open(path, "rb") as file:
        return _in_open(file, hidden)


def _in_open(file: BinaryIO, hidden: Sequence[Hidden]) -> str:
    before = b""
    for data in _portions(file):
        if name := found_in(before + data, hidden):
            return name
        before = (before + data)[-longest(hidden) :]
    return ""


def _portions(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        yield data
