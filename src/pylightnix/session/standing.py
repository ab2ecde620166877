"""What is there already of what was asked for: the realizations that a plan reuses, in their shape. Builds nothing."""

from __future__ import annotations

from typing import Any

from pylightnix.dsl.closure import pin
from pylightnix.engine.decide import Decider
from pylightnix.errors import TargetError
from pylightnix.session.location import as_store
from pylightnix.session.targets import Targets
from pylightnix.store.store import Store


def standing(asked: object, store: Store | None = None) -> Any:
    """What `realize_many` would return, where it had nothing to build.

    Args:
        asked: a derivation or stage, or lists, tuples and dicts of them.
        store: default: the one that is found.

    Raises:
        TargetError: something would have to be built first.
    """
    targets, found = Targets(asked), as_store(store)
    closure = pin(targets.derivations)
    decider = Decider(closure, found.keeper, note=False)
    for pinned in closure.order:
        decision = decider.decide(pinned)
        if decision.choice is None:
            raise TargetError(
                f"not realized in this store: {decision.step.why}", where=f"{pinned.name} {pinned.ref.short}",
                hint=f"pylightnix realize makes it; the store is {found.path}", derivation=pinned.ref,
            )  # fmt: skip
    decider.check_consistency()
    return targets.fill(lambda index: decider.realization(closure.targets[index]))
