"""The verb `check`: make a recorded run once more with its seed and its inputs, and compare what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack, overload

from pylightnix.comparison.differences import Difference, Tolerance, Verdict, worst
from pylightnix.comparison.judging import Judge
from pylightnix.comparison.trees import Tree, compare_trees
from pylightnix.comparison.values import compare_values
from pylightnix.dsl.closure import pin
from pylightnix.engine.again import Made, Pins, Recorded, made_again, recorded_run
from pylightnix.engine.events import Listener, Silent
from pylightnix.errors import StoreError, TargetError
from pylightnix.model.build import Executor
from pylightnix.model.conditions import Call, Isolation
from pylightnix.model.config import decode
from pylightnix.model.realization import Realization
from pylightnix.model.records import Run
from pylightnix.names import RealizationRef, printable
from pylightnix.session.executing import ExecutorLike, call_for, executor_for
from pylightnix.session.facts import Facts
from pylightnix.session.location import StoreLike, as_store
from pylightnix.session.standing import standing
from pylightnix.session.targets import Targets
from pylightnix.session.telling import PlainTelling
from pylightnix.store.store import Store


@dataclass(frozen=True, slots=True)
class Check:
    """What came of making one run again.

    Attributes:
        ref: the realization that the run gave.
        run, seed: which run, and what its seed is.
        verdict: equal (byte for byte), close (within the tolerance), or different.
        differences: what differs, file by file; none if equal.
        now: what the run gave this time; `ref` if equal.
        duration, before: seconds that it took this time, and when it was recorded.
        registered: whether what it gave this time is in the store now.
        kept: the directory in which it is kept for examination, if that was asked for.
    """

    ref: RealizationRef
    run: int
    seed: int
    verdict: Verdict
    differences: tuple[Difference, ...]
    now: RealizationRef
    duration: float
    before: float
    registered: bool = False
    kept: Path | None = None

    def lines(self, most: int | None = None) -> list[str]:
        """All of it for people; at most so many of its differences."""
        head = f"{self.verdict:<9}  {self.ref.short}  {self.ref.name}  run {self.run}, seed {self.seed}"
        told = self.differences if most is None else self.differences[:most]
        lines = [head, *(f"  {printable(difference.line())}" for difference in told)]
        if len(told) < len(self.differences):
            lines.append(f"  and {len(self.differences) - len(told):,} more")
        if self.registered and self.now != self.ref:
            lines.append(f"  registered: {self.now}")
        if self.kept is not None:
            lines.append(f"  kept: {printable(str(self.kept))}")
        return lines


class Checks(Sequence[Check]):
    """What came of each run that was made again; print it.

    Attributes:
        verdict: the worst of them.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = tuple(checks)
        self.verdict = worst(one.verdict for one in self._checks)

    @overload
    def __getitem__(self, index: int) -> Check: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Check, ...]: ...
    def __getitem__(self, index: int | slice) -> Check | tuple[Check, ...]:
        return self._checks[index]

    def __len__(self) -> int:
        return len(self._checks)

    def __str__(self) -> str:
        return "\n".join(line for one in self._checks for line in one.lines())

    def __repr__(self) -> str:
        return f"<checks: {len(self)}, {self.verdict}>"


class Wanted(NamedTuple):
    """How to check; see `check`."""

    tolerance: Tolerance = Tolerance()
    run: int | None = None
    register: bool = False
    keep: bool = False
    call: Call = Call()


class Options(TypedDict, total=False):
    """The keywords that `check` shares with `realize`."""

    store: StoreLike
    executor: ExecutorLike
    isolation: Isolation | None
    listener: Listener | None
    quiet: bool


class CheckTelling(PlainTelling):
    """Tells each run as it ends."""

    def end(self) -> None:
        """Tell nothing: the verdicts are the end."""


def check(
    asked: Any,
    *,
    of: Any = None,
    run: int | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
    closure: bool = False,
    register: bool = False,
    keep: bool = False,
    **options: Unpack[Options],
) -> Checks:
    """Make recorded runs again, each with its seed and the very inputs that it had, and compare what they give.

    Args:
        asked: a derivation or stage that is realized, or realizations, or references of some; or lists of these.
        of: for references: a derivation or stage in whose closure is the code that made them.
        run: index of the run; default: the run that first gave what is checked.
        rtol: how far a number may be off in values, `.npy`, `.npz`, JSON and CSV:
            |now - recorded| <= atol + rtol * |recorded|, and NaN is NaN. Default: nothing may differ, down to the byte.
        atol: see `rtol`.
        closure: check everything that it was made from, too.
        register: register what differs, under the index and seed of the run; default: nothing is registered.
        keep: keep what differs in the `failed/` of the store.
        **options: `store`, `executor`, `isolation`, `listener` and `quiet`, as for `realize`.

    Raises:
        TargetError: it is not realized, or the code that made it is not at hand.
        CollectedError: what a run was given is not there any more.
        BuildError: the builder failed this time.
    """
    found, listener = as_store(options.get("store")), options.get("listener")
    wanted = Wanted(Tolerance.parse(rtol, atol), run, register, keep, call_for(options.get("isolation"), strict=False))
    realizations = to_check(asked, of, found, closure=closure)
    told = listener if listener is not None else Silent() if options.get("quiet") else CheckTelling()
    with executor_for(options.get("executor"), 1, None) as runner:
        return Checks(list(checking(realizations, found, wanted, runner, told)))


def to_check(asked: Any, of: Any, store: Store, *, closure: bool) -> list[tuple[Realization[Any], Pins]]:
    """The realizations that are meant, each once, with the derivations among which is the code that made them."""
    known = pin(Targets(of).derivations).by_ref if of is not None else None
    found = [
        (one, known if known is not None else realization._around.closure)
        for realization in _realizations(asked, store)
        for one in (_made_from(realization) if closure else [realization])
    ]
    return list({one.ref: (one, pins) for one, pins in found}.values())


def _realizations(asked: Any, store: Store) -> list[Realization[Any]]:
    if isinstance(asked, Realization):
        return [asked]
    if isinstance(asked, str):
        return [store.realization(asked)]
    if isinstance(asked, Mapping):
        asked = list(asked.values())
    if isinstance(asked, (list, tuple)):
        return [one for item in asked for one in _realizations(item, store)]
    return list(standing(asked, store))


def _made_from(realization: Realization[Any]) -> list[Realization[Any]]:
    """A realization after all that it was made from."""
    found: dict[tuple[str, str], Realization[Any]] = {}
    stack = [realization]
    while stack:
        one = stack.pop()
        place = (one.ref, one.context.hash)
        if place in found:
            continue
        found[place] = one
        for choice in one.context.inputs.values():
            for record in one.shelf.chosen(choice):
                context = one._lookup_context(record, choice.context)
                stack.append(Realization(record, one.shelf, context, one._around))
    return list(reversed(found.values()))


def checking(
    realizations: Sequence[tuple[Realization[Any], Pins]],
    store: Store,
    wanted: Wanted,
    executor: Executor,
    listener: Listener,
) -> Iterator[Check]:
    """Check one after the other; all is looked up before the first run."""
    runs = [_recorded(one, pins, wanted.run) for one, pins in realizations]
    listener.begin(len(runs))
    try:
        with Facts(store) as facts:
            for recorded in runs:
                with made_again(recorded, store.keeper, executor, listener, facts, wanted.call) as made:
                    check = _compared(recorded, made, store, wanted)
                yield check
    finally:
        listener.end()


def _recorded(realization: Realization[Any], pins: Pins, index: int | None) -> Recorded:
    run = _run(realization, index)
    if not pins:
        raise TargetError(
            "the store has only the description of it, not the code that builds it",
            where=f"{realization.name} {realization.ref.short}",
            hint="name a stage in whose closure it is: "
            "pylightnix check REF --of FILE.py:STAGE, or check(ref, of=stage())",
            ref=realization.ref,
        )
    return recorded_run(realization.record, run, realization.shelf.derivation(run.derivation), pins)


def _run(realization: Realization[Any], index: int | None) -> Run:
    runs = realization.runs
    for run in runs:
        if index is None or run.index == index:
            return run
    known = ", ".join(str(run.index) for run in runs) or "none that can be read"
    raise TargetError(
        "there is no run of it" if index is None else f"no run {index} gave this",
        where=f"{realization.name} {realization.ref.short}",
        hint=f"its runs: {known}",
        ref=realization.ref,
    )


def _compared(recorded: Recorded, made: Made, store: Store, wanted: Wanted) -> Check:
    differences = tuple(_differences(recorded, made, store, wanted.tolerance))
    verdict = worst(difference.verdict for difference in differences)
    ref, sealed, run = recorded.record.ref, made.sealed, recorded.run
    is_news = sealed.ref != ref or not store.keeper.present(recorded.record)
    registered = wanted.register and is_news
    kept: Path | None = None
    if registered:
        made.register()
        store.keeper.settle()
    elif wanted.keep and sealed.ref != ref:
        place = made.keep(f"a check of run {run.index} of {ref} gave {verdict} artifacts or value: {sealed.ref}")
        if place.place is None:
            raise StoreError(place.told, where=f"{ref.name} {ref.short}")
        kept = place.place
    return Check(
        ref, run.index, run.seed, verdict, differences, sealed.ref, made.result.duration, run.duration, registered, kept
    )


def _differences(recorded: Recorded, made: Made, store: Store, tolerance: Tolerance) -> Iterator[Difference]:
    """What differs between what was recorded and what there is now; the hashes say whether anything does."""
    keeper, old, new = store.keeper, recorded.record, made.sealed.record
    if old.ref == new.ref:
        return
    if old.value_hash != new.value_hash:
        judge = Judge(tolerance)
        compare_values(decode(old.value, {}), decode(new.value, {}), judge)
        found = judge.difference() or Difference("", Verdict.CLOSE, "it is written differently")
        yield found._replace(place="value")
    if old.tree != new.tree:
        before = keeper.payload_text(old) if keeper.present(old) else None
        workspace = made.sealed.workspace
        try:
            yield from compare_trees(
                Tree(keeper.manifest(old), before),
                Tree(keeper.manifest(new, workspace.notes), workspace.out),
                tolerance,
            )
        except OSError as error:
            raise StoreError(
                f"what is to be compared cannot be read: {error.strerror or error}",
                where=printable(str(error.filename or before)),
                errno=error.errno,
            ) from error
