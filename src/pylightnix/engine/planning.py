"""What a realize would do, decided as it would decide, without doing any of it."""

from __future__ import annotations

from collections.abc import Iterable

from pylightnix.engine.decide import Decider
from pylightnix.engine.scheduler import Scheduler
from pylightnix.model.closure import Closure
from pylightnix.model.keeping import Keeper
from pylightnix.model.plan import Step
from pylightnix.model.supplying import NOWHERE, Supply
from pylightnix.names import DerivationRef


def plan_steps(
    closure: Closure, keeper: Keeper, rebuild: Iterable[DerivationRef] = (), supply: Supply = NOWHERE
) -> list[Step]:
    """What realize would do, in order, and why. Reads only."""
    decider = Decider(closure, keeper, rebuild, note=False, supply=supply)
    steps: dict[DerivationRef, Step] = {}
    _decide_all(closure, decider, steps)
    for pinned in closure.order:
        if pinned.ref not in steps:
            steps[pinned.ref] = decider.waiting(pinned)
    for pinned in closure.order:
        building = [pinned]
        while building:
            user = building.pop()
            for ref in decider.lacking(user) if steps[user.ref].action == "build" else ():
                if steps[ref].action == "reuse":
                    steps[ref] = _decide(closure, decider, ref)
                    building.append(closure.by_ref[ref])
    decider.check_consistency()
    return [steps[pinned.ref] for pinned in closure.order]


def _decide_all(closure: Closure, decider: Decider, steps: dict[DerivationRef, Step]) -> None:
    """Decide what can be; other places are asked together for all that is ready."""
    scheduler = Scheduler[None](
        {p.ref: () if p.fixed is not None else [i.derivation for i in p.inputs] for p in closure.order}
    )
    while True:
        while (ref := scheduler.next_ready()) is not None:
            decision = decider.decide(closure.by_ref[ref])
            steps[ref] = decision.step
            if decision.choice is not None:
                scheduler.done(ref)
        if not decider.elsewhere.wanted:
            return
        for ref in decider.elsewhere.ask(look=True):
            scheduler.again(ref)


def _decide(closure: Closure, decider: Decider, ref: DerivationRef) -> Step:
    """Decide one; other places are asked if need be."""
    decision = decider.decide(closure.by_ref[ref])
    while decision.away:
        decider.elsewhere.ask(look=True)
        decision = decider.decide(closure.by_ref[ref])
    return decision.step
