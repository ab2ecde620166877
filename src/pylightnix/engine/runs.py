"""One run from request to registration: what the builder is given, what becomes of what it gives back."""

from __future__ import annotations

import functools
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.engine.decide import Decider
from pylightnix.engine.failing import Kept, failure_text, last_lines, spoilt_by
from pylightnix.engine.hiding import without_secrets
from pylightnix.engine.keys import Key
from pylightnix.engine.room import UNSHARED
from pylightnix.engine.secrecy import check_secrets
from pylightnix.engine.verdicts import broken
from pylightnix.errors import ArtifactError, BuildError, MatcherError, PromiseError, PylightnixError
from pylightnix.model.build import BuildRequest, BuildResult, Failure, knows_out
from pylightnix.model.claiming import Slot
from pylightnix.model.closure import Pinned
from pylightnix.model.conditions import Call, Conditions
from pylightnix.model.config import decode
from pylightnix.model.keeping import Keeper, Lost, Sealed, Watch, Workspace
from pylightnix.model.realization import Realization
from pylightnix.model.records import Context, Record, Run, seed_of
from pylightnix.model.sharing import Share
from pylightnix.model.visible import VisibleInput
from pylightnix.names import DerivationRef

LOOKS_PER_SECOND = 3000
"""Files of inputs that are looked at for each second that a builder took: about a hundredth of its time."""


class Job(NamedTuple):
    """A run that is wanted.

    Attributes:
        pinned, key: of which derivation, under which key.
        remake: the record of a realization to make again, or all that is known of it.
        extra: whether it is wanted however many there are.
        apart: the index of a recorded run, if that is made once more beside what the store has.
    """

    pinned: Pinned
    key: Key
    remake: Record | Lost | None = None
    extra: bool = False
    apart: int | None = None


class Running(NamedTuple):
    """A run under way."""

    job: Job
    slot: Slot
    workspace: Workspace
    request: BuildRequest
    context: Context
    watch: Watch
    share: Share
    attempt: int = 1


class Runs:
    """Begins and ends runs.

    Args:
        decider: knows what was chosen for the inputs.
        keeper: gives workspaces and takes what was made.
        facts: of the project that a builder is part of and of the environment, for the record of the run.
        call: what holds for all runs.
        resume: takes over a run of a key, in a store, that an engine goes on with since whoever waited for it is gone;
            gives its index, None if there is none.
    """

    def __init__(
        self,
        decider: Decider,
        keeper: Keeper,
        facts: Callable[[Pinned], Mapping[str, Any]],
        call: Call,
        resume: Callable[[str, str], int | None] | None = None,
    ) -> None:
        self._resume = resume
        self._decider = decider
        self._keeper = keeper
        self._facts = facts
        self._call = call
        self._conditions: dict[int, Conditions] = {}

    def builder(self, pinned: Pinned) -> Callable[..., object]:
        """What is to be run.

        Raises:
            BuildError: there is a description alone.
        """
        if pinned.builder is None:
            raise BuildError(
                "only the description is at hand, not the code that builds it",
                where=f"{pinned.name} {pinned.ref.short}",
                hint="give the stage itself",
                stage=pinned.name,
            )
        return pinned.builder

    def begin(self, job: Job, slot: Slot, before: Running | None = None, share: Share = UNSHARED) -> Running:
        """Write the derivation, reserve the run, and say all that the executor needs to know.

        Args:
            job: what is to be run.
            slot: that of the run.
            before: the attempt before, if this is one more of the same run.
            share: what it takes of the machine.

        Raises:
            BuildError: a secret of it could not be kept.
        """
        pinned = job.pinned
        conditions = self.conditions(pinned)
        if conditions.secrets:
            check_secrets(f"{pinned.name} {pinned.ref.short}", conditions)
            self._keeper.forget_killed(job.key.home)
        context = self._decider.context_of(pinned)
        self._keeper.write_derivation(pinned.ref, pinned.document)
        index = self._index(job, slot) if before is None else before.request.run
        has_out = knows_out(pinned.wants_build, pinned.promises, conditions)
        workspace = self._keeper.workspace(job.key.home, index, has_out=has_out, apart=job.apart is not None)
        inputs: dict[str, None] = {}
        request = BuildRequest(
            stage=pinned.name,
            builder=self.builder(pinned),
            wants_build=pinned.wants_build,
            arguments=self._arguments(pinned, inputs),
            promises=pinned.promises,
            key=job.key.home,
            run=index,
            seed=seed_of(job.key.full, index),
            out=workspace.out,
            scratch=workspace.scratch,
            checkpoint=workspace.checkpoint,
            log=workspace.log,
            conditions=conditions,
            inputs=tuple(inputs),
            store=self._keeper.root,
            apart=job.apart is not None,
            devices=share.devices,
            hide=functools.partial(without_secrets, self._keeper.blot) if conditions.secrets else None,
        )
        watch = self._keeper.watch(workspace, self._inputs(pinned))
        attempt = 1 if before is None else before.attempt + 1
        return Running(job, slot, workspace, request, context, watch, share, attempt)

    def _index(self, job: Job, slot: Slot) -> int:
        if job.apart is not None:
            return job.apart
        if isinstance(job.remake, Lost):
            return job.remake.run
        made = self._keeper.runs(job.remake) if job.remake is not None else ()
        if made:
            return made[0].index
        resumed = self._resume(self._keeper.root, job.key.home) if self._resume is not None else None
        return self._keeper.reserve(job.key.home, first=slot.first) if resumed is None else resumed

    def conditions(self, pinned: Pinned) -> Conditions:
        """How runs of a derivation are carried out in this call."""
        found = self._conditions.get(id(pinned.conditions))
        if found is None:
            found = self._conditions[id(pinned.conditions)] = self._call.conditions(pinned.conditions)
        return found

    def _arguments(self, pinned: Pinned, paths: dict[str, None]) -> dict[str, Any]:
        """The arguments; the paths of what is given of inputs are added to `paths`."""
        inputs = pinned.inputs

        def given(index: int) -> object:
            ref, promise = inputs[index]
            seen = [self._visible(ref, record, promise, paths) for record in self._decider.records(ref)]
            return tuple(seen) if self._decider.choices[ref].many else seen[0]

        return {name: decode(tree, pinned.types, given) for name, tree in pinned.params.trees().items()}

    def _inputs(self, pinned: Pinned) -> Iterable[Record]:
        """The realizations that the builder is given, each once."""
        return {record.ref: record for ref, _ in pinned.inputs for record in self._decider.records(ref)}.values()

    def _visible(self, ref: DerivationRef, record: Record, promise: str | None, paths: dict[str, None]) -> object:
        path = self._keeper.payload_text(record)
        if promise is not None:
            path = f"{path}/{record.promises[promise].path}"
        paths[path] = None
        if promise is not None:
            return Path(path)
        pinned = self._decider.closure.by_ref[ref]

        def params() -> dict[str, Any]:
            return {name: decode(tree, pinned.types) for name, tree in pinned.params.shown_trees().items()}

        promises = {name: kept.path for name, kept in pinned.promises.items()}
        seen: VisibleInput[Any] = VisibleInput(
            path, promises, params, decode(record.value, {}), self._keeper.list_files
        )
        return seen

    def end(self, running: Running, result: BuildResult) -> Record | None:
        """Register what a run gave, or keep what it left and raise.

        A run that was to make a realization again and gave another one shows that this realization cannot be had
        any more: that is noted, and the result, which has the index and seed of a run that gave something else, is
        let go.

        Returns:
            What was registered; None if nothing was.

        Raises:
            BuildError: the builder failed (PromiseError: it broke a promise).
            MatcherError: the matcher refused the realization; it was not registered.
        """
        job = running.job
        sealed = self.seal(running, result)
        if job.remake is not None and sealed.ref != job.remake.ref:
            self._keeper.lose(job.remake)
            self._keeper.discard(running.workspace)
            return None
        return self.register(running, result, sealed)

    def seal(self, running: Running, result: BuildResult) -> Sealed:
        """Find out what a run gave; BuildError, after keeping what it left, if that was nothing."""
        job, workspace = running.job, running.workspace
        spoilt = spoilt_by(running.watch.changes(int(result.duration * LOOKS_PER_SECOND)))
        if result.failure is not None:
            error = self.failed(running, result, result.failure)
            if spoilt is not None:
                error.add_note(f"and: {spoilt.what}\n  {spoilt.hint}")
            raise error
        if spoilt is not None:
            raise self.failed(running, result, spoilt)
        promises = {name: promise.path for name, promise in job.pinned.promises.items()}
        try:
            return self._keeper.seal(workspace, job.key.home, job.key.full, result.value, promises)
        except ArtifactError as error:
            raise self.failed(running, result, Failure("artifact", error.told, hint=error.hint)) from error

    def register(self, running: Running, result: BuildResult, sealed: Sealed) -> Record:
        """Let what a run gave be seen, unless the matcher refuses it (MatcherError)."""
        self._admit(running, sealed)
        run = Run(
            running.request.run,
            running.request.seed,
            result.started,
            result.duration,
            running.context,
            None,
            _both(_told(running, result), self._facts(running.job.pinned)),
        )
        self._decider.hold(sealed.ref)
        record = self._keeper.register(sealed, run, logged=result.logged)
        self._decider.made(record)
        return record

    def _admit(self, running: Running, sealed: Sealed) -> None:
        job = running.job
        if getattr(job.pinned.matcher, "lenient", False):
            return
        records = self._keeper.candidates(job.key.home, job.key.full)
        try:
            reason = job.pinned.matcher.refuse([Realization(record, self._keeper) for record in records], sealed.ref)
        except PylightnixError:
            raise
        except Exception as error:
            wrong = f"raised {type(error).__name__}: {error}, asked whether it refuses {sealed.ref}"
            raise self._broken(running, sealed, wrong) from error
        if reason is None:
            return
        if not isinstance(reason, str):
            raise self._broken(running, sealed, f"gave {reason!r} as the reason to refuse {sealed.ref}")
        kept = self.keep(running, reason, "refused", sealed)
        raise MatcherError(
            reason,
            where=f"{job.pinned.name} {job.pinned.ref.short}",
            hint=f"nothing was registered; {kept.told}",
            stage=job.pinned.name,
            **kept.fields,
            run=running.request.run,
            seed=running.request.seed,
        )

    def _broken(self, running: Running, sealed: Sealed, wrong: str) -> MatcherError:
        """Keep a run that a broken matcher said nothing usable about, as if it had refused it; the error for that."""
        error = broken(running.job.pinned, wrong)
        kept = self.keep(running, error.what, "refused", sealed)
        error.add_note(f"nothing was registered; {kept.told}")
        return error

    def keep(self, running: Running, what: str, kind: str, sealed: Sealed) -> Kept:
        """Keep what a run gave that is not registered, where failed runs are kept."""
        return self._keep(running, {"what": what, "kind": kind, "ref": sealed.ref, **_about(running)})

    def _keep(self, running: Running, facts: Mapping[str, Any]) -> Kept:
        """Keep what a run left, if that can be done: why it failed is told in any case."""
        try:
            return Kept(self._keeper.keep_failed(running.workspace, running.job.pinned.name, facts))
        except PylightnixError as error:
            return Kept(None, error.told)

    def failed(self, running: Running, result: BuildResult, failure: Failure) -> BuildError:
        """Keep what a failed run left; the error that tells of it."""
        about = _about(running)
        log = last_lines(self._keeper.tail(running.workspace))
        facts = {
            "what": failure.what,
            "kind": failure.kind,
            "traceback": failure.traceback,
            "fields": dict(failure.fields),
            "started": result.started,
            "duration": result.duration,
            **about,
            **_told(running, result),
        }
        kept = self._keep(running, facts)
        kind = PromiseError if failure.kind == "promise" else BuildError
        error = kind(
            failure.what,
            where=f"{about['stage']} failed",
            hint=failure_text(about, failure, log, kept),
            **about,
            **dict(failure.fields),
            kind=failure.kind,
            traceback=failure.traceback,
            log=log,
            **kept.fields,
        )
        error.__cause__ = result.error
        return error


def _told(running: Running, result: BuildResult) -> Mapping[str, Any]:
    """What the executor says of where a run was, and of what it used; and how many attempts it took."""
    if not result.findings and running.attempt == 1:
        return result.facts
    facts = dict(result.facts)
    if result.findings:
        facts["findings"] = [finding._asdict() for finding in result.findings]
    if running.attempt > 1:
        facts["attempts"] = running.attempt
    return facts


def _both(own: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of a run and those that it shares with others, which may not be known yet: then nothing waits here."""
    return {**shared, **own} if type(shared) is dict else ChainMap(dict(own), shared)  # type: ignore[arg-type]


def _about(running: Running) -> dict[str, Any]:
    pinned = running.job.pinned
    return {
        "stage": pinned.name,
        "derivation": pinned.ref,
        "params": pinned.parsed()["params"],
        "key": running.job.key.home,
        "run": running.request.run,
        "seed": running.request.seed,
    }
