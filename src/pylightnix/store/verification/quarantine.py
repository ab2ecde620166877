"""Where damaged things go: each under `quarantine/`, at the path that it had in the store, with what was wrong.

Nothing in quarantine is ever read as a result. People may look at it, put it back, or delete it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable

from pylightnix.clock import now, stamp
from pylightnix.errors import StoreError
from pylightnix.hashing import kind_tag
from pylightnix.store import changes
from pylightnix.store.aside import set_aside
from pylightnix.store.files import fresh_id, write_new
from pylightnix.store.layout import Layout, writing
from pylightnix.store.removal import remove_tree
from pylightnix.store.verification.findings import Finding

NOTE = "damage.json"
"""Says what was wrong with what lies beside it."""


class Replaced(Exception):  # noqa: N818
    """Somebody else put another thing where the damaged one was: there is nothing to do here."""


def look(layout: Layout, inside: str) -> tuple[int, int] | None:
    """Tells what stands at a path in the store now from what may stand there later; None if nothing does."""
    return _inode(f"{layout.root}/{inside}")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    return status.st_dev, status.st_ino


def quarantine(layout: Layout, inside: str, findings: Iterable[Finding], seen: tuple[int, int] | None) -> str:
    """Move something away, whatever it is, by one rename; a link is moved and not what it leads to.

    Args:
        layout: of the store.
        inside: its path below the store.
        findings: what is wrong with it.
        seen: what `look` gave before it was found to be damaged.

    Returns:
        Its new path below the store.

    Raises:
        Replaced: it is not there, or something else is.
        StoreError: the store cannot be written.
    """
    place = f"quarantine/{stamp(now())}-{fresh_id()}"
    target = f"{layout.root}/{place}/{inside}"
    if seen is None or look(layout, inside) != seen:
        raise Replaced
    try:
        with writing(target):
            changes.make_directories(os.path.dirname(target))
            write_new(f"{layout.root}/{place}/{NOTE}", _note(inside, findings))
            try:  # somebody may have mended it between our look and our move
                moved = set_aside(f"{layout.root}/{inside}", target, lambda path: _inode(path) == seen)
            except FileNotFoundError:
                moved = False
    finally:
        if not os.path.lexists(target):  # a note of what is not there would be looked at in vain
            with contextlib.suppress(OSError, StoreError):
                remove_tree(f"{layout.root}/{place}")
    if not moved:
        raise Replaced
    return f"{place}/{inside}"


def _note(inside: str, findings: Iterable[Finding]) -> bytes:
    """Indented, since it is for people and nothing depends on it."""
    wrong = [{"kind": one.kind.value, "file": one.file, "what": one.what} for one in findings]
    document = {"pylightnix": kind_tag("quarantine"), "moved": inside, "findings": wrong}
    return json.dumps(document, indent=1).encode()
