"""Parameters as text with holes: filled, they are the canonical JSON of the whole."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pylightnix.hashing import canonical
from pylightnix.model.config import Encoding
from pylightnix.model.params import Params


class Input:
    """Stands where an input stands."""


NAMES = st.sampled_from(["a", "b", "_x", "A", "größe", "slot"])
TEXTS = st.sampled_from(["", "x", "$slot", '{"$slot":0}', '{"$slot":', '"', "\\", "é"]) | st.text()
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS | st.builds(Input),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3) | st.tuples(inner),
    max_leaves=8,
)


def encoded(values: dict[str, Any]) -> tuple[Params, Encoding]:
    encoding = Encoding("model", lambda found: found if isinstance(found, Input) else None)
    return Params.encode(values, encoding), encoding


def filled(tree: Any, fillings: list[Any]) -> Any:
    """The same by walking the tree."""
    if isinstance(tree, list):
        return [filled(item, fillings) for item in tree]
    if isinstance(tree, dict) and "$slot" in tree:
        return fillings[tree["$slot"]]
    return {key: filled(item, fillings) for key, item in tree.items()} if isinstance(tree, dict) else tree


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_filling_the_text_is_filling_the_tree(values: dict[str, Any]) -> None:
    params, encoding = encoded(values)
    fillings: list[Any] = [{"$input": {"n": n, "text": '{"$slot":0}'}} for n in range(len(encoding.inputs))]
    expected = canonical(filled(params.trees(), fillings)).decode()
    for _ in range(2):
        assert params.fill([canonical(filling).decode() for filling in fillings]) == expected
    assert Params.of_trees(params.trees()).fill(["0"] * 99) == params.fill(["0"] * 99)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_shown_are_those_without_an_input(values: dict[str, Any]) -> None:
    def holds(value: Any) -> bool:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        return isinstance(value, Input) or any(map(holds, inner))

    params, _ = encoded(values)
    assert set(params.shown_trees()) == {name for name, value in values.items() if not holds(value)}
    assert json.loads(params.shown()) == params.shown_trees()
