"""What a realize must do in a world: reckoned before it, from the ledger. Unaware of the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pylightnix.testing.worlds.arithmetic import sight, sight_of_artifact, sight_of_input
from pylightnix.testing.worlds.ledger import Kept, Ledger
from pylightnix.testing.worlds.world import PROMISES, Picks, Use, World


class Foreseen(NamedTuple):
    """What a plan must say of a derivation: what is done, how many runs are wanted, what is chosen."""

    action: str
    wanted: int = 0
    chosen: tuple[str, ...] = ()


class Reckoning:
    """A world and what is kept, at the moment before a realize.

    Args:
        world: what is to be realized.
        ledger: what is kept.
        rebuild: stages of which one more run is asked for.

    Attributes:
        identities: of all stages of the world.
        derivations: one stage for each derivation of the closure, inputs before what uses them.
        rebuild: the identities of which one more run is asked for.
        gone: the realizations without artifacts.
    """

    def __init__(self, world: World, ledger: Ledger, rebuild: Iterable[int]) -> None:
        self.world = world
        self.ledger = ledger
        self.identities = world.identities()
        self.derivations = sorted({self.identities[index]: index for index in reversed(world.closure())}.values())
        self.rebuild = {self.identities[index] for index in rebuild}
        self.gone = [kept for kept in ledger if not kept.present]
        self._counts = dict(ledger.counts)

    def contradictory(self) -> bool:
        """Whether one derivation stands under two matchers."""
        pairs = {(self.identities[index], self.world.nodes[index].picks) for index in self.world.closure()}
        return len(pairs) > len(self.derivations)

    def count(self, seen: str) -> int:
        """How many runs there were, at that moment, of a builder that sees this."""
        return self._counts.get(seen, 0)

    def picks(self, index: int) -> Picks:
        """The matcher of a stage."""
        return self.world.nodes[index].picks

    def sight(self, index: int, chosen: Mapping[str, Sequence[Kept]]) -> str:
        """All that the builder of a stage sees, given what was chosen for each derivation."""
        node = self.world.nodes[index]

        def look(use: Use) -> object:
            views = [self._view(use, kept) for kept in chosen[self.identities[use.node]]]
            return {"many": views} if self.picks(use.node).many else views[0]

        return sight(self.world.spoken(node), node.given.shape(look, plain=repr))

    def _view(self, use: Use, kept: Kept) -> object:
        """What is to be seen of an input."""
        if use.promise is not None:
            path = PROMISES[use.promise]
            return sight_of_artifact(PurePosixPath(path).name, kept.outcome.files[path])
        node = self.world.nodes[use.node]
        params = {"x": node.x} if node.given.uses else {"x": node.x, "given": None}
        return sight_of_input(kept.outcome.files, kept.outcome.value, params)

    def foresee(self) -> dict[str, Foreseen]:
        """What the plan must say, by identity."""
        chosen: dict[str, Sequence[Kept]] = {}
        found: dict[str, Foreseen] = {}
        for index in self.derivations:
            identity = self.identities[index]
            if any(self.identities[use.node] not in chosen for use in self.world.nodes[index].given.uses):
                found[identity] = Foreseen("waiting")
                continue
            seen = self.sight(index, chosen)
            found[identity] = self._decide(index, seen)
            if found[identity].action == "reuse":
                chosen[identity] = self.ledger.chosen(seen, self.picks(index))
            self._foresee_inputs(index, found, chosen)
        return found

    def _foresee_inputs(self, index: int, found: dict[str, Foreseen], chosen: Mapping[str, Sequence[Kept]]) -> None:
        """A run is given artifacts: those that are gone are made again, and so on."""
        building = [index]
        while building:
            user = building.pop()
            if found[self.identities[user]].action != "build":
                continue
            for use in self.world.nodes[user].given.uses:
                identity = self.identities[use.node]
                gone = sum(not kept.present for kept in chosen[identity])
                if found[identity].action == "reuse" and gone:
                    found[identity] = Foreseen("build", gone)
                    building.append(use.node)

    def is_target(self, index: int) -> bool:
        """Whether it was asked for."""
        return self.identities[index] in {self.identities[target] for target in self.world.targets}

    def _decide(self, index: int, seen: str) -> Foreseen:
        missing = self.ledger.missing(seen, self.picks(index))
        if missing == 0 and self.identities[index] in self.rebuild:
            missing = 1
        choice = [] if missing else self.ledger.chosen(seen, self.picks(index))
        wanted = missing or (sum(not kept.present for kept in choice) if self.is_target(index) else 0)
        return Foreseen("build", wanted) if wanted else Foreseen("reuse", 0, tuple(kept.ref for kept in choice))
