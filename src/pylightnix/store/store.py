"""The store as its users see it: what is in it, found by reference, by derivation or by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from pylightnix.errors import TargetError, UnknownReferenceError
from pylightnix.hashing import DIGITS
from pylightnix.model.realization import Realization
from pylightnix.model.records import Record
from pylightnix.names import DerivationRef, KeyRef, is_prefix, printable
from pylightnix.store.files import is_directory
from pylightnix.store.layout import Layout
from pylightnix.store.pending import Durability, check_durability
from pylightnix.store.remotes import read_remotes, write_remotes
from pylightnix.store.trust import warn_of_doubts
from pylightnix.store.writing import Writer

if TYPE_CHECKING:
    from pylightnix.store.collection.collecting import Collected
    from pylightnix.store.collection.policy import Duration, Wanted
    from pylightnix.store.collection.roots import Root
    from pylightnix.store.collection.weighing import Weights
    from pylightnix.store.examination.observations import Observation
    from pylightnix.store.verification.verifying import Progress, Report


class HasRef(Protocol):
    """A derivation, as far as the store is concerned."""

    @property
    def ref(self) -> str: ...


class Store:
    """A store, unaware of other places; users get `session.opening.Store`, where the arguments are described."""

    def __init__(self, path: Path | str, *, durability: Durability = "batch") -> None:
        self.keeper = Writer(Layout(path), check_durability(durability, "Store"))
        warn_of_doubts(self.keeper.layout)

    @property
    def path(self) -> Path:
        """The store's directory."""
        return Path(self.keeper.layout.root)

    @property
    def remotes(self) -> tuple[str, ...]:
        """Addresses of remotes that a realize in this store looks at before it builds; may be set.

        Raises:
            DamageError: their list is damaged.
        """
        return read_remotes(self.keeper.layout)

    @remotes.setter
    def remotes(self, addresses: Iterable[str]) -> None:
        write_remotes(self.keeper.layout, addresses)

    def create(self) -> None:
        """Make the directory a store now instead of at the first write."""
        self.keeper.layout.ensure()

    def realization(self, ref: str) -> Realization[Any]:
        """The realization of this reference, or of this unique prefix of one.

        A prefix is completed among the realizations whose artifacts are there; among all only if that gives none.

        Raises:
            UnknownReferenceError: nothing, or more than one thing, is named so.
        """
        return Realization(self.record(ref), self.keeper)

    def record(self, ref: str) -> Record:
        """The record of a realization, found like `realization`."""
        _check_prefix(ref)
        found = list(self._with_artifacts(ref)) or list(self._without(ref))
        if len(found) == 1:
            return found[0]
        raise _not_one(ref, [str(record.ref) for record in found], str(self.path))

    def _with_artifacts(self, prefix: str) -> Iterator[Record]:
        """Looks at names alone, in `store/` and then in `records/`, and opens only what they lead to."""
        keeper = self.keeper
        digits = prefix.partition("-")[0]
        try:
            there = sorted(name for name in os.listdir(keeper.layout.store) if name.startswith(digits))
            homes = os.listdir(keeper.layout.records) if there else []
        except OSError:
            return
        for ref in there:
            home = self._home(ref, homes) if _matches(ref, prefix) else None
            record = keeper.record_at(home, ref[:DIGITS]) if home is not None else None
            if record is not None:
                yield record

    def _home(self, ref: str, homes: list[str]) -> KeyRef | None:
        """The one key, of those with the same name, under which this realization stands."""
        base, digits, name = self.keeper.layout.records, ref[:DIGITS], ref[DIGITS:]
        for home in homes:
            if home[DIGITS:] == name and os.access(f"{base}/{home}/{digits}", os.F_OK) and is_prefix(home):
                return KeyRef(home)
        return None

    def _without(self, prefix: str) -> Iterator[Record]:
        for home in self.keeper.homes():
            for digits in self.keeper.entries(home):
                if _matches(f"{digits}-{home.name}", prefix):
                    record = self.keeper.record_at(home, digits)
                    if record is not None:
                        yield record

    def realizations(self, derivation: HasRef | None = None, *, name: str | None = None) -> list[Realization[Any]]:
        """The realizations of a derivation, of all derivations of a name, or all, in a stable order.

        Raises:
            TargetError: what is given first is no derivation.
        """
        if derivation is None:
            return [Realization(record, self.keeper) for record in self.keeper.records(name)]
        given = getattr(derivation, "ref", None)
        if not isinstance(given, str):
            raise TargetError(
                f"{printable(repr(derivation)[:80])} is no derivation", where="realizations",
                hint='give what calling a stage returned, or name="…"',
            )  # fmt: skip
        ref = DerivationRef.parse(given)
        return [
            Realization(record, self.keeper, context)
            for record in self.keeper.records(ref.name)
            for context in [next((c for c in self.keeper.contexts(record) if c.derivation == ref), None)]
            if context is not None
        ]

    def derivations(self) -> list[DerivationRef]:
        """The references of all derivations in the store."""
        return self.keeper.derivations()

    def remove(self, ref: str | Realization[Any], *, force: bool = False, trash: Duration = "0d") -> None:
        """Remove a realization, artifacts and record. Its run indices, and so its seeds, are not used again.

        Args:
            ref: which: a realization, or a reference or unique prefix of one.
            force: also if a root reaches it.
            trash: for how long it can be restored.

        Raises:
            UnknownReferenceError: it is not in this store, or not named clearly.
            CollectionError: a root reaches it, another process uses it, or that is in doubt.
            StoreError: the store cannot be written.
        """
        from pylightnix.store.collection.collecting import Collector
        from pylightnix.store.collection.policy import Policy

        record = ref.record if isinstance(ref, Realization) else self.record(ref)
        policy = Policy.parse({"unreachable": True, "forget": True, "trash": trash})
        self.keeper.settle()
        Collector(self.keeper, policy).remove(record, force=force)

    def root(self, name: str, realizations: Realization[Any] | Iterable[Realization[Any]]) -> None:
        """Keep these alive, and all that they were made from, under a name; what it kept before it keeps no more.

        Raises:
            BadNameError: this is no name for a root.
            TargetError: what is given is no realization.
            CollectionError: something of it is not there any more.
            StoreError: the store cannot be written.
        """
        from pylightnix.store.collection.rooting import set_root

        set_root(self.keeper, name, _realizations(realizations))

    def roots(self) -> list[Root]:
        """All roots, by name.

        Raises:
            CollectionError: one cannot be read.
        """
        from pylightnix.store.collection.roots import Roots

        return Roots(self.keeper.layout).all()

    def unroot(self, name: str) -> None:
        """Take a root away: what it kept alive can be collected.

        Raises:
            UnknownReferenceError: there is none of this name.
            StoreError: the store cannot be written.
        """
        from pylightnix.store.collection.rooting import remove_root

        remove_root(self.keeper, name)

    def gc(self, *, dry_run: bool = False, **wanted: Unpack[Wanted]) -> Collected:
        """Collect what no root reaches, no process uses, and every scope that is given agrees to.

        What is collected loses its artifacts and keeps its record, so that it still counts, and is made again by its
        seed if it is chosen.

        Args:
            dry_run: change nothing, only say what would be collected.
            **wanted: scopes (`unreachable`, `older_than`, `keep_latest`, `keep_best`, `max_size`), and what to do with
                what is collected; see `Wanted`. Without a scope nothing is collected.

        Raises:
            CollectionError: it is in doubt what is needed.
            ArgumentError: something in `wanted` is not understood.
            StoreError: the store cannot be written.
        """
        import gc as memory

        from pylightnix.store.collection.collecting import Collector
        from pylightnix.store.collection.policy import Policy

        memory.collect()  # what this program has no more in hand it does not hold any more
        policy = Policy.parse(wanted)
        return Collector(self.keeper, policy, dry=dry_run or not policy.has_scope).collect()

    def du(self) -> Weights:
        """What takes how much space: by stage and by root, own and with all that it was made from.

        Raises:
            StoreError: the store cannot be read; what is wrong with single roots stands in `unreadable`.
        """
        from pylightnix.store.collection.weighing import weigh

        return weigh(self.keeper)

    def why_alive(self, ref: str | Realization[Any]) -> list[list[str]]:
        """The chains that keep a realization: each is the name of a root, then references, the last one its own.

        Raises:
            UnknownReferenceError: nothing, or more than one thing, is named so.
            CollectionError: a root cannot be followed.
        """
        from pylightnix.store.collection.reach import chains

        return chains(self.keeper, ref.ref if isinstance(ref, Realization) else self.record(ref).ref)

    def restore(self, ref: str | Realization[Any]) -> Realization[Any]:
        """Put back from the trash what was collected: a realization, or a reference or unique prefix of one.

        Raises:
            UnknownReferenceError: the trash has nothing of that name, or several things.
            StoreError: the store cannot be written.
        """
        from pylightnix.store.collection.gate import Gate
        from pylightnix.store.collection.halfway import put_back_halfway
        from pylightnix.store.collection.trash import Trash, begins

        prefix = _reference(ref)
        _check_prefix(prefix)
        back = [one for one in put_back_halfway(self.keeper, Gate(self.keeper.layout.locks)) if begins(one, prefix)]
        (found,) = back if len(back) == 1 else Trash(self.keeper.layout, adrift=self.keeper.adrift).restore(prefix)
        return self.realization(found)

    def verify(
        self,
        refs: str | Realization[Any] | Iterable[str | Realization[Any]] | None = None,
        *,
        resume: bool = False,
        repair: bool = False,
        progress: Progress | None = None,
    ) -> Report:
        """Look whether the store is what it says, at every byte; changes nothing unless asked to.

        Args:
            refs: which realization, or which ones: each itself, or by reference or a unique prefix of one; all, and all
                documents, if None.
            resume: leave out what a verify that was stopped had found to be sound.
            repair: restore what follows from what is left, and move to quarantine what does not; the next realize
                makes it again.
            progress: is called with how many of how many realizations were looked at.

        Returns:
            A `Report`: `findings` name each damage with its realization and file, `sound` says that there was none;
            `repairs` tell what was done about it, `left` is what is still damaged.

        Raises:
            UnknownReferenceError: nothing, or more than one thing, is named so.
            StoreError: the store cannot be read, or not written where something is to be repaired.
        """
        from pylightnix.store.verification.verifying import verify  # brings threads, which few need

        several: Iterable[str | Realization[Any]] | None = (refs,) if isinstance(refs, (str, Realization)) else refs
        places = None if several is None else [self._place(_reference(ref)) for ref in several]
        report = verify(self.keeper, places, resume=resume, progress=progress)
        if not repair or report.sound:
            return report
        from pylightnix.store.verification.repairing import mended

        return mended(self.keeper, report, lambda: verify(self.keeper, places))

    def _place(self, ref: str) -> tuple[KeyRef, str]:
        """Key and digits of a realization, found like `record` but by names alone: its record may be damaged."""
        _check_prefix(ref)
        found: dict[bool, list[tuple[KeyRef, str]]] = {True: [], False: []}
        for home in self.keeper.homes():
            for digits in self.keeper.entries(home):
                if _matches(one := f"{digits}-{home.name}", ref):
                    found[is_directory(f"{self.keeper.layout.store}/{one}")].append((home, digits))
        matching = found[True] or found[False]
        if len(matching) == 1:
            return matching[0]
        raise _not_one(ref, [f"{digits}-{home.name}" for home, digits in matching], str(self.path))

    def examine(self) -> tuple[Observation, ...]:
        """Look whether the store is in a place where it can do its work: file system, locks, rights, room, debris.

        Results are not looked at; that is `verify`.

        Returns:
            An `Observation` for each thing that was looked at: `level` says how bad it is, `hint` what to do.
        """
        from pylightnix.store.examination.examining import examine

        return tuple(examine(self.keeper.layout))

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[str, Durability]]:
        return _open, (str(self.path), self.keeper.durability)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


def _open(path: str, durability: Durability) -> Store:
    return Store(path, durability=durability)


def _reference(given: str | Realization[Any]) -> str:
    return given.ref if isinstance(given, Realization) else given


def _realizations(given: Realization[Any] | Iterable[Realization[Any]]) -> list[Realization[Any]]:
    single = isinstance(given, str) or hasattr(given, "ref") or not hasattr(given, "__iter__")
    found: list[Any] = [given] if single else list(given)
    for one in found:
        if not isinstance(one, Realization):
            raise TargetError(
                f"{printable(repr(one)[:80])} is no realization", where="root",
                hint="give what realize returned, or Store.realization(ref)",
            )  # fmt: skip
    return found


def _check_prefix(ref: str) -> None:
    if not isinstance(ref, str) or not is_prefix(ref):
        raise UnknownReferenceError(
            f"{printable(repr(ref)[:80])} is no reference",
            hint=f"a reference begins with up to {DIGITS} of the digits 0-9 a-f",
        )


def _matches(ref: str, prefix: str) -> bool:
    """Whether a reference begins so; the digits and the name may both be cut short."""
    digits, _, name = prefix.partition("-")
    return ref.startswith(digits) and ref[DIGITS + 1 :].startswith(name)


def _not_one(prefix: str, found: list[str], where: str) -> UnknownReferenceError:
    if not found:
        return UnknownReferenceError(
            f"nothing is named {prefix}", where=printable(where), hint="pylightnix ls shows what there is", ref=prefix
        )
    shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
    return UnknownReferenceError(
        f"{prefix} names {len(found)} realizations",
        where=printable(where),
        hint=f"give more digits: {shown}",
        ref=prefix,
        found=found,
    )
