"""Walks what realize returned, by all paths of `.deps`, as a user would; collects choices and sees that they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pylightnix.model.realization import Realization
from pylightnix.testing.worlds.ledger import Kept
from pylightnix.testing.worlds.observing import texts_in
from pylightnix.testing.worlds.violation import Violation
from pylightnix.testing.worlds.world import PROMISES, World


class Walk:
    """A walk through the ancestry of the targets.

    Args:
        world: what was realized.
        identities: of its stages.
        refs: what names the derivation of each identity.
        kept: all realizations of the store by reference.

    Attributes:
        chosen: what was chosen for each derivation, by identity.
    """

    def __init__(
        self, world: World, identities: Sequence[str], refs: Mapping[str, str], kept: Mapping[str, Kept]
    ) -> None:
        self.chosen: dict[str, list[Kept]] = {}
        self._world = world
        self._identities = identities
        self._refs = refs
        self._kept = kept
        self._seen: set[tuple[str, str]] = set()

    def see(self, index: int, realizations: tuple[Realization[Any], ...]) -> None:
        """Take note of what was chosen for a stage, and of all below it.

        Raises:
            Violation: two choices for one derivation, or a realization is not what the store says.
        """
        chosen = [self._kept[realization.ref] for realization in realizations]
        before = self.chosen.setdefault(self._identities[index], chosen)
        if before != chosen:
            told = " and ".join(", ".join(kept.ref for kept in each) or "nothing" for each in (before, chosen))
            raise Violation("consistency", f"in one closure, for stage {index} were chosen {told}")
        for realization in realizations:
            visit = (realization.ref, realization.context.hash)
            if visit not in self._seen:
                self._seen.add(visit)
                self._look(index, realization)

    def _look(self, index: int, realization: Realization[Any]) -> None:
        node = self._world.nodes[index]
        if realization.context.derivation != self._refs[self._identities[index]]:
            raise Violation("identity", f"stage {index} is now called {realization.context.derivation}")
        self._compare("name", realization.name, self._world.name(index))
        self._compare("parameter", realization.x, node.x)
        kept = self._kept[realization.ref]
        files, value = kept.outcome
        self._compare("value", realization.value, value)
        if kept.present:
            self._compare("files", sorted(texts_in(realization.path).items()), sorted(files.items()))
        for name, path in PROMISES.items() if kept.present else ():
            self._compare(name, realization.promises[name].read_text(), files[path])
        if not node.given.uses:
            self._compare("inputs", len(realization.deps), 0)
            return
        inputs = leaves(realization.deps["given"])
        self._compare("number of inputs", len(inputs), len(node.given.uses))
        for use, given in zip(node.given.uses, inputs, strict=True):
            many = self._world.nodes[use.node].picks.many
            self._compare("many", isinstance(given, tuple), many)
            self.see(use.node, given if isinstance(given, tuple) else (given,))

    @staticmethod
    def _compare(what: str, found: object, expected: object) -> None:
        if repr(found) != repr(expected):  # 1, 1.0 and True are equal, and are three values
            raise Violation("content", f"the {what} is {found!r}, not {expected!r}")


def leaves(given: Any) -> list[Any]:
    """The inputs of an argument: realizations, and tuples of them where many were chosen."""
    if isinstance(given, (Realization, tuple)):
        return [given]
    if isinstance(given, dict):
        given = [given[name] for name in sorted(given)]
    return [leaf for item in given for leaf in leaves(item)] if isinstance(given, list) else []
