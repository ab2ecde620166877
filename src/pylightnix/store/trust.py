"""Who besides us could change what we read from a store. Looks at owners and modes; changes nothing.

Whoever can write into a store, or put another one in its place, decides what its results are.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from pylightnix.names import printable
from pylightnix.store.layout import Layout

_PLACES = ("", "derivations", "store", "records", "environments", "tmp", "cache", "locks", "roots")
_ROOT = 0
_told: set[str] = set()


class TrustWarning(UserWarning):
    """Others could change a store, and so what is taken for a result."""


class Doubt(NamedTuple):
    """One reason not to trust a store.

    Attributes:
        where: the file or directory.
        what: what is wrong with it.
        hint: what to do.
    """

    where: str
    what: str
    hint: str


def warn_of_doubts(layout: Layout) -> None:
    """Tell who could change a store; once for each store in a process."""
    if layout.root in _told:
        return
    _told.add(layout.root)
    for doubt in doubts(layout):
        warnings.warn(f"{doubt.where}: {doubt.what}; {doubt.hint}", category=TrustWarning, stacklevel=4)
        return


def doubts(layout: Layout) -> Iterator[Doubt]:
    """Everything that lets others than us and the administrator change a store, the store itself first."""
    if not hasattr(os, "geteuid"):
        return
    for name in _PLACES:
        yield from _of_place(f"{layout.root}/{name}".rstrip("/"))
    above = dict.fromkeys(parent for path in (layout.root, os.path.realpath(layout.root)) for parent in _parents(path))
    for path in above:
        yield from _of_parent(path)


def _parents(path: str) -> list[str]:
    parents = []
    while (above := os.path.dirname(path)) != path:
        parents.append(above)
        path = above
    return parents


def _of_place(path: str) -> Iterator[Doubt]:
    status = _status(path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return
    if status.st_uid not in (os.geteuid(), _ROOT):
        owner = _name(status.st_uid)
        yield Doubt(
            printable(path), f"it belongs to {owner}, who can change what is read from it",
            f"use it if you trust {owner}, else a store of your own",
        )  # fmt: skip
    if status.st_mode & stat.S_IWOTH:
        yield Doubt(printable(path), "everybody can write to it", f"chmod o-w {printable(path)}")


def _of_parent(path: str) -> Iterator[Doubt]:
    """Who can rename what is in a directory can put another store there; in a sticky one that is its owner alone."""
    status = _status(path)
    if status is None:
        return
    if status.st_uid not in (os.geteuid(), _ROOT) and status.st_uid != _nobody():
        yield Doubt(
            printable(path), f"it belongs to {_name(status.st_uid)}, who can put another store in the place of yours",
            "move the store to a directory of your own",
        )  # fmt: skip
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        yield Doubt(
            printable(path), "everybody can write to it, and put another store in the place of yours",
            f"chmod o-w {printable(path)}, or chmod +t",
        )  # fmt: skip


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _nobody() -> int:
    """The number that stands for users who have none here: in a container, the owner of what is outside of it."""
    with contextlib.suppress(OSError, ValueError), open("/proc/sys/kernel/overflowuid", encoding="utf-8") as file:
        return int(file.read())
    return 65534


def _name(uid: int) -> str:
    with contextlib.suppress(ImportError, KeyError):
        import pwd

        return f"{printable(pwd.getpwuid(uid).pw_name)} ({uid})"
    return f"user {uid}"
