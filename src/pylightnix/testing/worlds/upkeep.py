"""The property: every target is what a from-scratch run would give, closures are self-consistent, nothing ran idly.

It holds a history of a world, realized for real in a folder, against the ledger; with any executor.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pylightnix.dsl.closure import pin
from pylightnix.errors import BuildError, GraphError, PylightnixError
from pylightnix.model.build import Executor
from pylightnix.model.plan import Step
from pylightnix.model.realization import Realization
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from pylightnix.testing.worlds.audit import Audit, check_interrupted, check_plan
from pylightnix.testing.worlds.bookkeeping import Bookkeeping, Pairing
from pylightnix.testing.worlds.calling import Call
from pylightnix.testing.worlds.edits import Chapter, Edit, History, LoseArtifacts, MoveStore, RemoveRealization
from pylightnix.testing.worlds.ledger import Kept, Ledger
from pylightnix.testing.worlds.observing import Executions, stored
from pylightnix.testing.worlds.reckoning import Reckoning
from pylightnix.testing.worlds.source import written
from pylightnix.testing.worlds.violation import Violation
from pylightnix.testing.worlds.walking import Walk
from pylightnix.testing.worlds.world import World

_MEMORY = "/dev/shm"


def keep_up(history: History, folder: Path, executor: Executor | None = None) -> Ledger:
    """Live through a history in an empty folder, and see after every chapter that the property holds.

    Args:
        history: what happens.
        folder: for the store, the modules and the log of executions.
        executor: runs the builders; default: in this process. It is not stopped here.

    Returns:
        The model of what is in the store in the end.

    Raises:
        Violation: the property does not hold.
    """
    upkeep = _Upkeep(history.world.tidy(), folder, executor)
    upkeep.live(Chapter())
    for chapter in history.chapters:
        upkeep.live(chapter)
    return upkeep.books.ledger


def try_out(history: History, executor: Executor | None = None) -> Ledger:
    """As `keep_up`, in a temporary folder, in memory where there is one, that is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    try:
        return keep_up(history, folder, executor)
    finally:
        remove_tree(folder)


class _Upkeep:
    def __init__(self, world: World, folder: Path, executor: Executor | None) -> None:
        self.books = Bookkeeping()
        self._world = world
        self._folder = folder
        self._executor = executor
        self._executions = Executions(folder / "executions")
        self._store = Store(folder / "store-0")
        self._moves = 0
        self._derivations = Pairing("derivation")

    def live(self, chapter: Chapter) -> None:
        """Edit, realize, check."""
        for edit in chapter.edits:
            self._edit(edit)
        closure = self._world.closure()
        rebuild = sorted({closure[index % len(closure)] for index in chapter.rebuild})
        broken = None if chapter.broken is None else f"f{chapter.broken}"
        with written(self._world, self._folder) as derivations, self._executions.listening(broken):
            reckoning = Reckoning(self._world, self.books.ledger, rebuild)
            call = Call(derivations, self._world.targets, rebuild, self._store, self._executor)
            if reckoning.contradictory():
                self._check_refused(call)
            else:
                self._check_realized(reckoning, call)

    def _edit(self, edit: Edit) -> None:
        if isinstance(edit, MoveStore):
            self._move()
        elif isinstance(edit, (RemoveRealization, LoseArtifacts)):
            everything = list(self.books.ledger)
            if everything:
                self._damage(edit, everything[edit.pick % len(everything)])
        else:
            self._world = edit.apply(self._world).tidy()

    def _move(self) -> None:
        if self._store.path.exists():
            self._moves += 1
            moved = self._folder / f"store-{self._moves}"
            self._store.path.rename(moved)
            self._store = Store(moved)

    def _damage(self, edit: RemoveRealization | LoseArtifacts, kept: Kept) -> None:
        if isinstance(edit, RemoveRealization):
            self._store.remove(kept.ref)
            self.books.ledger.remove(kept)
        elif kept.present:
            remove_tree(self._store.realization(kept.ref).path)
            kept.present = False

    def _check_refused(self, call: Call) -> None:
        """One derivation under two matchers: both verbs say so, and nothing runs."""
        for verb in (call.plan, call.realize):
            try:
                verb()
            except GraphError:
                continue
            raise Violation("consistency", "a derivation under two matchers was taken")
        self._check_nothing_ran()

    def _check_nothing_ran(self) -> None:
        if executions := self._executions.new():
            raise Violation("idle", f"nothing was to run, and this did: {executions}")

    def _check_realized(self, reckoning: Reckoning, call: Call) -> None:
        """Plan and realize; what came of it is looked at first, what was said and how it was named after that."""
        identities = [reckoning.identities[index] for index in reckoning.derivations]
        named = pin([call.derivations[index] for index in reckoning.derivations]).targets
        refs = {identity: str(ref) for identity, ref in zip(identities, named, strict=True)}
        foreseen = {refs[identity]: each for identity, each in reckoning.foresee().items()}
        planned = self._plan(call)
        try:
            found, decided = call.realize()
        except BuildError:
            self._check_failed(reckoning)
        except PylightnixError as error:
            raise Violation("refused", str(error)) from error
        else:
            audit = self._audit(reckoning, refs, found)
            audit.check()
            audit.check_plan_was_kept([planned[refs[identity]] for identity in identities], decided)
        check_plan(foreseen, planned)
        for identity, ref in refs.items():
            self._derivations.see(identity, ref)

    def _plan(self, call: Call) -> dict[str, Step]:
        """The plan; making it runs nothing, and writes nothing."""
        before = self._files()
        planned = call.plan()
        self._check_nothing_ran()
        if self._files() != before:
            raise Violation("plan", "making it changed the store")
        return planned

    def _files(self) -> set[Path]:
        """All but what says who uses what: that ends when Python has done with an earlier result, which may be now."""
        passing = {self._store.path / name for name in ("locks", "cache")}
        return {path for path in self._store.path.rglob("*") if not passing.intersection([path, *path.parents])}

    def _audit(
        self, reckoning: Reckoning, refs: Mapping[str, str], found: Sequence[tuple[Realization[Any], ...]]
    ) -> Audit:
        """Take what ran into the books, compare them with the store, and see what was chosen."""
        executions = self._executions.new()
        if any(execution.failed for execution in executions):
            raise Violation("stale", "a builder failed, and realize says nothing of it")
        self.books.absorb(executions)
        walk = Walk(self._world, reckoning.identities, refs, self.books.compare(stored(self._store)))
        for target, realizations in zip(self._world.targets, found, strict=True):
            walk.see(target, realizations)
        return Audit(reckoning, walk.chosen, executions)

    def _check_failed(self, reckoning: Reckoning) -> None:
        """A builder failed: all that was finished is kept, the indices of all runs are used, and no run was idle."""
        executions = self._executions.new()
        if not any(execution.failed for execution in executions):
            raise Violation("stale", "realize says that a builder failed, and none did")
        self.books.absorb(executions)
        self.books.compare(stored(self._store))
        check_interrupted(reckoning, executions)
