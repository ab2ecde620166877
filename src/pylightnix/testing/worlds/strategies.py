"""Random histories of random worlds, for Hypothesis. All indices are taken modulo what there is, so all shrink freely."""

from __future__ import annotations

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
"""Stages of a world."""

_few = st.integers(0, 2)
_index = st.integers(0, MOST - 1)
_pick = st.integers(0, 50)
_value = st.sampled_from([0, 1, 1.0, True, "1", -0.0, None])

functions = st.builds(
    Function, const=_few, helper=_few, modulus=st.sampled_from([1000, 1, 2]), luck=st.sampled_from([1, 2, 1000])
)
uses = st.builds(Use, node=_index, promise=st.sampled_from([None, None, "out", "side"]))
inputs = st.builds(
    Given, form=st.sampled_from(["one", "list", "dict"]), uses=st.lists(uses, min_size=1, max_size=3).map(tuple)
)
matchers = st.builds(
    Picks,
    kind=st.sampled_from(["latest", "first", "best", "worst", "only", "some", "all"]),
    n=st.sampled_from([None, None, 1, 2]),
    of=st.sampled_from([1, 2, 3, 5]),
)
nodes = st.builds(Node, function=_few, x=_value, given=st.just(Given()) | inputs, picks=st.just(Picks()) | matchers)
targets = st.just(()) | st.lists(_index, min_size=1, max_size=2).map(tuple)
worlds = st.builds(
    World,
    functions=st.lists(functions, min_size=1, max_size=3).map(tuple),
    helpers=st.lists(_few, min_size=1, max_size=2).map(tuple),
    shift=_few,
    nodes=st.lists(nodes, min_size=2, max_size=MOST).map(tuple),
    targets=targets,
).map(World.tidy)
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
    rebuild=st.just(()) | st.just(()) | st.lists(_index, min_size=1, max_size=2).map(tuple),
)
histories = st.builds(History, world=worlds, chapters=st.lists(chapters, min_size=1, max_size=8).map(tuple))
