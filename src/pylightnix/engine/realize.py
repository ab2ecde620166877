"""Brings a closure into being: decide, run what is wanted, ask again. The loop around decider, scheduler, executor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pylightnix.engine.decide import Decider, Decision
from pylightnix.engine.events import Foreseeing, Listener
from pylightnix.engine.flight import Flight
from pylightnix.engine.following import Following
from pylightnix.engine.hiding import without_secrets
from pylightnix.engine.room import Room
from pylightnix.engine.runs import Job, Running, Runs
from pylightnix.engine.scheduler import Scheduler
from pylightnix.engine.trouble import Troubles
from pylightnix.engine.underway import Underway
from pylightnix.engine.wishes import Wishes, shares_for
from pylightnix.errors import MatcherError, PylightnixError
from pylightnix.model.allocation import collector_paused
from pylightnix.model.build import BuildResult, Executor
from pylightnix.model.claiming import Slot
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.conditions import Call
from pylightnix.model.keeping import Keeper
from pylightnix.model.plan import Step
from pylightnix.model.records import Record
from pylightnix.model.sharing import Share
from pylightnix.model.supplying import NOWHERE, Supply
from pylightnix.names import DerivationRef, RealizationRef

if TYPE_CHECKING:
    from pylightnix.engine.outlook import Outlook

RUN_LIMIT = 10_000
"""Runs of one derivation in one realize after which its matcher counts as never satisfied."""

_CALL = Call()


def _outlook_for(listener: Listener | Foreseeing, closure: Closure, keeper: Keeper, slots: int) -> Outlook | None:
    """The outlook of a realize; None if nobody needs one: runs come one after the other, and nobody asks."""
    foresee = getattr(listener, "foresee", None)
    if foresee is None and slots == 1:
        return None
    from pylightnix.engine.outlook import Outlook

    made = Outlook(closure, keeper, slots, watched=foresee is not None)
    if foresee is not None:
        foresee(made)
    return made


class Realizer:
    """One realize of one closure.

    Args:
        closure: what to bring into being.
        keeper: the store.
        executor: runs the builders; it is not stopped here unless something goes wrong.
        listener: is told.
        facts: what to note of a derivation's project and environment in the record of a run.
        rebuild: derivations that get one more run even where their matcher is satisfied.
        making: keys of runs that this process is part of.
        call: what holds for all runs.
        keep_going: whether all that does not depend on a failure is made before it is raised.
        supply: other places where results may be had.
    """

    def __init__(  # noqa: PLR0913  (all that a realize depends on; it is made in one place)
        self,
        closure: Closure,
        keeper: Keeper,
        executor: Executor,
        listener: Listener,
        facts: Callable[[Pinned], Mapping[str, Any]],
        rebuild: Iterable[DerivationRef] = (),
        making: Collection[str] = frozenset(),
        call: Call = _CALL,
        *,
        keep_going: bool = False,
        supply: Supply = NOWHERE,
    ) -> None:
        self._holding = keeper.holding()
        self.steps: dict[DerivationRef, Step] = {}
        self.made: dict[RealizationRef, Record] = {}
        self._closure = closure
        self._keeper = keeper
        self._executor = executor
        self._listener = listener
        self._facts = facts
        self._making = making
        self._call = call
        self._begun: Counter[DerivationRef] = Counter()
        self._seen = False
        self._untold: dict[DerivationRef, Step] = {}
        self._told: dict[DerivationRef, Step] = {}
        self._troubles = Troubles(closure, keep_going=keep_going)
        self._room = Room(executor.capacity, lambda: shares_for(executor, keeper, making))
        self._wishes = Wishes(closure, executor, self._room)
        self._underway = Underway(executor, self._room, self._wishes)
        self._outlook = _outlook_for(listener, closure, keeper, executor.slots)
        self._begin(Decider(closure, keeper, rebuild, holding=self._holding, supply=supply))

    def _begin(self, decider: Decider) -> None:
        """Nothing is decided yet."""
        self.decider = decider
        self._runs = Runs(decider, self._keeper, self._facts, self._call, getattr(self._executor, "resume", None))
        self._flight = Flight(decider, self._keeper, self._listener, self._making)
        self._scheduler = Scheduler[Job](
            {p.ref: () if p.fixed is not None else [ref for ref, _ in p.inputs] for p in self._closure.order}
        )
        self._following = Following()
        self._unneeded: dict[DerivationRef, Step] = {}
        self._stale = False
        if self._outlook is not None:
            self._outlook.begin()

    def run(self) -> None:
        """Realize everything; what was chosen is in `decider.choices` afterwards, and in `made` what was made for that.

        Raises:
            BuildError: a builder failed; everything that was finished before stays. `FailuresError` if it kept going.
            MatcherError: a matcher refused, was never satisfied, or broke its contract.
        """
        self._listener.begin(len(self._closure.order))
        try:
            with self._keeper.together():
                self._loop()
                while self._stale and not self._troubles.end_all:
                    self._begin(self.decider.anew())
                    self._loop()
        except BaseException:
            self._abandon()
            raise
        finally:
            try:
                self._keeper.settle()
            finally:
                self._holding.release()
            for step in self._unneeded.values():
                self._tell(step)
            self._listener.end()
        if self._troubles:
            raise self._troubles.error()
        self.decider.check_consistency()
        self.decider.keep()

    def _loop(self) -> None:
        while True:
            self._decide_ready()
            started = self._start_next()
            if self._underway.busy and (not started or self._underway.full):
                self._collect()
            elif not started:
                if self._troubles.end_all or self._stale or not (self._flight.is_waiting or self._room.lacking):
                    return
                self._retry(self._flight.wait(self._room.freed))

    def _decide_ready(self) -> None:
        """Decide all that is ready; what is elsewhere is asked for together, while nobody who collects has to wait."""
        self._decide_here()
        while self.decider.elsewhere.wanted and not self._troubles.end_all:
            for ref in self.decider.elsewhere.ask():
                self._scheduler.again(ref)
            self._decide_here()

    def _decide_here(self) -> None:
        """What is chosen in one go is looked at, and held, in one go."""
        ref = self._scheduler.next_ready()
        if ref is None:
            return
        with collector_paused(), self._holding.looking():
            while ref is not None:
                try:
                    if not self._troubles.has(ref):
                        self._decide(self._closure.by_ref[ref])
                except PylightnixError as error:
                    self._fail(ref, error)
                ref = self._scheduler.next_ready()

    def _decide(self, pinned: Pinned) -> None:
        decision = self.decider.decide(pinned)
        if decision.stale:  # others were decided on what cannot be had any more: all is, once what runs has ended
            self._stale = True
            self._scheduler.stop()
            return
        if decision.away:
            return
        if decision.choice is not None:
            self._chosen(pinned, decision)
            return
        if self._following.follows(pinned.ref, decision.key.home):
            return
        if lacking := self.decider.lacking(pinned):
            self._scheduler.wait_for(pinned.ref, lacking)
            return
        self._following.make(pinned.ref, decision.key.home)
        jobs = [Job(pinned, decision.key, remake.record) for remake in decision.remake]
        if not jobs:
            jobs = [Job(pinned, decision.key, None, decision.extra)] * decision.step.wanted
            self._count(pinned, decision)
        demand = self._wishes.demand(pinned)
        self._untold[pinned.ref] = decision.step
        weight = None
        if self._outlook is not None:
            weight = self._outlook.wanted(pinned.ref, decision.key.home, len(jobs))
        self._scheduler.want(pinned.ref, jobs, weight, demand)

    def _chosen(self, pinned: Pinned, decision: Decision) -> None:
        """Tell, but not yet of what is without artifacts: whether somebody needs them is seen later."""
        if self.decider.is_bare(pinned.ref):
            self._unneeded[pinned.ref] = decision.step
        else:
            self._unneeded.pop(pinned.ref, None)
            self._tell(decision.step)
        if self._outlook is not None:
            self._outlook.done(pinned.ref)
        self._scheduler.done(pinned.ref)
        self._retry(self._following.satisfied(pinned.ref, decision.key.home))

    def _tell(self, step: Step) -> None:
        self.steps.setdefault(step.derivation, step)
        self._listener.decided(step)

    def _count(self, pinned: Pinned, decision: Decision) -> None:
        """A matcher may ask for more, but not for ever."""
        asked = self._begun[pinned.ref] + decision.step.wanted
        limit = getattr(pinned.matcher, "limit", RUN_LIMIT)
        if asked > limit:
            raise MatcherError(
                f"{pinned.matcher!r} is not satisfied after {asked - decision.step.wanted} runs: {decision.step.why}",
                where=f"{pinned.name} {pinned.ref.short}",
                hint=f"its limit is {limit} runs in one realize; what was built is kept",
                derivation=pinned.ref,
                limit=limit,
            )

    def _start_next(self) -> bool:
        """Start one run, if one is wanted and not being made by others; whether there is more to do."""
        if not self._seen and self._scheduler.has_tasks:
            self._seen = True
            self._see_conditions()
        self._room.forget()
        following = self._scheduler.next_task(self._room.fits)
        if following is None:
            if news := self._room.news():
                self._listener.lacking(news)
            return False
        ref, job = following
        try:
            self._runs.builder(job.pinned)
            share = self._share(job)
            slot = None if share is None else self._enter(job, share)
            if share is not None and slot is not None:
                self._start(job, slot, share)
            elif not self._scheduler.withdraw(ref) and (
                share is None or not self._flight.awaits(ref, self._untold[ref])
            ):
                self._scheduler.again(ref)
        except PylightnixError as error:
            self._fail(ref, error)
        return True

    def _share(self, job: Job) -> Share | None:
        """What a run takes, seen by other calls from now on; None if they were faster."""
        return self._wishes.share(job.pinned, job.key.home, self._runs.conditions)

    def _enter(self, job: Job, share: Share) -> Slot | None:
        slot = None
        try:
            slot = self._flight.enter(job, self._underway.count(job.pinned.ref))
        finally:
            if slot is None:
                share.release()
        return slot

    def _start(self, job: Job, slot: Slot, share: Share) -> None:
        ref = job.pinned.ref
        if (step := self._untold.get(ref)) is not None and self._told.get(ref) is not step:
            self._told[ref] = step
            self._tell(step)
        self.decider.satisfied_rebuild(ref)
        self._begun[ref] += 1
        self._launch(job, slot, share)

    def _launch(self, job: Job, slot: Slot, share: Share, before: Running | None = None) -> None:
        """Begin a run, or one more attempt of it after the one before."""
        try:
            running = self._runs.begin(job, slot, before, share)
        except BaseException:
            share.release()
            slot.release()
            raise
        self._underway.add(running)
        if self._outlook is not None:
            self._outlook.started(job.pinned.ref, running.request)
        try:
            self._listener.started(running.request)
            result = self._underway.submit(running, self._listener.progress)
        except BaseException:
            self._give_up(running)
            raise
        if result is not None:
            self._end(running, result)

    def _see_conditions(self) -> None:
        """Before the first builder runs: see that all that is not satisfied can have what it wants, however late."""

        def is_settled(ref: DerivationRef) -> bool:
            return ref in self.decider.choices or self._troubles.has(ref)

        for ref, error in self._wishes.refused(self._runs.conditions, is_settled):
            self._scheduler.drop(ref)
            self._fail(ref, error)
            if self._troubles.end_all:
                return

    def _collect(self) -> None:
        """Wait until some run has ended, here or, where we could start one more, elsewhere; see to all that have."""
        pauses = Flight.pauses()
        any_ended = False
        while not any_ended:
            could_start = (self._flight.is_waiting or self._room.lacking) and not self._underway.full
            for running, result in self._underway.ended(next(pauses) if could_start else None):
                any_ended = True
                self._end(running, result)
            if not any_ended and (self._retry(self._flight.freed()) or self._room.freed()):
                return

    def _retry(self, freed: Iterable[DerivationRef]) -> bool:
        """Ask again for derivations of which somebody else has made a run, or given up; whether there were any."""
        refs = list(freed)
        for ref in refs:
            self._scheduler.again(ref)
        return bool(refs)

    def _end(self, running: Running, result: BuildResult) -> None:
        if result.failure is None:
            running.share.release()
        result = without_secrets(self._keeper.blot, running.request, result)
        kept: Path | None = None
        again = False
        if self._outlook is not None:
            self._outlook.ended(running.request, result)
        try:
            made = self._runs.end(running, result)
        except PylightnixError as error:
            kept = Path(str(error.fields["kept"])) if "kept" in error.fields else None
            if result.failure is not None and not self._stale:
                again = self._troubles.grant(running.request, result.failure)
            self._give_up(running, again=again)
            if not again:
                self._fail(running.job.pinned.ref, error)
        else:
            self._underway.remove(running)
            self._keeper.when_settled(running.slot.release)
            self._scheduler.finished(running.job.pinned.ref)
            self._made(running, made)
        try:
            self._listener.finished(running.request, result, kept)
            if again:
                self._listener.retrying(running.request, running.attempt + 1)
        except BaseException:
            running.share.release()
            running.slot.release()
            raise
        if again:
            self._launch(running.job, running.slot, running.share, running)

    def _made(self, running: Running, made: Record | None) -> None:
        if made is not None:
            self.made[made.ref] = made
        elif running.job.remake is not None:
            self._listener.lost(running.job.remake.ref, running.request.run)

    def _fail(self, ref: DerivationRef, error: PylightnixError) -> None:
        """Note a failure. What runs is waited for and kept; nothing new starts, or only what does not depend on it."""
        self._troubles.add(ref, error)
        if self._troubles.end_all:
            self._scheduler.stop()
            return
        self._scheduler.failed(ref)
        self._retry(self._following.failed(ref))

    def _abandon(self) -> None:
        """Interrupted: end what runs and leave nothing behind, also if interrupted again meanwhile."""
        self._scheduler.stop()
        try:
            self._executor.stop()
        finally:
            for running in self._underway:
                running.slot.release()
            for running in self._underway:
                self._give_up(running)
            self._underway.forget()

    def _give_up(self, running: Running, *, again: bool = False) -> None:
        """Leave nothing of a run, and let others make it, unless it keeps what it has for one more attempt."""
        if not again:
            running.share.release()
            running.slot.release()
        self._keeper.discard(running.workspace)
        self._underway.remove(running)
