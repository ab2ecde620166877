"""Makes a recorded run once more, with the inputs that it had, apart from the store's results. Unaware of why.

It is the run that `realize` would make, from request to seal. But nobody counts it as a run of its key that is under
way, it gets no checkpoint of others, and what it gave is registered only if whoever asked for it does that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.engine.decide import Decider
from pylightnix.engine.events import Listener
from pylightnix.engine.failing import Kept
from pylightnix.engine.hiding import without_secrets
from pylightnix.engine.history import difference
from pylightnix.engine.keys import Key
from pylightnix.engine.runs import Job, Running, Runs
from pylightnix.engine.trouble import Attempts
from pylightnix.errors import CollectedError, PylightnixError, TargetError
from pylightnix.hashing import digest_bytes
from pylightnix.model.build import BuildResult, Executor
from pylightnix.model.claiming import Other
from pylightnix.model.closure import Closure, InputRef, Pinned, unslotted
from pylightnix.model.conditions import Call
from pylightnix.model.holding import Holding
from pylightnix.model.keeping import Keeper, Sealed
from pylightnix.model.records import Record, Run
from pylightnix.names import DerivationRef

Pins = Mapping[DerivationRef, Pinned]


class Recorded(NamedTuple):
    """A run as it was made, with the code at hand that made it.

    Attributes:
        record: what it gave.
        run: which one.
        pinned: its derivation.
        closure: that, and those of its inputs.
    """

    record: Record
    run: Run
    pinned: Pinned
    closure: Closure


def recorded_run(record: Record, run: Run, document: Mapping[str, Any], known: Pins) -> Recorded:
    """Find the code of a recorded run among the derivations at hand.

    Code upstream may have changed since, as long as what it gave is the same: so that of the run may be found under
    another reference. It is that of the run if, with the inputs of the run, it has the derivation of the run.

    Args:
        record: of what the run gave.
        run: which one.
        document: of the derivation that was built.
        known: the derivations at hand.

    Raises:
        TargetError: it is not among them.
    """
    alike = [one for one in known.values() if one.name == run.derivation.name and one.builder is not None]
    for pinned in alike:
        inputs = _inputs_of(pinned, document)
        if inputs is None:
            continue
        same = pinned._replace(ref=run.derivation, inputs=inputs)
        if DerivationRef.of(digest_bytes(same.document), same.name) == run.derivation:
            return Recorded(record, run, same, Closure((same,), (same.ref,), _by_ref(pinned, same, known)))
    raise _not_at_hand(record, document, alike, known)


def _inputs_of(pinned: Pinned, document: Mapping[str, Any]) -> tuple[InputRef, ...] | None:
    """What stood in each slot in the run; None if there were others."""
    recorded = unslotted(document["params"])[1]
    slots = list(_slots(pinned.params.trees()))
    if len(slots) != len(recorded):
        return None
    found = dict(zip(slots, recorded, strict=True))
    return tuple([found[slot] for slot in range(len(found))]) if found.keys() == set(range(len(found))) else None


def _slots(tree: Any) -> Iterator[int]:
    """The slots in encoded parameters, in the order of a derivation's file."""
    if type(tree) is dict:
        if len(tree) == 1 and "$slot" in tree:
            yield tree["$slot"]
        else:
            for item in tree.values():
                yield from _slots(item)
    elif type(tree) is list:
        for item in tree:
            yield from _slots(item)


def _by_ref(pinned: Pinned, same: Pinned, known: Pins) -> dict[DerivationRef, Pinned]:
    """The inputs by the references that they had in the run: what a builder sees of their descriptions is the same."""
    found = {same.ref: same}
    whole_first = sorted(zip(same.inputs, pinned.inputs, strict=True), key=lambda pair: pair[0].promise is not None)
    for then, now in whole_first:
        found.setdefault(then.derivation, known[now.derivation])
    return found


def _not_at_hand(record: Record, document: Mapping[str, Any], alike: Sequence[Pinned], known: Pins) -> TargetError:
    where = f"{record.ref.name} {record.ref.short}"
    if not alike:
        names = ", ".join(sorted({pinned.name for pinned in known.values() if pinned.builder is not None}))
        return TargetError(
            "the code that made it is not at hand", where=where,
            hint=f"give the stage that it comes from; given were: {names or 'none'}", ref=record.ref,
        )  # fmt: skip
    told = min((difference(document, one.parsed()) for one in alike), key=len)
    return TargetError(
        f"what is at hand is not what made it: {told}", where=where,
        hint="give the stage as it was, with the parameters that it had; what made it: "
        f"pylightnix show {record.ref.short}",
        ref=record.ref,
    )  # fmt: skip


@dataclass(slots=True)
class Made:
    """What a run that was made once more gave; it is there until the end of `made_again`."""

    running: Running
    result: BuildResult
    sealed: Sealed
    _runs: Runs

    def register(self) -> None:
        """Let it be seen, under the index and seed of the recorded run; MatcherError if the matcher refuses it."""
        self._runs.register(self.running, self.result, self.sealed)

    def keep(self, what: str) -> Kept:
        """Keep it for examination, where failed runs are kept."""
        return self._runs.keep(self.running, what, "check", self.sealed)


class _Apart:
    """The slot of a run that nobody waits for."""

    others: Sequence[Other] = ()
    first = False

    def release(self) -> None:
        pass


@contextlib.contextmanager
def made_again(
    recorded: Recorded,
    keeper: Keeper,
    executor: Executor,
    listener: Listener,
    facts: Callable[[Pinned], Mapping[str, Any]],
    call: Call,
) -> Iterator[Made]:
    """Make a recorded run once more; afterwards nothing of it is left that was not registered or kept.

    Raises:
        CollectedError: artifacts of an input are not here.
        BuildError: the builder failed; what it left is kept.
        StoreError: the store cannot be written, or an input was removed.
    """
    holding = keeper.holding()
    try:
        decider = Decider(recorded.closure, keeper, note=False, holding=holding)
        decider.choices.update(recorded.run.context.inputs)
        _hold(recorded, keeper, decider, holding)
        runs = Runs(decider, keeper, facts, call)
        key = Key(recorded.record.key, recorded.record.home)
        job = Job(recorded.pinned, key, apart=recorded.run.index)
        running = runs.begin(job, _Apart())
        attempts = Attempts(running.request.conditions.retries)
        try:
            while (made := _make(running, runs, attempts, keeper, executor, listener)) is None:
                running = runs.begin(job, _Apart(), running)
                listener.retrying(running.request, running.attempt)
            yield made
        finally:
            keeper.discard(running.workspace)
    finally:
        holding.release()


def _make(
    running: Running, runs: Runs, attempts: Attempts, keeper: Keeper, executor: Executor, listener: Listener
) -> Made | None:
    """One attempt; None if it failed, there is one more, and nothing is left of this one but what is kept."""
    listener.started(running.request)
    try:
        result = executor.submit(running.request, listener.progress).result()
        result = without_secrets(keeper.blot, running.request, result)
    except BaseException:  # interrupted: what still writes is ended before its place is removed
        executor.stop()
        raise
    try:
        sealed = runs.seal(running, result)
    except PylightnixError as error:
        kept = error.fields.get("kept")
        listener.finished(running.request, result, Path(str(kept)) if kept is not None else None)
        if result.failure is None or not attempts.grant(result.failure):
            raise
        keeper.discard(running.workspace)
        return None
    listener.finished(running.request, result, None)
    return Made(running, result, sealed, runs)


def _hold(recorded: Recorded, keeper: Keeper, decider: Decider, holding: Holding) -> None:
    """Keep from being collected what the run was given, if it is there; and what it gave."""
    with holding.looking():
        gone = []
        for ref, choice in recorded.run.context.inputs.items():
            gone += [record for record in decider.records(ref) if not keeper.present(record)]
            holding.add(choice.chosen)
        holding.add((recorded.record.ref,))
    if gone:
        raise _gone(recorded, gone, keeper)


def _gone(recorded: Recorded, gone: Sequence[Record], keeper: Keeper) -> CollectedError:
    told = ", ".join(f"{record.ref.name} {record.ref.short}" for record in gone)
    trashed = keeper.trashed()
    ways = [
        f"pylightnix gc --restore {record.ref.short}"
        if record.ref in trashed
        else f'realize {record.ref.name} with match.exact("{record.ref}")'
        for record in gone
    ]
    ref = recorded.record.ref
    return CollectedError(
        f"run {recorded.run.index} was given artifacts that are not here: {told}", where=f"{ref.name} {ref.short}",
        hint=f"have it back, then check: {'; '.join(ways)}", ref=ref, inputs=[record.ref for record in gone],
    )  # fmt: skip
