"""Checkpoints: directories that builders leave to a later attempt of the same key. Unaware of what is in them.

Each has one holder, and its name says who: `<key>-<run>-<place>-<id>`. The place is a machine and the process numbers
on it, the id begins with one. A holder that gives its checkpoint up, because its run failed, puts `left` for the place.
Every change of holder is one rename, so there are never two.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import stat

from pylightnix.errors import StoreError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.names import KeyRef
from pylightnix.store import changes
from pylightnix.store.aside import remove_apart
from pylightnix.store.files import ID, read_start

_LEFT = "left"
FORM = re.compile(rf"[0-9a-f]{{{DIGITS}}}-(?P<run>[0-9]{{1,9}})-(?P<place>{_LEFT}|[0-9a-f]{{8}})-{ID.pattern}")
"""The name of a checkpoint."""


def take(directory: str, home: KeyRef, run: int, unique: str, *, look: bool = True) -> str:
    """The path of the checkpoint of a run, with what an earlier attempt left in it; else nothing is there yet.

    Args:
        directory: where all checkpoints of the store are.
        home: the key.
        run: index of the run.
        unique: the id of its workspace.
        look: whether there may have been an earlier attempt.
    """
    ours = f"{directory}/{home.digits}-{run}-{place()}-{unique}"
    for name in _of_the_dead(directory, home, run) if look else ():
        with contextlib.suppress(OSError):  # somebody else was faster, or it is not ours to take
            if _is_usable(f"{directory}/{name}"):
                changes.move(f"{directory}/{name}", ours)
                break
    return ours


def _of_the_dead(directory: str, home: KeyRef, run: int) -> list[str]:
    """The checkpoints of this key that nobody holds: first that of this run, then that of the newest."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = [form for name in names if name.startswith(home.digits) and (form := FORM.fullmatch(name))]
    dead = [form for form in found if is_dead(form)]

    def rank(form: re.Match[str]) -> tuple[bool, int, str]:
        return int(form["run"]) == run, int(form["run"]), form.string

    return [form.string for form in sorted(dead, key=rank, reverse=True)]


def is_dead(form: re.Match[str]) -> bool:
    """Whether its holder gave it up, or was a process of this machine that is not there any more."""
    return form["place"] == _LEFT or (form["place"] == place() and not is_alive(int(form[3])))


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has this number, as far as the system tells."""
    if os.name != "posix":
        return True  # signal 0 means something else there, so nobody is known to be dead
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_usable(path: str) -> bool:
    return stat.S_ISDIR(os.lstat(path).st_mode) and os.access(path, os.R_OK | os.W_OK | os.X_OK)


@functools.cache
def place() -> str:
    """Tells machines apart, and containers on one machine that number their processes on their own."""
    words = [os.uname().nodename.encode() if hasattr(os, "uname") else b""]
    with contextlib.suppress(OSError):
        words.append(read_start("/etc/machine-id", 64))
    with contextlib.suppress(OSError):
        words.append(os.fsencode(os.readlink("/proc/self/ns/pid")))
    return digest_bytes(b"\0".join(words))[:8]


def leave(path: str) -> None:
    """Give a checkpoint up, so that the next attempt gets it; nothing happens where there is none."""
    above, name = os.path.split(path)
    form = FORM.fullmatch(name)
    if form is not None:
        start, end = form.span("place")
        with contextlib.suppress(OSError):
            changes.move(path, f"{above}/{name[:start]}{_LEFT}{name[end:]}")


def drop(path: str) -> None:
    """Remove the checkpoint of a run that succeeded; what cannot be removed is left to the next run."""
    if os.path.lexists(path):
        tmp = os.path.dirname(os.path.dirname(path))
        with contextlib.suppress(OSError, StoreError):
            remove_apart(path, tmp)  # who dies before the end of that leaves no part of one to the next attempt
