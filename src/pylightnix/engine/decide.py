"""The one walk for whether and why: key, candidates, matcher, choice. Unaware of how anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pylightnix.engine.contexts import Contexts
from pylightnix.engine.elsewhere import Elsewhere
from pylightnix.engine.history import History
from pylightnix.engine.keys import Key, Keys
from pylightnix.engine.recollection import Recollection
from pylightnix.engine.verdicts import ask
from pylightnix.errors import GraphError, MatcherError
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.holding import Holding, Loose
from pylightnix.model.keeping import Keeper, Lost
from pylightnix.model.matching import Build
from pylightnix.model.plan import Step
from pylightnix.model.realization import Around, Realization
from pylightnix.model.records import Context, InputChoice, Record, make_context
from pylightnix.model.remembered import Remembered
from pylightnix.model.supplying import NOWHERE, Supply
from pylightnix.names import DerivationRef, KeyRef, RealizationRef


class Remake(NamedTuple):
    """What is to be made again by the run that made it: what is needed without artifacts, or may be if it is known."""

    record: Record | Lost


class Decision(NamedTuple):
    """What is to be done for a derivation now: a choice was made, or these runs are wanted; `step` says why.

    `stale`: what was chosen for it before, and others were decided on, cannot be had any more. `away`: other places
    have to be asked first, see `elsewhere`.
    """

    step: Step
    key: Key
    choice: InputChoice | None = None
    remake: tuple[Remake, ...] = ()
    extra: bool = False
    stale: bool = False
    away: bool = False


class _Had(NamedTuple):
    """What is done with realizations that are chosen, those to be made again for that, and whether one is elsewhere."""

    step: Step
    remake: tuple[Remake, ...] = ()
    away: bool = False


class Decider:
    """Decides for one derivation after the other, each after its inputs.

    A realization whose artifacts are not here is chosen by its record. They are had back only if somebody needs them:
    who asked for it, or a run that is given it; then it is decided again, and the choice stays.

    Args:
        closure: what is walked.
        keeper: where candidates are.
        rebuild: derivations of which one more run is wanted even where the matcher is satisfied.
        note: whether the keeper notes in which contexts realizations are used; a plan only looks.
        holding: keeps what is chosen from being collected.
        supply: other places where results may be had.
    """

    def __init__(
        self,
        closure: Closure,
        keeper: Keeper,
        rebuild: Iterable[DerivationRef] = (),
        *,
        note: bool = True,
        holding: Holding | None = None,
        supply: Supply = NOWHERE,
    ) -> None:
        self.closure = closure
        self.elsewhere = Elsewhere(supply)
        self.choices: dict[DerivationRef, InputChoice] = {}
        self._records: dict[DerivationRef, tuple[Record, ...]] = {}
        self._contexts = Contexts(self.context_of)
        self.holding: Holding = holding or Loose()
        self._barren: list[Context] = []
        self._keys = Keys(closure, self.choices, self.records)
        self._recollection = Recollection(closure, keeper.memory)
        self._keeper = keeper
        self._asked: dict[DerivationRef, Key] = {}
        self._wanted_first: dict[KeyRef, int] = {}
        self._made_in: dict[DerivationRef, Context] = {}
        self._seen: dict[KeyRef, dict[RealizationRef, Record]] = {}
        self._fresh: set[RealizationRef] = set()  # what was registered here, and is held: its artifacts were seen to
        self._rebuild = set(rebuild)
        self._needed = set(closure.targets)
        self._bare: dict[DerivationRef, str] = {}
        self._trash: Mapping[RealizationRef, str] | None = None
        self._note = note
        self._history = History(keeper)

    def ready(self, pinned: Pinned) -> bool:
        """Whether all inputs are chosen."""
        return pinned.fixed is not None or all(i.derivation in self.choices for i in pinned.inputs)

    def waiting(self, pinned: Pinned) -> Step:
        """The step of a derivation whose key is not known yet."""
        names = dict.fromkeys(i.derivation.name for i in pinned.inputs if i.derivation not in self.choices)
        return Step(pinned.ref, "waiting", f"waits for {', '.join(names)}")

    def decide(self, pinned: Pinned) -> Decision:
        """Whether this derivation is satisfied, and if not what is wanted."""
        if pinned.ref in self.choices:
            return self._decide_again(pinned)
        if pinned.fixed is not None:
            return self._choose_fixed(pinned, pinned.fixed)
        if pinned.ref not in self._rebuild and (remembered := self._recollection.of(pinned)) is not None:
            return self._take_over(pinned, remembered)
        key = self._asked.pop(pinned.ref, None) or self._keys.of(pinned)
        candidates = self._candidates(key, self._seen.pop(key.home, None))
        if lost := self._keeper.damaged(key.home):  # what no matcher can judge, since its value is not known
            runs = f"run{'s' if len(lost) > 1 else ''} {', '.join(str(one.run) for one in lost)}"
            why = f"what {runs} made was damaged, and its record is lost"
            remake = tuple([Remake(one) for one in lost])
            return Decision(Step(pinned.ref, "build", why, "", len(lost), key.home), key, remake=remake)
        verdict = ask(pinned, candidates)
        if isinstance(verdict, Build):
            self._asked[pinned.ref] = key
            if self.elsewhere.seeks(pinned.ref, key):
                return Decision(Step(pinned.ref, "build", verdict.why, "", verdict.count, key.home), key, away=True)
            if not candidates:
                self._wanted_first[key.home] = verdict.count
            because = self._history.because(pinned, candidates)
            return Decision(Step(pinned.ref, "build", verdict.why, because, verdict.count, key.home), key)
        if pinned.ref in self._rebuild:
            return Decision(Step(pinned.ref, "build", "one more run was asked for", "", 1, key.home), key, extra=True)
        records = tuple([realization.record for realization in verdict.chosen])
        self.holding.add([record.ref for record in records])
        had = self._have(pinned, key, records, verdict.why)
        if had.remake or had.away:
            return Decision(had.step, key, remake=had.remake, away=had.away)
        choice = self._choose(pinned, key.home, records)
        lone = len(candidates) == 1 and not self.is_bare(pinned.ref)
        self._recollection.note(pinned, choice, verdict.why, lone=lone)
        return Decision(had.step, key, choice)

    def _have(self, pinned: Pinned, key: Key, records: tuple[Record, ...], why: str) -> _Had:
        """What is done with realizations that are chosen, so that their artifacts are there where they are needed."""
        home, refs = key.home, tuple([record.ref for record in records])
        gone = [one for one in records if one.ref not in self._fresh and not self._keeper.present(one)]
        if gone and pinned.ref not in self._needed:
            self._bare[pinned.ref] = why
            why = f"{why}; its artifacts are not here, and nothing needs them"
            return _Had(Step(pinned.ref, "reuse", why, "", 0, home, refs))
        lacking = [record for record in gone if not self._comes_back(record)]
        if lacking and self.elsewhere.seeks(pinned.ref, key):
            return _Had(Step(pinned.ref, "build", why, "", len(lacking), home), away=True)
        if self._note and self.elsewhere.fetches(pinned.ref, lacking):
            return _Had(Step(pinned.ref, "fetch", why, "", 0, home, refs), away=True)
        whence = self.elsewhere.origin if self._note else self.elsewhere.supply.whence
        came = list(filter(None, map(whence, records if self._note else lacking)))
        lacking = lacking if self._note else [record for record in lacking if not whence(record)]
        if lacking:
            why = f"{why}; {'needed' if self.is_bare(pinned.ref) else 'chosen'}, but its artifacts are not here"
            remake = tuple([Remake(record) for record in lacking])
            return _Had(Step(pinned.ref, "build", why, "", len(remake), home), remake)
        self._bare.pop(pinned.ref, None)
        if came:
            return _Had(Step(pinned.ref, "fetch", f"{why}; from {', '.join(dict.fromkeys(came))}", "", 0, home, refs))
        if gone:
            return _Had(Step(pinned.ref, "fetch", f"{why}; its artifacts were in the trash", "", 0, home, refs))
        return _Had(Step(pinned.ref, "reuse", why, "", 0, home, refs))

    def _comes_back(self, record: Record) -> bool:
        """Whether the artifacts are in the trash still; a walk that may write puts them back."""
        if self._trash is None:
            self._trash = self._keeper.trashed()
        place = self._trash.get(record.ref)
        return place is not None and (not self._note or self._keeper.bring_back(record, place))

    def _decide_again(self, pinned: Pinned) -> Decision:
        """What was chosen without its artifacts has to have them."""
        choice, records = self.choices[pinned.ref], self.records(pinned.ref)
        key = Key(records[0].key, records[0].home)
        self._seen.pop(key.home, None)
        counting = {one.ref for one in self._candidates(key)}
        if not counting.issuperset(choice.chosen):
            why = "what was chosen cannot be made again"
            return Decision(Step(pinned.ref, "waiting", why, "", 0, key.home), key, stale=True)
        had = self._have(pinned, key, records, self._bare[pinned.ref])
        return Decision(had.step, key, None if had.remake or had.away else choice, had.remake, away=had.away)

    def is_bare(self, ref: DerivationRef) -> bool:
        """Whether something was chosen for it by records alone: some of its artifacts are not here."""
        return ref in self._bare

    def lacking(self, pinned: Pinned) -> list[DerivationRef]:
        """The inputs of which a run of this derivation has to wait for artifacts: they are needed from now on."""
        found = [ref for ref in dict.fromkeys(i.derivation for i in pinned.inputs) if ref in self._bare]
        self._needed.update(found)
        return found

    def anew(self) -> Decider:
        """One that has decided nothing yet."""
        return Decider(
            self.closure, self._keeper, self._rebuild, note=self._note, holding=self.holding,
            supply=self.elsewhere.supply,
        )  # fmt: skip

    def _take_over(self, pinned: Pinned, remembered: Remembered) -> Decision:
        """Choose what an earlier realize chose, since it would be chosen again."""
        choice = self.choices[pinned.ref] = remembered.choice
        self.holding.add(choice.chosen)
        self._contexts.expect(choice.context, pinned)
        step = Step(pinned.ref, "reuse", remembered.why, "", 0, choice.key, choice.chosen)
        return Decision(step, Key("", choice.key), choice)

    def records(self, ref: DerivationRef) -> tuple[Record, ...]:
        """The records of what was chosen for a derivation; those of a choice that was taken over are read only now."""
        found = self._records.get(ref)
        if found is None:
            found = self._records[ref] = self._keeper.chosen(self.choices[ref])
        return found

    def missing(
        self, pinned: Pinned, key: Key, remake: Record | Lost | None = None, *, nothing_there: bool = False
    ) -> int:
        """How many runs are missing now, by a look at the candidates of this moment; nothing is chosen.

        Args:
            pinned: of which derivation, its inputs chosen.
            key: its key.
            remake: if the run is to make this realization again: 1 if it still has to be, else 0.
            nothing_there: whether it is known that there are no candidates.
        """
        candidates = self._candidates(key, {} if nothing_there else None)
        self._seen[key.home] = {candidate.ref: candidate.record for candidate in candidates}
        if not candidates and (count := self._wanted_first.pop(key.home, None)) is not None:
            return count  # the matcher was asked about this before
        if isinstance(remake, Lost):
            return int(remake in self._keeper.damaged(key.home))
        if remake is not None:
            return int(not self._keeper.present(remake) and any(c.ref == remake.ref for c in candidates))
        verdict = ask(pinned, candidates)
        return verdict.count if isinstance(verdict, Build) else 0

    def made(self, record: Record) -> None:
        """A run that was missing has given this: the next decision takes it together with what that look saw.

        So a run costs two looks and not three. What others made since then counts as made after the decision.
        """
        self._fresh.add(record.ref)
        seen = self._seen.get(record.home)
        if seen is not None:
            seen.setdefault(record.ref, record)

    def hold(self, ref: RealizationRef) -> None:
        """Keep from being collected what is about to be registered."""
        with self.holding.looking():
            self.holding.add((ref,))

    def satisfied_rebuild(self, ref: DerivationRef) -> None:
        """Note that the one more run was made."""
        self._rebuild.discard(ref)

    def _candidates(self, key: Key, seen: Mapping[RealizationRef, Record] | None = None) -> list[Realization[Any]]:
        """The candidates of this moment, or those that were seen before, in order of their references."""
        records = self._keeper.candidates(key.home, key.full) if seen is None else [seen[ref] for ref in sorted(seen)]
        found: list[Realization[Any]] = [Realization(record, self._keeper) for record in records]
        if self.elsewhere.supply.there and (others := self.elsewhere.supply.candidates(key.home)):
            more: dict[RealizationRef, Realization[Any]] = {r.ref: Realization(r, shelf) for r, shelf in others}
            found = [one for one in found if one.ref not in more] + list(more.values())
            found.sort(key=lambda realization: realization.ref)
        return found

    def _choose(self, pinned: Pinned, home: KeyRef, records: tuple[Record, ...]) -> InputChoice:
        context = self.context_of(pinned)
        del self._made_in[pinned.ref]
        for record in records:
            if self._note and record.made_in != context.hash:
                self._keeper.add_context(record, context, pinned.document)
        return self._chosen(pinned, home, records, context, self._recollection.printed(pinned.matcher).text)

    def _chosen(
        self, pinned: Pinned, home: KeyRef, records: tuple[Record, ...], context: Context, matcher: str
    ) -> InputChoice:
        self._contexts.add(context)
        if not records:
            self._barren.append(context)
        self._records[pinned.ref] = records
        many = pinned.fixed is None and pinned.matcher.many
        choice = InputChoice(home, tuple([record.ref for record in records]), many, context.hash, matcher)
        self.choices[pinned.ref] = choice
        return choice

    def context_of(self, pinned: Pinned) -> Context:
        """The choices that a run of this derivation is made with."""
        known = self._made_in.get(pinned.ref)
        if known is None:
            known = make_context(pinned.ref, {i.derivation: self.choices[i.derivation] for i in pinned.inputs})
            self._made_in[pinned.ref] = known
        return known

    def _choose_fixed(self, pinned: Pinned, realization: Realization[Any]) -> Decision:
        record, why = realization.record, "this realization was given"
        self.holding.add((record.ref,))
        if not self._keeper.present(record) and not self._comes_back(record):
            raise MatcherError(
                f"the realization {record.ref} was given, and its artifacts are not in this store",
                hint="realize its stage again, or give the stage itself",
                ref=record.ref,
            )
        choice = self._chosen(pinned, record.home, (record,), realization.context, repr(pinned.matcher))
        self._recollection.note(pinned, choice, why, lone=False)
        return Decision(
            Step(pinned.ref, "reuse", why, "", 0, record.home, choice.chosen), Key(record.key, record.home), choice
        )

    def keep(self) -> None:
        """Remember what was chosen for the next realize of this closure."""
        self._recollection.keep()

    def check_consistency(self) -> None:
        """See that the ancestry of realizations that were given agrees with what this plan chose.

        Raises:
            GraphError: one derivation, two choices.
        """
        for pinned in self.closure.order:
            if pinned.fixed is not None:
                self._check_ancestry(pinned, pinned.fixed)

    def _check_ancestry(self, pinned: Pinned, realization: Realization[Any]) -> None:
        for ref, made_with in ancestry(self._keeper, realization.record, realization.context):
            ours = self.choices.get(ref)
            if ours is not None and ours.chosen != made_with.chosen:
                raise GraphError(
                    f"{pinned.name} {realization.ref.short} was made with {ref.name} {made_with.chosen[0].short}, "
                    f"and this plan chose {ours.chosen[0].short}",
                    where=ref.name,
                    hint=f"give that realization of {ref.name} too (it is in .deps of the one given), "
                    "or the stage instead",
                    derivation=ref,
                )

    def realization(self, ref: DerivationRef, hand: object = None) -> tuple[Realization[Any], ...]:
        """What was chosen for a derivation, as the user gets it; `hand` lives as long as any of it does."""
        context = self._contexts[self.choices[ref].context]
        around = Around(self._contexts, self.closure.by_ref, self._barren, hand)
        return tuple(Realization(record, self._keeper, context, around) for record in self.records(ref))


def ancestry(keeper: Keeper, record: Record, context: Context) -> Iterable[tuple[DerivationRef, InputChoice]]:
    """All choices below a context, each once, without recursion."""
    seen = {context.hash}
    stack = [(record, context)]
    while stack:
        _, here = stack.pop()
        for ref, choice in here.inputs.items():
            yield ref, choice
            if choice.context not in seen and choice.chosen:
                seen.add(choice.context)
                below = keeper.chosen(choice)[0]
                stack.append((below, keeper.context(below, choice.context)))
