"""What is there already of what was asked for: the realizations that a plan reuses. Builds nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from pylightnix.dsl.closure import pin
from pylightnix.engine.decide import Decider
from pylightnix.errors import PylightnixError, TargetError
from pylightnix.model.realization import Realization
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
        if decision.step.action != "reuse":
            raise TargetError(
                f"not realized in this store: {decision.step.why}", where=f"{pinned.name} {pinned.ref.short}",
                hint=f"pylightnix realize makes it; the store is {found.path}", derivation=pinned.ref,
            )  # fmt: skip
    decider.check_consistency()
    return targets.fill(lambda index: decider.realization(closure.targets[index]))


class Finished(NamedTuple):
    """What is there of something.

    Attributes:
        whole: whether that is all of what was asked for.
        realizations: that; else of its closure what is there and nothing that is there was made from.
    """

    whole: bool
    realizations: tuple[Realization[Any], ...]


@contextlib.contextmanager
def finished(asked: object, store: Store) -> Iterator[Finished]:
    """What a realize that failed has left, as one more would choose it; held inside.

    Raises:
        PylightnixError: what was asked for cannot be planned.
    """
    closure = pin(Targets(asked).derivations)
    holding = store.keeper.holding()
    try:
        decider = Decider(closure, store.keeper, note=False, holding=holding)
        with holding.looking():
            for pinned in closure.order:
                with contextlib.suppress(PylightnixError):  # what failed fails again
                    if decider.ready(pinned):
                        decider.decide(pinned)
        chosen = [pinned for pinned in closure.order if pinned.ref in decider.choices]
        below = {i.derivation for pinned in chosen if pinned.fixed is None for i in pinned.inputs}
        whole = all(ref in decider.choices for ref in closure.targets)
        refs = closure.targets if whole else [pinned.ref for pinned in chosen if pinned.ref not in below]
        yield Finished(whole, tuple(one for ref in refs for one in decider.realization(ref)))
    finally:
        holding.release()
