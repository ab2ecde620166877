"""Whether a realize did what it had to, and nothing else: what was chosen, what ran, what was said before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pylightnix.model.plan import Step
from pylightnix.testing.worlds.ledger import Execution, Kept
from pylightnix.testing.worlds.reckoning import Foreseen, Reckoning
from pylightnix.testing.worlds.violation import Violation


class Audit:
    """Holds one realize against the reckoning that was made before it; the ledger has its runs by now.

    Derivations that see the same share their runs: one may be satisfied by what was built for another, in any order.
    What is said of one that is alone is exact.

    Args:
        reckoning: what had to be done.
        chosen: what was chosen for each derivation, by identity.
        executions: of this realize.

    Raises:
        Violation: something that is chosen was made from something else than what is to be seen now.
    """

    def __init__(
        self, reckoning: Reckoning, chosen: Mapping[str, Sequence[Kept]], executions: Sequence[Execution]
    ) -> None:
        self._reckoning = reckoning
        self._ledger = reckoning.ledger
        self._chosen = chosen
        self._executions = executions
        self._sharing: dict[str, list[int]] = {}
        for index in reckoning.derivations:
            seen = reckoning.sight(index, chosen)
            self._sharing.setdefault(seen, []).append(index)
            for kept in self._choice(index):
                if kept.sight != seen:
                    raise Violation("stale", f"{self._told(index)} sees {seen}; {kept.ref} was made from {kept.sight}")

    def check(self) -> None:
        """See that all that had to run ran, nothing else did, and that the matchers were asked.

        Raises:
            Violation: it is not so.
        """
        for execution in self._executions:
            if execution.sight not in self._sharing:
                raise Violation("idle", f"nobody needs this run: {execution}")
        for seen, indices in self._sharing.items():
            before = self._reckoning.count(seen)
            made = [execution.run for execution in self._executions if execution.sight == seen]
            self._check_runs(seen, indices, sum(run >= before for run in made))
            self._check_remakes(seen, indices, [run for run in made if run < before])
            for index in indices:
                self._check_choice(seen, index, alone=len(indices) == 1)

    def _choice(self, index: int) -> Sequence[Kept]:
        return self._chosen[self._reckoning.identities[index]]

    def _check_runs(self, seen: str, indices: Sequence[int], new: int) -> None:
        """As many new runs as the matchers wanted, and one for each rebuild where the matcher was satisfied."""
        before = self._reckoning.count(seen)
        needed = max(self._ledger.missing(seen, self._reckoning.picks(index), before) for index in indices)
        asked = sum(self._reckoning.identities[index] in self._reckoning.rebuild for index in indices)
        least = needed or min(asked, 1)
        most = (needed or asked) if len(indices) == 1 else needed + asked
        told = f"{new} new runs of {self._told(*indices)}"
        if new < least:
            raise Violation("stale", f"{told}, at least {least} were wanted")
        if new > most:
            raise Violation("idle", f"{told}, {most} would have done")

    def _check_remakes(self, seen: str, indices: Sequence[int], remade: Sequence[int]) -> None:
        """The first run of each chosen realization whose artifacts were gone, and are needed, is made again, once."""
        before = self._reckoning.count(seen)
        gone = [kept for kept in self._reckoning.gone if kept.sight == seen]
        chosen = [kept for index in indices if self._is_needed(index, surely=True) for kept in self._choice(index)]
        needed = {min(kept.seeds) for kept in gone if kept in chosen and max(kept.seeds) < before}
        perhaps = [kept for index in indices if self._is_needed(index, surely=False) for kept in self._choice(index)]
        allowed = {min(kept.seeds) for kept in gone if kept in perhaps or len(indices) > 1}
        told = f"made again were the runs {list(remade)} of {self._told(*indices)}"
        if not needed <= set(remade):
            raise Violation("stale", f"{told}; gone, and chosen, are {sorted(needed)}")
        if len(set(remade)) < len(remade) or not set(remade) <= allowed:
            raise Violation("idle", f"{told}; {sorted(allowed)} would have done")

    def _is_needed(self, index: int, *, surely: bool) -> bool:
        """Whether artifacts are asked for, or given to a run; surely not where that may have been another's run."""
        return self._reckoning.is_target(index) or any(
            execution.sight == seen
            for execution in self._executions
            for seen, users in self._sharing.items()
            if not surely or len(users) == 1
            for user in users
            for use in self._reckoning.world.nodes[user].given.uses
            if self._reckoning.identities[use.node] == self._reckoning.identities[index]
        )

    def _check_choice(self, seen: str, index: int, alone: bool) -> None:
        """The choice is the matcher's of all candidates; beside others that see the same, of those at some moment."""
        picks, last = self._reckoning.picks(index), self._ledger.count(seen)
        moments = [last] if alone else list(range(self._reckoning.count(seen), last + 1))
        right = [
            self._ledger.chosen(seen, picks, moment)
            for moment in moments
            if not self._ledger.missing(seen, picks, moment)
        ]
        if list(self._choice(index)) not in right:
            told = [[kept.ref for kept in choice] for choice in [self._choice(index), *right]]
            raise Violation("choice", f"{picks} chose {told[0]} for {self._told(index)}, right is {told[1:]}")

    def check_plan_was_kept(self, planned: Sequence[Step], decided: Mapping[str, Step]) -> None:
        """See that realize began with what the plan said of each derivation.

        Args:
            planned: the steps of the plan, in the order of the reckoning's derivations.
            decided: what was decided first, by derivation.

        Raises:
            Violation: it did not.
        """
        alone = {indices[0] for indices in self._sharing.values() if len(indices) == 1}
        for index, before in zip(self._reckoning.derivations, planned, strict=True):
            after = decided.get(before.derivation)
            if after is None:
                raise Violation("plan", f"nothing was decided for {self._told(index)}")
            if index in alone and before.action != "waiting" and _said(before) != _said(after):
                raise Violation("plan", f"{self._told(index)}: planned was {before}, and then {after}")
            if before.action == "reuse" and after.action != "reuse":
                raise Violation("plan", f"{self._told(index)}: {before}, and then {after}")

    def _told(self, *indices: int) -> str:
        return ", ".join(f"stage {index} ({self._reckoning.world.name(index)})" for index in indices)


def check_plan(foreseen: Mapping[str, Foreseen], planned: Mapping[str, Step]) -> None:
    """See that a plan says what was foreseen, both by the reference of a derivation.

    Raises:
        Violation: it does not.
    """
    if set(foreseen) != set(planned):
        raise Violation("plan", f"it has {sorted(planned)}, and should have {sorted(foreseen)}")
    for ref, expected in foreseen.items():
        step = planned[ref]
        if (step.action, step.wanted, tuple(map(str, step.chosen))) != expected:
            raise Violation("plan", f"{step} should be {expected}")


def check_interrupted(reckoning: Reckoning, executions: Sequence[Execution]) -> None:
    """See that of a realize that failed, every run was wanted; as far as what was chosen is known.

    Raises:
        Violation: one was not.
    """
    chosen: dict[str, Sequence[Kept]] = {}
    wanted: dict[str, int] = {}
    for index in reckoning.derivations:
        if any(reckoning.identities[use.node] not in chosen for use in reckoning.world.nodes[index].given.uses):
            continue
        seen, picks = reckoning.sight(index, chosen), reckoning.picks(index)
        if seen in wanted:
            return
        before = reckoning.count(seen)
        wanted[seen] = reckoning.ledger.missing(seen, picks, before) or reckoning.identities[index] in reckoning.rebuild
        if not reckoning.ledger.missing(seen, picks):
            chosen[reckoning.identities[index]] = reckoning.ledger.chosen(seen, picks)
    for execution in executions:
        if execution.sight not in wanted:
            raise Violation("idle", f"nobody needs this run: {execution}")
    for seen, most in wanted.items():
        made = [execution.run for execution in executions if execution.sight == seen]
        new = sum(run >= reckoning.count(seen) for run in made)
        if new > most:
            raise Violation("idle", f"{new} new runs, {most} would have done, of {seen}")


def _said(step: Step) -> tuple[object, ...]:
    """All but the clause that compares with earlier derivations: these become more while a realize goes on."""
    return (step.action, step.wanted, step.key, step.chosen, step.why)
