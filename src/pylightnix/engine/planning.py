"""What a realize would do, decided as it would decide, without doing any of it."""

from __future__ import annotations

from collections.abc import Iterable

from pylightnix.engine.decide import Decider
from pylightnix.model.closure import Closure
from pylightnix.model.keeping import Keeper
from pylightnix.model.plan import Step
from pylightnix.names import DerivationRef


def plan_steps(closure: Closure, keeper: Keeper, rebuild: Iterable[DerivationRef] = ()) -> list[Step]:
    """What realize would do, in order, and why. Reads only."""
    decider = Decider(closure, keeper, rebuild, note=False)
    steps: dict[DerivationRef, Step] = {}
    for pinned in closure.order:
        steps[pinned.ref] = decider.decide(pinned).step if decider.ready(pinned) else decider.waiting(pinned)
        building = [pinned]
        while building:
            user = building.pop()
            for ref in decider.lacking(user) if steps[user.ref].action == "build" else ():
                if steps[ref].action == "reuse":
                    steps[ref] = decider.decide(closure.by_ref[ref]).step
                    building.append(closure.by_ref[ref])
    decider.check_consistency()
    return list(steps.values())
