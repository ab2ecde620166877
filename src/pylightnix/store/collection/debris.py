"""Sweeps what belongs to nobody: what killed processes left, old failed runs, artifacts without a record, due trash.

Whatever a living process may be using is left. A process that makes something holds a lock, of a slot or of what it
uses; so what has the number of a process that neither holds a lock, nor is there, is nobody's. Nor is what is old, and
has the number of a process that holds no lock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pylightnix.clock import now, stamp
from pylightnix.errors import CollectionError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.names import KeyRef, is_reference, printable
from pylightnix.store.aside import beside, remove_apart, set_aside
from pylightnix.store.checkpoints import FORM, is_alive, is_dead
from pylightnix.store.claims import Claims
from pylightnix.store.collection.gate import Gate
from pylightnix.store.collection.holds import Held, held_now
from pylightnix.store.collection.jobs import abandoned_places, remove_place
from pylightnix.store.collection.trash import Trash
from pylightnix.store.files import ID, fresh_id
from pylightnix.store.layout import Layout
from pylightnix.store.locks import is_free, remove_if_free
from pylightnix.store.removal import remove_tree
from pylightnix.store.shares import sweep_shares

ABANDONED = 86_400.0
"""Seconds after which something unfinished is nobody's, if nobody with its number of a process holds a lock, even if
there is such a process: numbers are used again. A file that is written without a lock is finished in a moment."""

_TMP = re.compile(rf"{ID.pattern}(?:@[0-9]+@[A-Za-z0-9_.+-]+)?(\.[a-z]+)?")
_LOCK = re.compile(rf"(?:.*@)?{ID.pattern}(?:@[0-9]+)?\.(?:lock|test)")
_FAILED = re.compile(r"([0-9]{8}T[0-9]{6})-.*")


class Swept(NamedTuple):
    """What was swept, or would be: paths below the store; `refused` is what this user may not remove."""

    tmp: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    artifacts: tuple[str, ...] = ()
    trash: tuple[str, ...] = ()
    locks: int = 0
    refused: tuple[str, ...] = ()

    @property
    def things(self) -> int:
        """How many there were."""
        return sum(map(len, (self.tmp, self.failed, self.artifacts, self.trash))) + self.locks


class Sweeper:
    """Sweeps one store.

    Args:
        layout: of the store.
        gate: of the store.
        is_needed: whether a root reaches a realization, by its reference.
        dry: change nothing, only say what there is.
    """

    def __init__(self, layout: Layout, gate: Gate, is_needed: Callable[[str], bool], *, dry: bool = False) -> None:
        self._layout = layout
        self._gate = gate
        self._is_needed = is_needed
        self._dry = dry
        self._refused: list[str] = []

    def sweep(
        self, failed_days: float, trash: Trash, *, whole_trash: bool, known: frozenset[str] = frozenset()
    ) -> Swept:
        """Sweep all; it only frees, so it can be done on a full disk.

        Args:
            failed_days: for how many days failed runs are kept.
            trash: of the store.
            whole_trash: whether all of it is due.
            known: references of realizations that have a record.
        """
        # Looked at before the locks: who makes something has locked something before.
        made = [(path, os.path.basename(path)) for path in self._in("tmp")] + list(beside(self._layout))
        locks = 0 if self._dry else self._locks()
        with self._gate.closed():
            held = held_now(self._layout)
        due = [f"{self._layout.trash}/{one.name}" for one in trash.due_now(everything=whole_trash)]
        return Swept(
            self._away([*self._left(made, held), *self._kept()]) + self._jobs(failed_days),
            (*self._away(self._failed(failed_days)), *self._away(self._checkpoints(failed_days), apart=True)),
            tuple(self._artifacts(held, known)),
            self._away(due, apart=True),
            locks,
            tuple(self._refused),
        )

    def _away(self, paths: Iterable[str], *, apart: bool = False) -> tuple[str, ...]:
        """Remove these, `apart` if somebody may take them back; what cannot be removed is left for the next time."""
        gone = []
        for path in paths:
            inside = path.removeprefix(f"{self._layout.root}/")
            try:
                if not self._dry:
                    if apart:
                        remove_apart(path, self._layout.tmp)
                    else:
                        remove_tree(path)
            except (OSError, StoreError) as error:
                number = error.errno if isinstance(error, OSError) else error.fields.get("errno")
                if number in (errno.EACCES, errno.EPERM):
                    self._refused.append(inside)
            else:
                gone.append(inside)
        return tuple(gone)

    def _jobs(self, days: float) -> tuple[str, ...]:
        """Places of Slurm's jobs."""
        gone = []
        for path in abandoned_places(self._layout, days):
            inside = path.removeprefix(f"{self._layout.root}/")
            try:
                if self._dry or remove_place(self._layout, path):
                    gone.append(inside)
            except (OSError, StoreError):
                self._refused.append(inside)
        return tuple(gone)

    def _locks(self) -> int:
        """Slots, shares and holds of the dead."""
        count = 0
        with contextlib.suppress(OSError):
            count = Claims(self._layout.locks).sweep()
            count += sweep_shares(self._layout.locks)
        with self._gate.closed():
            dead = list(held_now(self._layout).dead)
        dead += [path for path in self._in("locks") if path.endswith(".test") and not _is_alive(path)]
        for path in dead:
            with contextlib.suppress(OSError):
                count += _LOCK.fullmatch(os.path.basename(path)) is not None and remove_if_free(path)
        return count

    def _in(self, place: str) -> list[str]:
        directory = f"{self._layout.root}/{place}"
        return [f"{directory}/{name}" for name in sorted(_names(directory))]

    def left_beside(self) -> list[str]:
        """What somebody was moving away from its place, or to it, when he died."""
        made = list(beside(self._layout))
        with self._gate.closed():
            held = held_now(self._layout)
        return list(self._left(made, held))

    def left_of(self, home: KeyRef) -> list[str]:
        """What runs of this key were writing that nobody makes any more; what tells whose it was comes last."""
        notes = [path for path in self._in("tmp") if path.endswith(f"@{home}")]
        bases = tuple(f"{path.partition('@')[0]}." for path in notes)
        made = [path for path in self._in("tmp") if path.startswith(bases)] if bases else []
        if not notes:
            return []
        with self._gate.closed():
            held = held_now(self._layout)
        return list(self._left([(path, os.path.basename(path)) for path in [*made, *notes]], held))

    def _left(self, made: list[tuple[str, str]], held: Held) -> Iterator[str]:
        """What processes left that are not there, here or anywhere; each path comes with what tells whose it is."""
        working = set(held.processes)
        for shard in self._in("locks"):
            for name in _names(shard):
                form = _LOCK.fullmatch(name)
                working.update([int(form[1])] if form and not is_free(f"{shard}/{name}") else [])
        for path, unique in made:
            form = _TMP.fullmatch(unique)
            if form is None or int(form[1]) in working:
                continue
            with contextlib.suppress(OSError):
                if not is_alive(int(form[1])) or os.lstat(path).st_mtime <= now() - ABANDONED:
                    yield path

    def _failed(self, days: float) -> Iterator[str]:
        limit = stamp(now() - days * 86400)
        for path in self._in("failed"):
            form = _FAILED.fullmatch(os.path.basename(path))
            if form is not None and form[1] <= limit:
                yield path

    def _checkpoints(self, days: float) -> Iterator[str]:
        for path in self._in("tmp/checkpoints"):
            form = FORM.fullmatch(os.path.basename(path))
            with contextlib.suppress(OSError):
                if form is not None and is_dead(form) and os.lstat(path).st_mtime <= now() - days * 86400:
                    yield path

    def _kept(self) -> Iterator[str]:
        """Small artifacts of realizations that are there as a whole, or not at all."""
        kept = self._in("kept")
        known = self._recorded() if kept else frozenset[str]()
        for path in kept:
            name = os.path.basename(path)
            if is_reference(name) and (name not in known or os.path.isdir(f"{self._layout.store}/{name}")):
                yield path

    def _recorded(self) -> frozenset[str]:
        """The references of all realizations that have a record."""
        return frozenset(
            f"{digits}{os.path.basename(home)[DIGITS:]}"
            for home in self._in("records")
            for digits in _names(home)
            if len(digits) == DIGITS
        )

    def _artifacts(self, held: Held, known: frozenset[str]) -> Iterator[str]:
        """Artifacts without a record, unless somebody is about to write it: then they are held."""
        there = sorted(ref for ref in _names(self._layout.store) if ref not in known and is_reference(ref))
        recorded = self._recorded() if there else known
        for ref in there:
            if ref in recorded or self._is_needed(ref):
                continue
            if ref not in held.refs if self._dry else self._take(f"{self._layout.store}/{ref}", ref):
                yield f"store/{ref}"

    def _take(self, path: str, ref: str) -> bool:
        away = f"{self._layout.tmp}/{fresh_id()}"
        with self._gate.closed():
            if ref in held_now(self._layout).refs or self._is_recorded(ref):
                return False
            try:
                set_aside(path, away)
            except OSError:
                return False
        with contextlib.suppress(StoreError):
            remove_tree(away)
        return True

    def _is_recorded(self, ref: str) -> bool:
        homes = (home for home in self._in("records") if home.endswith(ref[DIGITS:]))
        return any(ref[:DIGITS] in _names(home) for home in homes)


def forget_killed(layout: Layout, home: KeyRef) -> None:
    """Remove what runs of this key left that were killed; what cannot be removed, or told from others', stays."""
    gate = Gate(layout.locks)
    with contextlib.suppress(OSError, StoreError):
        left = Sweeper(layout, gate, lambda _: False).left_of(home)
        if left:
            gate.test()
        for path in left:
            remove_tree(path)


def _names(directory: str) -> list[str]:
    """The names in a directory; none if it is not there. What cannot be read is not taken for empty."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CollectionError(
            f"what is there cannot be read: {error.strerror or error}", where=printable(directory),
            hint="proceeding would make what is needed look like debris; see to it, and collect again",
        ) from error  # fmt: skip


def _is_alive(path: str) -> bool:
    form = _LOCK.fullmatch(os.path.basename(path))
    return form is None or is_alive(int(form[1]))
