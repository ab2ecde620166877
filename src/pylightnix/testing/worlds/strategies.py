"""Random histories of random worlds, for Hypothesis. All indices are taken modulo what there is: any history is one."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from pylightnix.testing.worlds.edits import (
    Chapter,
    Comment,
    Edit,
    History,
    LoseArtifacts,
    MoveStore,
    RemoveRealization,
    Rewrite,
    RewriteConstant,
    RewriteHelper,
    SetInputs,
    SetMatcher,
    SetParameter,
    SetTargets,
)
from pylightnix.testing.worlds.world import Function, Given, Node, Picks, Use, World

MOST = 7
"""Stages of a world, but for twins."""

_few = st.integers(0, 2)
_index = st.integers(0, MOST - 1)
_pick = st.integers(0, 50)

_value = st.sampled_from([0, 1, 1.0, True, "1", -0.0, None])

uses = st.builds(Use, node=_index, promise=st.sampled_from([None, None, "out", "side"]))
inputs = st.builds(
    Given, form=st.sampled_from(["list", "dict", "one"]), uses=st.lists(uses, min_size=2, max_size=3).map(tuple)
)
matchers = st.builds(
    Picks,
    kind=st.sampled_from(["latest", "first", "best", "worst", "only", "some", "all"]),
    n=st.sampled_from([None, None, 1, 2]),
    of=st.sampled_from([1, 2, 3, 5]),
)
targets = st.just(()) | st.lists(_index, min_size=2, max_size=4).map(tuple)


functions = st.builds(
    Function, const=_few, helper=_few, modulus=st.sampled_from([1000, 1, 2]), luck=st.sampled_from([1, 2, 1000])
)
nodes = st.builds(
    Node, function=_few, x=_value, given=inputs | inputs | inputs | st.just(Given()), picks=st.just(Picks()) | matchers
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds, some of them with twins."""
    world = World(
        functions=tuple(draw(st.lists(functions, min_size=1, max_size=3))),
        helpers=tuple(draw(st.lists(_few, min_size=1, max_size=2))),
        shift=draw(_few),
        nodes=tuple(draw(st.lists(nodes, min_size=3, max_size=MOST))),
        targets=draw(targets),
    ).tidy()
    return twinned(world, draw(_index), draw(matchers)) if draw(st.integers(0, 3)) == 3 else world


def twinned(world: World, index: int, picks: Picks) -> World:
    """A world with a stage of other code that gives the same, a user of each of the two, and one that uses both users.

    The users are two derivations that see the same.
    """
    index %= len(world.nodes)
    node = world.nodes[index]
    same = replace(world.functions[node.function], modulus=1)
    functions = [same if i == node.function else each for i, each in enumerate(world.functions)]
    functions.append(replace(same, const=same.const + 1))
    twin = len(world.nodes)
    added = [
        replace(node, function=len(world.functions)),
        Node(given=Given("one", (Use(index),)), picks=picks),
        Node(given=Given("one", (Use(twin),)), picks=picks),
        Node(given=Given("list", (Use(twin + 1), Use(twin + 2)))),
    ]
    made = replace(world, functions=tuple(functions), nodes=(*world.nodes, *added), targets=(twin + 3,))
    return made.tidy()


edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(Comment),
    st.builds(Rewrite, function=_few, to=functions),
    st.builds(RewriteHelper, helper=_few, const=_few),
    st.builds(RewriteConstant, shift=_few),
    st.builds(SetParameter, node=_index, x=_value),
    st.builds(SetInputs, node=_index, given=inputs),
    st.builds(SetMatcher, node=_index, picks=matchers),
    st.builds(SetTargets, targets=targets),
    st.builds(RemoveRealization, pick=_pick),
    st.builds(LoseArtifacts, pick=_pick),
    st.builds(MoveStore),
)
chapters = st.builds(
    Chapter,
    edits=st.lists(edits, max_size=2).map(tuple),
    broken=st.sampled_from([None, None, None, 0, 1]),
    rebuild=st.just(()) | st.just(()) | st.lists(_index, min_size=1, max_size=2).map(tuple),
)
histories = st.builds(History, world=worlds(), chapters=st.lists(chapters, min_size=2, max_size=8).map(tuple))
