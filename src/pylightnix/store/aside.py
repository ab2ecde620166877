"""Moves a directory of the store to where nobody looks, sealed or not, such that nobody sees it half-way."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

from pylightnix.errors import StoreError
from pylightnix.names import is_reference
from pylightnix.store import changes
from pylightnix.store.files import ID, fresh_id
from pylightnix.store.layout import Layout
from pylightnix.store.removal import remove_tree
from pylightnix.store.sealing import seal_top


def set_aside(source: str, target: str, is_meant: Callable[[str], bool] = lambda _: True) -> bool:
    """Move what is at `source` to another place of the store.

    An ordinary user can move a sealed directory only where it stands: there it gets another name first, under which
    nobody looks, and then the rights. So whatever stands under its own name is sealed at any moment, also what somebody
    else has just put there.

    Args:
        source: a path in the store.
        target: where it goes.
        is_meant: whether what was moved, at this path now, is what was meant; else it is moved back as it was.

    Returns:
        Whether it was.

    Raises:
        OSError: as it comes.
    """
    try:
        changes.move(source, target)
        moved = target
    except PermissionError:
        moved = beside_of(source)
        changes.move(source, moved)
    if not is_meant(moved):
        with contextlib.suppress(OSError):  # else it was put there once more
            changes.move(moved, source)
        return False
    if moved != target:
        try:
            changes.set_mode(moved, stat.S_IMODE(os.lstat(moved).st_mode) | stat.S_IRWXU)
            changes.move(moved, target)
        except BaseException:  # it is somebody else's, perhaps
            with contextlib.suppress(OSError, StoreError):
                seal_top(moved)
            with contextlib.suppress(OSError):
                changes.move(moved, source)
            raise
    return True


def remove_apart(path: str, tmp: str) -> None:
    """Remove what somebody may take from where it is at any moment: first it goes to where nobody looks.

    Else who takes it gets what is left of it, also long after whoever was removing it was killed.

    Args:
        path: of it.
        tmp: the directory `tmp/` of the store.

    Raises:
        OSError: it cannot be moved away, such as FileNotFoundError if somebody took it; nothing was removed.
        StoreError: something of it cannot be removed, and lies in `tmp/`.
    """
    away = f"{tmp}/{fresh_id()}"
    set_aside(path, away)
    remove_tree(away)


def beside_of(path: str) -> str:
    """A path beside this one that nobody else has, and under which nobody looks; it tells whose it is."""
    return f"{path}@{fresh_id()}"


def beside(layout: Layout) -> Iterator[tuple[str, str]]:
    """What stands beside artifacts so: each path, and the part of it that tells whose it is."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(layout.store):
            ref, at, unique = name.partition("@")
            if at and is_reference(ref) and ID.fullmatch(unique):
                yield f"{layout.store}/{name}", unique
