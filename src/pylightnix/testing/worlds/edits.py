"""What happens to a world between two times that it is realized, and histories of it. Plain data, as the world is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pylightnix.testing.worlds.world import Function, Given, Node, Picks, Plain, World


@dataclass(frozen=True, repr=False)
class Comment(Plain):
    """An edit of the text that changes no meaning."""

    def apply(self, world: World) -> World:
        return replace(world, comment=world.comment + 1)


@dataclass(frozen=True, repr=False)
class Rewrite(Plain):
    """The code of a stage's function changes."""

    function: int
    to: Function

    def apply(self, world: World) -> World:
        return replace(world, functions=_put(world.functions, self.function, self.to))


@dataclass(frozen=True, repr=False)
class RewriteHelper(Plain):
    """The code of a helper changes."""

    helper: int
    const: int

    def apply(self, world: World) -> World:
        return replace(world, helpers=_put(world.helpers, self.helper, self.const))


@dataclass(frozen=True, repr=False)
class RewriteConstant(Plain):
    """The constant that all helpers use changes."""

    shift: int

    def apply(self, world: World) -> World:
        return replace(world, shift=self.shift)


@dataclass(frozen=True, repr=False)
class SetParameter(Plain):
    """A stage is called with another parameter."""

    node: int
    x: Any

    def apply(self, world: World) -> World:
        return _change(world, self.node, x=self.x)


@dataclass(frozen=True, repr=False)
class SetInputs(Plain):
    """A stage is called with other inputs."""

    node: int
    given: Given

    def apply(self, world: World) -> World:
        return _change(world, self.node, given=self.given)


@dataclass(frozen=True, repr=False)
class SetMatcher(Plain):
    """A stage gets another matcher."""

    node: int
    picks: Picks

    def apply(self, world: World) -> World:
        return _change(world, self.node, picks=self.picks)


@dataclass(frozen=True, repr=False)
class SetTargets(Plain):
    """Something else is asked for."""

    targets: tuple[int, ...]

    def apply(self, world: World) -> World:
        return replace(world, targets=self.targets)


@dataclass(frozen=True, repr=False)
class RemoveRealization(Plain):
    """A realization is removed from the store; `pick` counts through all that there are."""

    pick: int


@dataclass(frozen=True, repr=False)
class LoseArtifacts(Plain):
    """The artifacts of a realization are deleted by hand; `pick` counts through all that there are."""

    pick: int


@dataclass(frozen=True, repr=False)
class MoveStore(Plain):
    """The store is moved to another place."""


WorldEdit = Comment | Rewrite | RewriteHelper | RewriteConstant | SetParameter | SetInputs | SetMatcher | SetTargets
StoreEdit = RemoveRealization | LoseArtifacts | MoveStore
Edit = WorldEdit | StoreEdit


@dataclass(frozen=True, repr=False)
class Chapter(Plain):
    """Edits, and then a realize in which some stages are to be rebuilt, and the builders of one function may fail."""

    edits: tuple[Edit, ...] = ()
    rebuild: tuple[int, ...] = ()
    broken: int | None = None


@dataclass(frozen=True, repr=False)
class History(Plain):
    """A world, which is realized once, and what then happens to it."""

    world: World
    chapters: tuple[Chapter, ...] = ()


def _put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    index %= len(items)
    return (*items[:index], item, *items[index + 1 :])


def _change(world: World, index: int, **changes: Any) -> World:
    node: Node = world.nodes[index % len(world.nodes)]
    return replace(world, nodes=_put(world.nodes, index, replace(node, **changes)))
