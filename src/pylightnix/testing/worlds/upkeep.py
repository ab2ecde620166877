"""The property: after realize every target is what a from-scratch run would give, every closure is self-consistent,
and nothing ran without reason. It holds a history of a world against the ledger; for any executor.
"""

from __future__ import annotations

from pathlib import Path

from pylightnix.dsl.closure import pin
from pylightnix.errors import GraphError
from pylightnix.model.build import Executor
from pylightnix.store.store import Store
from pylightnix.store.trees import remove_tree
from pylightnix.testing.worlds.audit import Audit, check_plan
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
        with written(self._world, self._folder) as derivations, self._executions.listening():
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
        refs = self._name(reckoning, call)
        planned = call.plan()
        self._check_nothing_ran()
        check_plan({refs[identity]: each for identity, each in reckoning.foresee().items()}, planned)
        found, decided = call.realize()
        executions = self._executions.new()
        self.books.absorb(executions)
        kept = self.books.compare(stored(self._store))
        walk = Walk(self._world, reckoning.identities, refs, kept)
        for target, realizations in zip(self._world.targets, found, strict=True):
            walk.see(target, realizations)
        audit = Audit(reckoning, walk.chosen, executions)
        audit.check()
        audit.check_plan_was_kept([planned[refs[reckoning.identities[i]]] for i in reckoning.derivations], decided)

    def _name(self, reckoning: Reckoning, call: Call) -> dict[str, str]:
        """What names each derivation: one reference for each identity, in the whole history."""
        refs = pin([call.derivations[index] for index in reckoning.derivations]).targets
        identities = [reckoning.identities[index] for index in reckoning.derivations]
        for identity, ref in zip(identities, refs, strict=True):
            self._derivations.see(identity, ref)
        return dict(zip(identities, refs, strict=True))
