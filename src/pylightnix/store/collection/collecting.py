"""Collects: finds out what nobody needs, and moves it away one by one, each after a second look behind a closed gate.

What is collected loses its artifacts and keeps its record, so it still counts, can be judged, and be made again.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pylightnix.clock import now
from pylightnix.errors import CollectionError, StoreError, UnknownReferenceError
from pylightnix.model.allocation import collector_paused
from pylightnix.model.records import Record
from pylightnix.names import DerivationRef, RealizationRef, printable
from pylightnix.store import changes
from pylightnix.store.aside import set_aside
from pylightnix.store.collection.debris import Sweeper, Swept
from pylightnix.store.collection.gate import Gate
from pylightnix.store.collection.halfway import put_back_halfway
from pylightnix.store.collection.holds import held_now, holders_now
from pylightnix.store.collection.policy import Policy, Standing, Victim, choose
from pylightnix.store.collection.reach import reach
from pylightnix.store.collection.roots import Root, Roots
from pylightnix.store.collection.small import NoRoomError, SmallFiles
from pylightnix.store.collection.surveying import forget_uses, measure, survey
from pylightnix.store.collection.trash import Trash
from pylightnix.store.files import fresh_id
from pylightnix.store.layout import FULL, writing
from pylightnix.store.reading import Reader
from pylightnix.store.removal import remove_tree


class Collected(NamedTuple):
    """What a collection did, or would do.

    Attributes:
        victims: what was collected, the least recently used first if a scope asks for that, else by reference.
        in_use: what would have been, but is used by some process at this moment.
        swept: debris.
        roots: names of roots that are gone since their links or files have vanished.
        left: bytes that the artifacts have that are left.
        trashed: whether the victims are in the trash.
        dry: whether nothing was done.
        refused: what would have been collected, and this user may not move.
        unkept: what would have been collected, but there was no room for the small files of it that were to be kept.
    """

    victims: tuple[Victim, ...]
    in_use: tuple[Victim, ...]
    swept: Swept
    roots: tuple[str, ...]
    left: int
    trashed: bool
    dry: bool
    refused: tuple[Victim, ...] = ()
    unkept: tuple[Victim, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the artifacts that were collected."""
        return sum(victim.standing.size for victim in self.victims)


class Needed:
    """What roots reach and what processes hold, looked at again whenever something new is kept.

    Args:
        reader: of the store.
        gate: of the store.
    """

    def __init__(self, reader: Reader, gate: Gate) -> None:
        self.roots: list[Root] = []
        self._reader = reader
        self._gate = gate
        self._list = Roots(reader.layout)
        self._seen: tuple[int, frozenset[tuple[str, int]]] = (-1, frozenset())
        self._names: list[str] = []
        self._reached: frozenset[str] = frozenset()
        self._held: frozenset[str] = frozenset()
        self._by_root: dict[str, set[RealizationRef]] = {}
        self._learn()

    def _learn(self) -> None:
        """Look at everything; what is looked at may change meanwhile, which the next look behind the gate shows."""
        with self._gate.closed() as turn:
            self._look(turn)
        self._follow()

    def _look(self, turn: int) -> bool:
        """Read what processes hold, and which roots there are, if that may have changed; whether the roots have."""
        now = (turn, holders_now(self._reader.layout))
        if now == self._seen:
            return False
        self._held = held_now(self._reader.layout).refs
        names = self._list.stamp()
        self._seen = now
        changed = names != self._names
        self._names = names
        return changed

    def _follow(self) -> None:
        self.roots = self._list.all()
        reached = reach(self._reader, [root for root in self.roots if root.stands])
        self._reached, self._by_root = frozenset(reached.ways), reached.by_root

    def reaches(self, ref: str) -> bool:
        """Whether a root reaches it, as far as was seen."""
        return ref in self._reached

    def roots_of(self, ref: RealizationRef) -> list[str]:
        """The names of the roots that reach it."""
        return [name for name, refs in self._by_root.items() if ref in refs]

    def holds(self, ref: str) -> bool:
        """Whether a process holds it, as far as was seen."""
        return ref in self._held

    @contextlib.contextmanager
    def second_look(self, ref: str) -> Iterator[bool]:
        """Close the gate and look again; gives whether it is needed. What is moved away inside was not."""
        while True:
            with self._gate.closed() as turn:
                others = self._look(turn)
                if not others:
                    yield self.reaches(ref) or self.holds(ref)
                    return
            self._follow()


class Collector:
    """One collection.

    Args:
        reader: of the store.
        policy: what to collect.
        dry: change nothing, only say what would be done.
    """

    def __init__(self, reader: Reader, policy: Policy, *, dry: bool = False) -> None:
        self._reader = reader
        self._layout = reader.layout
        self._policy = policy
        self._dry = dry
        self._gate = Gate(reader.layout.locks)
        self._trash = Trash(reader.layout, policy.trash)
        self._small = SmallFiles(reader)

    def collect(self) -> Collected:
        """Do it.

        Raises:
            CollectionError: it is in doubt what is needed; nothing was changed.
            StoreError: the store cannot be written.
        """
        self._layout.check()
        if not os.path.lexists(self._layout.store):
            return Collected((), (), Swept(), (), 0, trashed=False, dry=self._dry)
        with writing(self._layout.root), self._gate.at_hand(), collector_paused():
            self._gate.test()
            needed = self._needed()
            if not self._dry:
                put_back_halfway(self._reader, self._gate)
            standings = self._survey()
            if not self._dry:
                self._small.finish(one.record for one in standings if not one.present)
            wanted = choose(self._policy, standings, needed.reaches, now(), self._measure, held=needed.holds)
            swept, roots = self._sweep(needed, frozenset(one.record.ref for one in standings))
            collected, in_use, refused, unkept = self._take_all(wanted, needed)
        taken = {victim.record.ref for victim in collected}
        left = sum(one.size for one in standings if one.record.ref not in taken)
        if not self._dry:
            forget_uses(self._layout, [o.record.ref for o in standings if o.present and o.record.ref not in taken])
        return Collected(
            tuple(collected), tuple(in_use), swept, tuple(roots), left, self._policy.trash > 0, self._dry,
            tuple(refused), tuple(unkept),
        )  # fmt: skip

    def remove(self, record: Record, *, force: bool = False) -> None:
        """Collect this one, artifacts and record, by whatever policy.

        Args:
            record: of the realization.
            force: also if a root reaches it, or that cannot be told.

        Raises:
            UnknownReferenceError: it is not there.
            CollectionError: a root reaches it, another process uses it, or that is in doubt.
            StoreError: the store cannot be written.
        """
        if not os.path.lexists(self._reader.place(record)):
            raise UnknownReferenceError(
                f"{record.ref} is not in this store", where=printable(self._layout.root), ref=record.ref
            )
        with writing(self._layout.root):
            needed = None if force else self._needed()
            away: list[str] = []
            with self._gate.closed() if needed is None else needed.second_look(record.ref):
                if needed is not None and needed.reaches(record.ref):
                    raise _is_rooted(record, needed.roots_of(record.ref))
                if record.ref in held_now(self._layout, but=os.getpid()).refs:
                    raise _in_use(record)
                try:
                    self._forget(record, away)
                except PermissionError as error:
                    if all(os.access(path, os.W_OK) for path in (self._layout.records, self._layout.store)):
                        raise _not_ours(record, self._layout.root, error) from error
                    raise  # nothing of the store is ours to change
            if self._policy.trash == 0:
                for path in away:
                    remove_tree(path)

    def _needed(self) -> Needed:
        try:
            return Needed(self._reader, self._gate)
        except CollectionError as error:
            raise self._refuse(error) from error

    def _refuse(self, error: CollectionError) -> CollectionError:
        """The same error, with what would have been lost if nothing were kept by what is in doubt."""
        with contextlib.suppress(StoreError):
            there = [one for one in self._survey() if one.present]
            size = sum(one.size for one in there)
            error.add_note(
                f"nothing was collected; {len(there):,} realizations of {size:,} bytes would have been in danger"
            )
            error.fields.update(realizations=len(there), size=size)
        return error

    def _survey(self) -> list[Standing]:
        per_derivation = self._policy.keep_latest is not None or self._policy.keep_best is not None
        return survey(self._reader, times=self._policy.asks_when, derivations=per_derivation)

    def _measure(self, record: Record, metric: str) -> float | None:
        return measure(self._reader, record, metric)

    def _sweep(self, needed: Needed, known: frozenset[str]) -> tuple[Swept, list[str]]:
        """Debris goes first: it frees what the rest may need on a full disk."""
        gone = [root for root in needed.roots if not root.stands]
        roots = [root.name for root in gone] if self._dry else Roots(self._layout).sweep(gone)
        sweeper = self._sweeper(needed)
        whole = self._policy.trash == 0
        return sweeper.sweep(self._policy.failed, self._trash, whole_trash=whole, known=known), roots

    def _sweeper(self, needed: Needed) -> Sweeper:
        return Sweeper(self._layout, self._gate, needed.reaches, dry=self._dry)

    def _take_all(self, wanted: Iterable[Victim], needed: Needed) -> tuple[list[Victim], ...]:
        """What was collected, what is in use, what belongs to somebody else, and of what nothing could be kept."""
        collected: list[Victim] = []
        in_use: list[Victim] = []
        refused: list[Victim] = []
        unkept: list[Victim] = []
        for one in wanted:
            victim = one._replace(derivation=self._origin(one.record)) if self._policy.forget else one
            try:
                taken = not needed.holds(victim.record.ref) if self._dry else self._take(victim.record, needed)
            except PermissionError:
                refused.append(victim)
            except NoRoomError:
                unkept.append(victim)
            else:
                (collected if taken else in_use).append(victim)
        return collected, in_use, refused, unkept

    def _origin(self, record: Record) -> DerivationRef | None:
        try:
            return self._reader.origin(record).derivation
        except StoreError:
            return None

    def _take(self, record: Record, needed: Needed) -> bool:
        """Collect one, unless it is needed by now."""
        stay: frozenset[bytes] = frozenset()
        if self._policy.keep_small is not None:
            to_go = self._policy.trash == 0 and not self._policy.forget
            stay = self._small.copy(record, self._policy.keep_small, can_stay=to_go)
        away: list[str] = []
        with needed.second_look(record.ref) as is_needed:
            if is_needed:
                return False
            if self._policy.forget:
                self._forget(record, away)
            elif stay:
                self._small.take_all(record, away)
            else:
                self._move(self._reader.payload_text(record), "artifacts", record, away)
        if stay:
            self._small.reduce(record, stay)
        if self._policy.trash == 0:
            for path in away:
                remove_tree(path)
        return True

    def _forget(self, record: Record, away: list[str]) -> None:
        """Both or none: artifacts that cannot be moved, since they are somebody else's, keep their record."""
        place = self._reader.place(record)
        self._move(place, "record", record, away)
        try:
            self._move(self._reader.payload_text(record), "artifacts", record, away)
        except (OSError, StoreError):
            with contextlib.suppress(OSError, IndexError):
                changes.move(away.pop(), place)
            raise

    def _move(self, source: str, what: str, record: Record, away: list[str]) -> None:
        """To the trash; where nothing is to be kept, to `tmp/`, which needs no new directory."""
        to_trash = self._policy.trash > 0
        target = self._trash.place(what, record.ref) if to_trash else f"{self._layout.tmp}/{fresh_id()}"
        try:
            for _ in range(2):
                try:
                    set_aside(source, target)
                except FileNotFoundError:
                    if not to_trash or os.path.isdir(self._layout.trash):
                        return  # somebody else has collected it
                    changes.make_directories(self._layout.trash)
                else:
                    away.append(target)
                    return
        except OSError as error:
            if to_trash and error.errno in FULL:
                raise _no_trash(self._layout.trash, error) from error
            raise


def _is_rooted(record: Record, names: list[str]) -> CollectionError:
    away = " ".join(f"--remove {shlex.quote(name)}" for name in names)
    return CollectionError(
        f"it is kept alive by {', '.join(names)}", where=f"{record.ref.name} {record.ref.short}",
        hint=f"pylightnix root {away}; or remove it in spite of that with --force", roots=names,
    )  # fmt: skip


def _no_trash(trash: str, error: OSError) -> StoreError:
    return StoreError(
        f"the disk is too full for a trash: {error.strerror}", where=printable(trash), errno=error.errno,
        hint='without one it needs no space, and is gone at once: --now, or trash="0d"',
    )  # fmt: skip


def _not_ours(record: Record, root: str, error: PermissionError) -> StoreError:
    root = printable(root)
    return StoreError(
        "it belongs to somebody else, and was not removed", where=f"{record.ref.name} {record.ref.short}",
        hint="who made it, perhaps with sudo, can remove it; or give it to the owner of the store: "
        f"chown -R --reference={root} {root}",
        errno=error.errno, ref=record.ref,
    )  # fmt: skip


def _in_use(record: Record) -> CollectionError:
    return CollectionError(
        "another process uses it at this moment", where=f"{record.ref.name} {record.ref.short}",
        hint="wait until that has ended", ref=record.ref,
    )  # fmt: skip
