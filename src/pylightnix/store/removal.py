"""Removes trees, sealed or not, by descriptors: never through a link. Unaware of why something goes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path

from pylightnix.errors import StoreError
from pylightnix.store import changes
from pylightnix.store.sealing import Walk, failed

_NO_DIRECTORY = (errno.ENOTDIR, errno.ELOOP)


def remove_tree(path: Path | str, but: Collection[bytes] = ()) -> None:
    """Remove a file, a link or a whole directory, sealed or not; nothing happens if it is not there.

    Args:
        path: of it.
        but: relative paths of files in it that stay, with the directories that they are in.

    Raises:
        StoreError: something cannot be removed; what came before it is gone.
    """
    vanished = ""
    while True:
        try:
            _remove(path, but)
            return
        except StoreError as error:
            # Somebody else removes the same tree: begin again, unless there is no progress.
            if error.fields.get("errno") != errno.ENOENT:
                raise
            if not os.path.lexists(path):
                return
            if error.where == vanished:
                raise
            vanished = error.where


def _remove(path: Path | str, but: Collection[bytes]) -> None:
    walk = Walk(path, unlock=0o500)
    place: bytes | str | Path = path
    try:
        with closing(walk.steps()) as steps:
            for kind, inner, name in steps:
                place = inner
                if kind == "left":
                    if not any(one.startswith(inner + b"/") for one in but):
                        _remove_from(walk, name, changes.remove_directory)
                elif kind != "directory" and inner not in but:
                    _remove_from(walk, name, changes.remove_file)
        place = path
        if not but:
            changes.remove_directory(path)
    except OSError as error:
        raise failed(walk.where(place) if isinstance(place, bytes) else place, error) from error
    except StoreError as error:
        if walk.fd >= 0 or error.fields.get("errno") not in _NO_DIRECTORY:
            raise
        _remove_one(path)


def _remove_one(path: Path | str) -> None:
    try:
        changes.remove_file(path)
    except OSError as error:
        raise failed(path, error) from error


def _remove_from(walk: Walk, name: bytes, remove: Callable[..., None]) -> None:
    """Remove what the current directory of a walk has, which root may though it is sealed, and others may not."""
    try:
        try:
            remove(name, above=walk.fd)
        except PermissionError:
            if not walk.let_change():
                raise
            remove(name, above=walk.fd)
    except FileNotFoundError:
        pass
