"""Tells people for whom they wait where somebody has a lock: which process, as the system shows it, once for each.

Holders write nothing for this, so passing a lock costs nothing. Unaware of what a lock is for.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

from pylightnix.clock import iso, now
from pylightnix.model.claiming import Holder
from pylightnix.names import printable
from pylightnix.store.claims import host_name
from pylightnix.store.files import ID
from pylightnix.store.locks import is_free

PATIENCE = 1.0
"""Seconds of waiting that nobody is told of: a lock is held for a moment."""

_LOCKS = "/proc/locks"
_SHOWN = 60
"""Characters of a word of a command that is shown; a longer one is code, or data."""


def say(line: str) -> None:
    """Write a line to the standard error of the moment; a reader that is gone must not end the work."""
    with contextlib.suppress(OSError, ValueError, LookupError, AttributeError):
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        sys.stderr.write(f"{printable(line).encode(encoding, 'backslashreplace').decode(encoding)}\n")
        sys.stderr.flush()


class Awaited:
    """Gives the time in which a lock is waited for; whoever waits long in it is told.

    Args:
        path: of the file of the lock.
        directory: the `locks/` of its store.
        tell: is given the line, from another thread.
    """

    def __init__(self, path: str, directory: str, tell: Callable[[str], None] = say) -> None:
        self._path = path
        self._directory = directory
        self._tell = tell
        self._told: set[tuple[str, int]] = set()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Inside, the lock is waited for."""
        timer = threading.Timer(PATIENCE, self._look)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _look(self) -> None:
        """Tell of those who have the lock at this moment and were not told of yet."""
        here = holders_of(self._path)
        who = here or present(self._directory)
        new = [one for one in who if (one.host, one.process) not in self._told]
        if not new and (who or self._told):
            return
        self._told.update((one.host, one.process) for one in new)
        self._told.add(("", 0))
        text = ", ".join(f"{one} ({one.stage})" if one.stage else str(one) for one in new)
        one_of = "" if here else "one of " if len(new) > 1 else ""
        whom = f"{one_of}{text}" if text else "a process that this machine does not show"
        self._tell(f"{'wait':<8} {os.path.dirname(self._directory)}  is being used by {whom}")


def holders_of(path: str) -> list[Holder]:
    """The processes of this machine that have the lock of a file; none where the system does not say.

    What `stage` says is which program it is, and `since` is the moment in which that began.
    """
    try:
        there = os.stat(path)
        with open(_LOCKS, encoding="ascii", errors="replace") as file:
            held = [_parse(line) for line in file]
    except OSError:
        return []
    # Some file systems number their device for `stat` in another way than the table does.
    mine = [(device, process) for inode, device, process in filter(None, held) if inode == there.st_ino]
    exact = [process for device, process in mine if device == (os.major(there.st_dev), os.minor(there.st_dev))]
    found = exact or [process for _, process in mine]
    return [Holder(host_name(), process, _program(process), _began(process)) for process in dict.fromkeys(found)]


def _parse(line: str) -> tuple[int, tuple[int, int], int] | None:
    """Inode, device and process of a lock that is held; None of another line, such as that of who waits."""
    words = line.split()
    if len(words) < 6 or words[1] != "FLOCK":
        return None
    try:
        major, minor, inode = words[5].split(":")
        process = int(words[4])
        return (int(inode), (int(major, 16), int(minor, 16)), process) if process > 0 else None
    except ValueError:
        return None


def _program(process: int) -> str:
    """The first words of its command, without options: its arguments are its own affair."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            words = file.read(4096).decode("utf-8", "replace").rstrip("\0").split("\0")
    except OSError:
        return ""
    shown: list[str] = []
    for word in words:
        if word.startswith("-"):
            continue
        name = os.path.basename(word)
        if not name or len(name) > _SHOWN or any(mark in word for mark in (" ", "\n", "=", "://")):
            break
        shown.append(name)
    most = 3 if "pylightnix" in shown[:2] else 2
    return " ".join(shown[:most])


def _began(process: int) -> str:
    """When it began, in UTC; this moment if that is not known."""
    moment = now()
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
        moment -= time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return iso(moment)


def present(directory: str) -> list[Holder]:
    """Who uses the store on other machines: `since` is when they last noted anything.

    Args:
        directory: the `locks/` of the store.
    """
    found = []
    for name in _names(f"{directory}/held"):
        path = f"{directory}/held/{name}"
        host, _, unique = name.removesuffix(".lock").partition("@")
        form = ID.fullmatch(unique)
        if form is None or host == host_name():
            continue
        with contextlib.suppress(OSError):
            since = iso(os.lstat(path).st_mtime)
            if not is_free(path):
                found.append(Holder(host, int(form[1]), "", since))
    return sorted(found)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
