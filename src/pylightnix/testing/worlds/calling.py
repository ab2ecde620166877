"""How a world is planned and realized through the public verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pylightnix
from pylightnix.dsl.derivation import Derivation
from pylightnix.engine.events import Silent
from pylightnix.model.build import Executor
from pylightnix.model.plan import Step
from pylightnix.model.realization import Realization
from pylightnix.store.store import Store


class FirstDecisions(Silent):
    """Listens to a realize: what was decided first for each derivation, by its reference."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}

    def decided(self, step: Step) -> None:
        self.steps.setdefault(step.derivation, step)


class Call(NamedTuple):
    """What is asked for, and of which store.

    Attributes:
        derivations: of all stages of the world.
        targets: which of them are asked for.
        rebuild: of which one more run is asked for.
        store: where.
        executor: runs the builders; None: in this process.
    """

    derivations: Sequence[Derivation[Any]]
    targets: Sequence[int]
    rebuild: Sequence[int]
    store: Store
    executor: Executor | None

    def plan(self) -> dict[str, Step]:
        """The steps of the plan, by derivation."""
        asked = [self.derivations[target] for target in self.targets]
        rebuild = [self.derivations[index] for index in self.rebuild]
        return {step.derivation: step for step in pylightnix.plan(asked, store=self.store, rebuild=rebuild)}

    def realize(self) -> tuple[list[tuple[Realization[Any], ...]], dict[str, Step]]:
        """What was chosen for each target, and what was decided first for each derivation."""
        asked = [self.derivations[target] for target in self.targets]
        rebuild = [self.derivations[index] for index in self.rebuild]
        heard = FirstDecisions()
        given: dict[str, Any] = {"store": self.store, "rebuild": rebuild, "executor": self.executor, "listener": heard}
        if any(derivation.matcher.many for derivation in asked):
            return pylightnix.realize_many(asked, **given), heard.steps
        return [(realization,) for realization in pylightnix.realize(asked, **given)], heard.steps
