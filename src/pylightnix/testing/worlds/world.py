"""A world: functions with code that can be edited, and a graph of stages that call them. Plain data.

It says what a user could have written, in a form in which every edit is small and every world prints as the Python
expression that makes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

PROMISES = {"out": "out.txt", "side": "notes/side.txt"}
"""What every stage of a world promises, by name; each also leaves `more.txt`, which nothing promises."""


class Plain:
    """Data that prints as the expression that makes it, without what is default."""

    def __repr__(self) -> str:
        told = ((each, getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]
        given = [f"{each.name}={value!r}" for each, value in told if repr(value) != repr(each.default)]
        return f"{type(self).__name__}({', '.join(given)})"


@dataclass(frozen=True, repr=False)
class Function(Plain):
    """The code of a stage.

    Attributes:
        const: a constant in its body.
        helper: which of the world's helper functions it calls.
        modulus: its results are numbers below this: with 1 they never differ, with a great one they always do.
        luck: what it does depends on its seed modulo this; 1 makes it deterministic.
    """

    const: int = 0
    helper: int = 0
    modulus: int = 1000
    luck: int = 1


@dataclass(frozen=True, repr=False)
class Use(Plain):
    """An input: another stage of the world, or one promise of it."""

    node: int
    promise: str | None = None


@dataclass(frozen=True, repr=False)
class Given(Plain):
    """The inputs of a stage, in the shape in which they are passed."""

    form: Literal["none", "one", "list", "dict"] = "none"
    uses: tuple[Use, ...] = ()

    def shape(self, fill: Callable[[Use], Any], plain: Callable[[Any], Any] = lambda value: value) -> Any:
        """The argument, with `fill` of each input in its place, and `plain` of what is no input."""
        if self.form == "none":
            return plain(None)
        if self.form == "one":
            return fill(self.uses[0])
        filled = [fill(use) for use in self.uses]
        if self.form == "list":
            return filled
        return {"plain": plain(7), "inputs": {f"input {i}": each for i, each in enumerate(filled)}}

    def below(self, node: int) -> Given:
        """The same, using only stages before this one, so that there is no cycle."""
        if node == 0 or self.form == "none" or not self.uses:
            return Given()
        uses = tuple(replace(use, node=use.node % node) for use in self.uses)
        return Given(self.form, uses[:1] if self.form == "one" else uses)


@dataclass(frozen=True, repr=False)
class Picks(Plain):
    """A matcher; `n` and `of` as for `match`, where the kind has them."""

    kind: Literal["latest", "first", "only", "best", "worst", "some", "all"] = "latest"
    n: int | None = None
    of: int = 1

    @property
    def many(self) -> bool:
        """Whether users of the stage see a tuple."""
        return self.kind in ("some", "all") or (self.n is not None and self.kind != "only")

    def tidy(self, function: Function) -> Picks:
        """The nearest matcher that can be had for a stage of this function; the one spelling of each."""
        kind = "latest" if self.kind == "only" and function.luck > 1 else self.kind
        n = max(1, self.n or 1) if kind == "some" else None if kind in ("only", "all") else self.n
        of = self.of if kind in ("best", "worst", "all") else 1
        return Picks(kind, n, max(of, n or 1) if kind in ("best", "worst") else of)


@dataclass(frozen=True, repr=False)
class Node(Plain):
    """A stage called with arguments, under a matcher."""

    function: int = 0
    x: Any = 0
    given: Given = Given()
    picks: Picks = Picks()


@dataclass(frozen=True, repr=False)
class World(Plain):
    """Functions, helpers that they call, a constant that all helpers use, stages in order, and those to be realized.

    Attributes:
        targets: stages by index; none means the last one.
        comment: counts edits without meaning: of comments, docstrings, empty lines, annotations, order of definitions.
    """

    functions: tuple[Function, ...] = (Function(),)
    helpers: tuple[int, ...] = (0,)
    shift: int = 0
    nodes: tuple[Node, ...] = (Node(),)
    targets: tuple[int, ...] = ()
    comment: int = 0

    def tidy(self) -> World:
        """The nearest world without contradictions: indices are of things that exist, nothing is cyclic."""
        functions = tuple(replace(f, helper=f.helper % len(self.helpers)) for f in self.functions)
        nodes = []
        for index, node in enumerate(self.nodes):
            function = node.function % len(functions)
            picks = node.picks.tidy(functions[function])
            nodes.append(Node(function, node.x, node.given.below(index), picks))
        targets = tuple(sorted({target % len(nodes) for target in self.targets})) or (len(nodes) - 1,)
        return replace(self, functions=functions, nodes=tuple(nodes), targets=targets)

    def name(self, node: int) -> str:
        """The name of a stage: stages of one function share it."""
        return f"f{self.nodes[node].function}"

    def closure(self) -> list[int]:
        """The stages that the targets need, inputs before what uses them."""
        needed = set(self.targets)
        for index in reversed(range(len(self.nodes))):
            if index in needed:
                needed.update(use.node for use in self.nodes[index].given.uses)
        return sorted(needed)

    def identities(self) -> list[str]:
        """For each stage a hash of all that its description says: stages with equal ones are one derivation."""
        found: list[str] = []
        for node in self.nodes:
            given = node.given.shape(lambda use: (found[use.node], use.promise))
            found.append(hashlib.sha256(repr((self.spoken(node), given)).encode()).hexdigest())
        return found

    def spoken(self, node: Node) -> list[Any]:
        """What the code of a stage says of itself, given its own parameter: every constant that it reaches."""
        function = self.functions[node.function]
        helper = f"{self.helpers[function.helper]}:{self.shift}:{node.x!r}"
        names = [f"f{node.function}", function.const, f"helper_{function.helper}", helper]
        return [*names, function.modulus, function.luck]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
