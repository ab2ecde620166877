"""Verifies a store, or some of it: in parallel, with progress, and from where an earlier verify was stopped."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple, TypeVar

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.names import KeyRef, is_reference
from pylightnix.store import changes
from pylightnix.store.files import NO_LINK, read_small
from pylightnix.store.layout import Layout
from pylightnix.store.reading import Reader, unreadable
from pylightnix.store.verification.checking import (
    check_derivation,
    check_environment,
    check_home,
    check_realization,
    check_remotes,
)
from pylightnix.store.verification.findings import Finding, Kind, Outcome, Repair
from pylightnix.store.verification.needing import check_needed, check_roots
from pylightnix.store.verification.refusals import barred, is_barred

Progress = Callable[[int, int], None]
"""Is told how many of how many realizations were looked at."""

T = TypeVar("T")

_is_environment = re.compile(rf"[0-9a-f]{{{DIGITS}}}\.json").fullmatch

_NO_WAIT = NO_LINK | getattr(os, "O_NONBLOCK", 0)  # a fifo must not hang

_NOTED = 1.0
"""Seconds after which it is noted what was found to be sound."""


class Report(NamedTuple):
    """What verifying found.

    Attributes:
        findings: the damage that was found, by key.
        checked: realizations that were looked at.
        skipped: those that an earlier, interrupted verify had found to be sound.
        leftovers: names in `store/` that no record speaks of: nobody sees them, and a collection removes them.
        repairs: what was done about the damage, and about what came to light by that; empty where only looking was
            asked for.
    """

    findings: tuple[Finding, ...]
    checked: int
    skipped: int
    leftovers: tuple[str, ...]
    repairs: tuple[Repair, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether there was no damage."""
        return not self.findings

    @property
    def left(self) -> tuple[Finding, ...]:
        """The damage that is still there, as far as it is known; what came to light by a repair is part of it."""
        seen_to = {one.finding for one in self.repairs if one.outcome is not Outcome.LEFT}
        known = dict.fromkeys([*self.findings, *(one.finding for one in self.repairs)])
        return tuple(one for one in known if one not in seen_to)


def verify(
    reader: Reader,
    places: Iterable[tuple[KeyRef, str]] | None = None,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Report:
    """Look at every byte.

    Args:
        reader: of the store.
        places: which realizations, by key and digits; all, and all other documents too, if None.
        resume: leave out what a verify that was stopped had found to be sound.
        progress: is told how far it is.
        workers: threads; default: one for each processor. Big files use all of them anyway.

    Raises:
        StoreError: the store cannot be read.
    """
    layout = reader.layout
    told: list[Finding] = []
    asked = _everything(reader, told) if places is None else list(places)
    noted = _Noted(layout, resume=resume) if places is None else None
    known = noted.known if noted is not None else frozenset[str]()
    todo = [(home, digits) for home, digits in asked if _name(home, digits) not in known]
    findings: dict[tuple[KeyRef, str], list[Finding]] = {}
    try:
        for count, (place, found) in enumerate(_in_parallel(layout, todo, workers or os.cpu_count() or 1), 1):
            if found:
                findings[place] = found
            elif noted is not None:
                noted.add(_name(*place))
            if progress is not None:
                progress(count, len(todo))
    except BaseException:
        if noted is not None:
            noted.write()
        raise
    told += [finding for place in asked for finding in findings.get(place, ())]
    leftovers: tuple[str, ...] = ()
    if places is None:
        told += _documents(reader, told)
        told += [*check_needed(reader), *check_roots(reader)]
        leftovers = _leftovers(reader, told)
    if noted is not None:
        noted.finish()
    return Report(tuple(dict.fromkeys(told)), len(todo), len(asked) - len(todo), leftovers)


def _name(home: KeyRef, digits: str) -> str:
    return f"{home}/{digits}"


def _in_parallel(
    layout: Layout, todo: list[tuple[KeyRef, str]], workers: int
) -> Iterator[tuple[tuple[KeyRef, str], list[Finding]]]:
    """The findings of each, as they come; only a few are under way at a time."""
    waiting = iter(todo)
    stopped = threading.Event()

    def between() -> None:
        if stopped.is_set():
            raise _Stopped

    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        running: set[Future[_Checked]] = set()
        at_once = 1
        try:
            while True:
                while len(running) < 2 * workers and (places := list(itertools.islice(waiting, at_once))):
                    running.add(pool.submit(_check_all, layout, places, between))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    found, seconds = future.result()
                    yield from found
                    at_once = min(2 * at_once, _MOST_AT_ONCE) if seconds < _SHORT else max(at_once // 2, 1)
        finally:
            stopped.set()  # who interrupts does not wait for the end of what is read
            pool.shutdown(cancel_futures=True)


_SHORT = 0.02
_MOST_AT_ONCE = 64
"""A thread is given so many at once that they take so many seconds: to hand one over takes as long as a small one."""

_Checked = tuple[list[tuple[tuple[KeyRef, str], list[Finding]]], float]


_MOST_LOOKS = 20
"""At one realization that others change all the time."""


class _Stopped(Exception):  # noqa: N818
    """Nobody wants to know any more."""


def _check_all(layout: Layout, places: list[tuple[KeyRef, str]], between: Callable[[], None]) -> _Checked:
    """The findings of each, and how many seconds it took."""
    began = time.monotonic()
    found = [(place, _check(layout, *place, between)) for place in places]
    return found, time.monotonic() - began


def _check(layout: Layout, home: KeyRef, digits: str, between: Callable[[], None]) -> list[Finding]:
    """Look, and if something is wrong, look again: it may have been removed, or mended, while we looked.

    And again if what was looked at does not stand there any more: collected, and made again or put back meanwhile.
    """
    found = _look(layout, home, digits, between)
    for _ in range(_MOST_LOOKS if found else 0):
        before = _standing(layout, home, digits)
        found = _look(layout, home, digits, between)
        if not found or _standing(layout, home, digits) == before:
            break
    return found


def _standing(layout: Layout, home: KeyRef, digits: str) -> list[tuple[int, int] | None]:
    """Tells what stands in the places of a realization from what may stand there later."""
    ref = f"{digits}{home[DIGITS:]}"
    found: list[tuple[int, int] | None] = []
    for inside in (f"records/{home}/{digits}", f"store/{ref}", f"kept/{ref}"):
        try:
            status = os.lstat(f"{layout.root}/{inside}")
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_ctime_ns))
    return found


def _look(layout: Layout, home: KeyRef, digits: str, between: Callable[[], None]) -> list[Finding]:
    try:
        found = check_realization(layout, home, digits, between)
    except FileNotFoundError:
        return []  # removed under our eyes, as below
    try:
        os.lstat(f"{layout.records}/{home}/{digits}")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        pass  # which is among what was found
    return found


def _everything(reader: Reader, told: list[Finding]) -> list[tuple[KeyRef, str]]:
    """All realizations; what may not be read on the way is told."""
    found = []
    for home in _listed(reader.layout, "records", reader.homes, told):
        digits = _listed(reader.layout, f"records/{home}", functools.partial(reader.entries, home), told)
        found += [(home, one) for one in digits]
    return found


def _documents(reader: Reader, told: list[Finding]) -> list[Finding]:
    layout = reader.layout
    environments = filter(_is_environment, _names(layout, "environments", told))  # others are nobody's business
    found = [check_home(layout, home) for home in _listed(layout, "records", reader.homes, told)]
    found += [check_derivation(layout, ref) for ref in _listed(layout, "derivations", reader.derivations, told)]
    found += [check_environment(layout, name) for name in environments]
    found.append(check_remotes(layout))
    known = {one.file for one in told}  # by those who need it
    return [one for one in found if one is not None and one.file not in known]


def _leftovers(reader: Reader, told: list[Finding]) -> tuple[str, ...]:
    """What stands in `store/` without a record; records are looked up last, so that nothing new seems left over."""
    names = _names(reader.layout, "store", told)
    if any(one.kind is Kind.RIGHTS for one in told):  # there may be records that we do not see
        return ()
    known = {f"{digits}{home[DIGITS:]}" for home, digits in _everything(reader, told)}
    return tuple(name for name in names if name not in known and is_reference(name))


def _names(layout: Layout, inside: str, told: list[Finding]) -> list[str]:
    def listed() -> list[str]:
        path = f"{layout.root}/{inside}"
        try:
            return sorted(os.listdir(path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(path, error) from error

    return _listed(layout, inside, listed, told)


def _listed(layout: Layout, inside: str, names: Callable[[], Iterable[T]], told: list[Finding]) -> list[T]:
    """The names in a directory; if it may not be read, that is told and there are none."""
    try:
        return list(names())
    except StoreError as error:
        if not is_barred(error):
            raise
        told.append(barred(layout, inside, f"it {error.what}"))
        return []


class _Noted:
    """The realizations that were found to be sound, in a file that anybody may delete; a full verify removes it."""

    def __init__(self, layout: Layout, *, resume: bool) -> None:
        self._path = f"{layout.cache}/verified"
        self.known = frozenset(self._read()) if resume else frozenset[str]()
        self._handle: int | None = None
        self._waiting: list[str] = []
        self._moment = time.monotonic()
        if not resume:
            self.finish()

    def _read(self) -> list[str]:
        try:
            return read_small(self._path).decode(errors="replace").split("\n")[:-1]
        except (OSError, DamageError):
            return []

    def add(self, name: str) -> None:
        """Note one, on the disk at the latest with the first one after a second."""
        self._waiting.append(name)
        if time.monotonic() - self._moment > _NOTED:
            self.write()

    def write(self) -> None:
        """Put on the disk what waits for it; where that cannot be, it is looked at again."""
        self._moment = time.monotonic()
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        with contextlib.suppress(OSError, StoreError):
            changes.make_directories(os.path.dirname(self._path))
            handle = changes.open_new(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_WAIT, 0o664)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    return
                changes.write(handle, "".join(f"{name}\n" for name in waiting).encode())
            finally:
                os.close(handle)

    def finish(self) -> None:
        """All was looked at: the next one begins anew."""
        self._waiting.clear()
        with contextlib.suppress(OSError):
            changes.remove_file(self._path)
