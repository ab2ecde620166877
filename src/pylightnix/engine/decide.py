"""The one walk for whether and why: key, candidates, matcher, choice. Unaware of how anything is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pylightnix.engine.history import History
from pylightnix.errors import GraphError, MatcherError, PylightnixError
from pylightnix.hashing import canonical, digest_bytes
from pylightnix.model.closure import Closure, Pinned
from pylightnix.model.keeping import Keeper
from pylightnix.model.matching import Build, Matcher, Reuse, Verdict
from pylightnix.model.plan import Step
from pylightnix.model.promises import Promise
from pylightnix.model.realization import Around, Realization
from pylightnix.model.records import Context, InputChoice, Record, make_context
from pylightnix.names import DerivationRef, KeyRef


class Key(NamedTuple):
    """What a builder can see, as a hash: in full, and as the name under which candidates are found."""

    full: str
    home: KeyRef


class Choice(NamedTuple):
    """What counts for a derivation in this plan."""

    records: tuple[Record, ...]
    many: bool
    home: KeyRef
    context: Context
    matcher: str

    def as_input(self) -> InputChoice:
        """As it stands in the context of what depends on it."""
        return InputChoice(self.home, tuple([r.ref for r in self.records]), self.many, self.context.hash, self.matcher)


class Remake(NamedTuple):
    """A chosen realization whose artifacts are gone: it is to be made again by the run that made it."""

    record: Record


class Decision(NamedTuple):
    """What is to be done for a derivation now: a choice was made, or these runs are wanted; `step` says why."""

    step: Step
    key: Key
    choice: Choice | None = None
    remake: tuple[Remake, ...] = ()


class Decider:
    """Decides for one derivation after the other, each after its inputs.

    Args:
        closure: what is walked.
        keeper: where candidates are.
        rebuild: derivations of which one more run is wanted even where the matcher is satisfied.
        note: whether the keeper notes in which contexts realizations are used; a plan only looks.
    """

    def __init__(
        self, closure: Closure, keeper: Keeper, rebuild: Iterable[DerivationRef] = (), *, note: bool = True
    ) -> None:
        self.closure = closure
        self.choices: dict[DerivationRef, Choice] = {}
        self.contexts: dict[str, Context] = {}
        self._keeper = keeper
        self._rebuild = set(rebuild)
        self._note = note
        self._history = History(keeper)
        self._common: dict[DerivationRef, str] = {}
        self._promises: dict[int, tuple[Mapping[str, Promise], str]] = {}
        self._matchers: dict[int, tuple[Matcher, str]] = {}

    def ready(self, pinned: Pinned) -> bool:
        """Whether all inputs are chosen."""
        return pinned.fixed is not None or all(i.derivation in self.choices for i in pinned.inputs)

    def waiting(self, pinned: Pinned) -> Step:
        """The step of a derivation whose key is not known yet."""
        names = dict.fromkeys(i.derivation.name for i in pinned.inputs if i.derivation not in self.choices)
        return Step(pinned.ref, "waiting", f"waits for {', '.join(names)}")

    def decide(self, pinned: Pinned) -> Decision:
        """Whether this derivation is satisfied, and if not what is wanted."""
        if pinned.fixed is not None:
            return self._choose_fixed(pinned, pinned.fixed)
        key = self.key(pinned)
        candidates = self._candidates(key)
        verdict = self._ask(pinned, candidates)
        if isinstance(verdict, Build):
            because = self._history.because(pinned, candidates)
            return Decision(Step(pinned.ref, "build", verdict.why, because, verdict.count, key.home), key)
        if pinned.ref in self._rebuild:
            return Decision(Step(pinned.ref, "build", "one more run was asked for", "", 1, key.home), key)
        records = tuple([realization.record for realization in verdict.chosen])
        gone = tuple([Remake(record) for record in records if not self._keeper.present(record)])
        if gone:
            why = f"{verdict.why}; chosen, but its artifacts are gone"
            return Decision(Step(pinned.ref, "build", why, "", len(gone), key.home), key, remake=gone)
        choice = self._choose(pinned, key.home, records)
        step = Step(pinned.ref, "reuse", verdict.why, "", 0, key.home, tuple([r.ref for r in records]))
        return Decision(step, key, choice)

    def satisfied_rebuild(self, ref: DerivationRef) -> None:
        """Note that the one more run was made."""
        self._rebuild.discard(ref)

    def key(self, pinned: Pinned) -> Key:
        """The key of a derivation whose inputs are chosen: its document with each input as the builder sees it."""
        views = [self._visible(self.choices[ref], ref, promise) for ref, promise in pinned.inputs]
        full = digest_bytes(pinned.template.fill("key", pinned.params.fill(views)))
        return Key(full, KeyRef.of(full, pinned.name))

    def _visible(self, choice: Choice, ref: DerivationRef, promise: str | None) -> str:
        """What a builder sees of an input, as canonical JSON."""
        if promise is None:
            common = self._common_view(ref)
            views = [f'{common}"tree":"{r.tree}","value":"{r.value_hash}"}}' for r in choice.records]
        else:
            kept = [record.promises[promise] for record in choice.records]
            views = [f'{{"artifact":"{artifact.tree}","kind":"{artifact.kind}"}}' for artifact in kept]
        return f'{{"$inputs":[{",".join(views)}]}}' if choice.many else f'{{"$input":{views[0]}}}'

    def _common_view(self, ref: DerivationRef) -> str:
        """What every realization of a derivation shows alike, parameters and promises: the beginning of its view."""
        common = self._common.get(ref)
        if common is None:
            pinned = self.closure.by_ref[ref]
            common = f'{{"params":{pinned.params.shown()},"promises":{self._promised(pinned)},'
            self._common[ref] = common
        return common

    def _promised(self, pinned: Pinned) -> str:
        """The promised paths by name; all derivations of a stage share them."""
        known = self._promises.get(id(pinned.promises))
        if known is None:
            text = canonical({name: promise.path for name, promise in pinned.promises.items()}).decode()
            known = self._promises[id(pinned.promises)] = (pinned.promises, text)
        return known[1]

    def _candidates(self, key: Key) -> list[Realization[Any]]:
        records = self._keeper.candidates(key.home, key.full)
        return [Realization(record, self._keeper) for record in records]

    def _ask(self, pinned: Pinned, candidates: Sequence[Realization[Any]]) -> Verdict:
        try:
            verdict = pinned.matcher.match(candidates)
        except PylightnixError:
            raise
        except Exception as error:
            raise _broken(pinned, f"raised {type(error).__name__}: {error}") from error
        if isinstance(verdict, Build):
            if verdict.count < 1:
                raise _broken(pinned, f"asked for {verdict.count} runs")
            return verdict
        if not isinstance(verdict, Reuse):
            raise _broken(pinned, f"said neither Reuse nor Build but {verdict!r}")
        chosen = {id(realization) for realization in verdict.chosen}
        if not chosen <= {id(realization) for realization in candidates}:
            raise _broken(pinned, "chose something that is not one of its candidates")
        if len(chosen) < len(verdict.chosen):
            raise _broken(pinned, "chose a realization twice")
        if not pinned.matcher.many and len(chosen) != 1:
            raise _broken(pinned, f"chooses one, and gave {len(chosen)}")
        return verdict

    def _choose(self, pinned: Pinned, home: KeyRef, records: tuple[Record, ...]) -> Choice:
        context = self.context_of(pinned)
        self.contexts[context.hash] = context
        for record in records:
            if self._note and record.made_in != context.hash:
                self._keeper.add_context(record, context, pinned.document)
        choice = Choice(records, pinned.matcher.many, home, context, self._printed(pinned.matcher))
        self.choices[pinned.ref] = choice
        return choice

    def _printed(self, matcher: Matcher) -> str:
        """How a matcher prints; most derivations share theirs."""
        known = self._matchers.get(id(matcher))
        if known is None:
            known = self._matchers[id(matcher)] = (matcher, repr(matcher))
        return known[1]

    def context_of(self, pinned: Pinned) -> Context:
        """The choices that a run of this derivation is made with."""
        return make_context(pinned.ref, {i.derivation: self.choices[i.derivation].as_input() for i in pinned.inputs})

    def _choose_fixed(self, pinned: Pinned, realization: Realization[Any]) -> Decision:
        record = realization.record
        if not self._keeper.present(record):
            raise MatcherError(
                f"the realization {record.ref} was given, and its artifacts are not in this store",
                hint="realize its stage again, or give the stage itself",
                ref=record.ref,
            )
        context = realization.context
        self.contexts[context.hash] = context
        choice = Choice((record,), False, record.home, context, repr(pinned.matcher))
        self.choices[pinned.ref] = choice
        step = Step(pinned.ref, "reuse", "this realization was given", "", 0, record.home, (record.ref,))
        return Decision(step, Key(record.key, record.home), choice)

    def check_consistency(self) -> None:
        """See that the ancestry of realizations that were given agrees with what this plan chose.

        Raises:
            GraphError: one derivation, two choices.
        """
        for pinned in self.closure.order:
            if pinned.fixed is not None:
                self._check_ancestry(pinned, pinned.fixed)

    def _check_ancestry(self, pinned: Pinned, realization: Realization[Any]) -> None:
        for ref, made_with in ancestry(self._keeper, realization.record, self.choices[pinned.ref].context):
            ours = self.choices.get(ref)
            if ours is not None and tuple(r.ref for r in ours.records) != made_with.chosen:
                raise GraphError(
                    f"{pinned.name} {realization.ref.short} was made with {ref.name} {made_with.chosen[0].short}, "
                    f"and this plan chose {ours.records[0].ref.short}",
                    where=ref.name,
                    hint=f"give that realization of {ref.name} too (it is in .deps of the one given), "
                    "or the stage instead",
                    derivation=ref,
                )

    def realization(self, ref: DerivationRef) -> tuple[Realization[Any], ...]:
        """What was chosen for a derivation, as the user gets it."""
        choice = self.choices[ref]
        around = Around(self.contexts, self.closure.by_ref)
        return tuple(Realization(record, self._keeper, choice.context, around) for record in choice.records)


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


def _broken(pinned: Pinned, what: str) -> MatcherError:
    return MatcherError(
        f"the matcher {pinned.matcher!r} {what}",
        where=f"{pinned.name} {pinned.ref.short}",
        hint="a matcher gives Reuse(some of its candidates, why) or Build(count, why)",
        derivation=pinned.ref,
    )
