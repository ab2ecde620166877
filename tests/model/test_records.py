"""Records, runs, contexts, seeds: what their hashes depend on. The digits stand in the golden vectors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.hashing import canonical, digest_bytes, kind_tag
from pylightnix.model.config import encode_value
from pylightnix.model.records import (
    Context,
    InputChoice,
    Record,
    Run,
    hash_realization,
    hash_value,
    make_context,
    seed_of,
)
from pylightnix.names import DerivationRef, KeyRef, RealizationRef

A, B, C = (digest_bytes(letter) for letter in (b"a", b"b", b"c"))


def choice(name: str = "data", **changes: Any) -> InputChoice:
    plain = InputChoice(KeyRef.of(A, name), (RealizationRef.of(B, name),), False, C, "latest()")
    return plain._replace(**changes)


def test_none_and_no_value_are_one() -> None:
    assert hash_value(None) == hash_value(encode_value(None, "model"))
    assert Record(RealizationRef.of(A, "m"), KeyRef.of(A, "m"), A, B, None, {}, 0, 0).value_hash == hash_value(None)


def test_values_that_are_equal_in_python_have_different_hashes() -> None:
    values = [None, 0, 0.0, -0.0, False, "0", [], {}, (), [0], (0,), {"a": 0}]
    assert len({hash_value(encode_value(value, "model")) for value in values}) == len(values)


def test_the_order_of_a_value_s_keys_does_not_matter() -> None:
    assert hash_value({"a": 1, "b": 2}) == hash_value({"b": 2, "a": 1})


def test_a_realization_is_its_key_its_tree_and_its_value() -> None:
    hashes = {hash_realization(*parts) for parts in [(A, B, C), (B, A, C), (A, C, B), (A, A, C), (A, B, A), (C, B, A)]}
    assert len(hashes) == 6
    record = Record(RealizationRef.of(A, "m"), KeyRef.of(A, "m"), A, B, {"x": 1}, {}, 0, 0)
    assert hash_realization(A, B, record.value_hash) == hash_realization(A, B, hash_value({"x": 1}))


@given(st.integers(0, 10**6))
def test_a_seed_follows_from_key_and_run(run: int) -> None:
    assert seed_of(A, run) == seed_of(A, run)
    assert 0 <= seed_of(A, run) < 2**63
    assert seed_of(A, run) != seed_of(A, run + 1)
    assert seed_of(A, run) != seed_of(B, run)


def test_seeds_use_all_their_bits() -> None:
    seeds = [seed_of(A, run) for run in range(200)]
    assert len(set(seeds)) == 200
    for bit in range(63):
        assert 50 < sum(seed >> bit & 1 for seed in seeds) < 150


def test_runs_are_ordered_by_index_and_then_by_the_clock() -> None:
    context = make_context(DerivationRef.of(A, "m"), {})
    early, late = "2026-01-01T00:00:00.000000", "2026-01-02T00:00:00.000000"
    runs = [Run(index, 0, started, 1.0, context, None, {}) for index, started in [(1, early), (0, late), (0, early)]]
    assert sorted(runs, key=Run.order) == [runs[2], runs[1], runs[0]]
    assert runs[0].derivation == DerivationRef.of(A, "m")


MATCHERS = ["latest()", 'best("accuracy", of=5)', "\\", "é\u2028\x00", "{}", '","key":"x']


@pytest.mark.parametrize("matcher", MATCHERS)
@pytest.mark.parametrize("chosen", [(), (B,), (B, C, A)])
@pytest.mark.parametrize("names", [[], ["data"], ["z", "a.b+c-d", "_", "Z", "0"]])
def test_a_context_is_canonical_json_and_named_by_its_hash(
    names: list[str], chosen: tuple[str, ...], matcher: str
) -> None:
    inputs = {
        DerivationRef.of(digest_bytes(name.encode()), name): choice(
            name,
            chosen=tuple(RealizationRef.of(digest, name) for digest in chosen),
            matcher=matcher,
            many=len(chosen) != 1,
        )
        for name in names
    }
    derivation = DerivationRef.of(A, "model")
    context = make_context(derivation, inputs)
    document = {
        "pylightnix": kind_tag("context"),
        "derivation": derivation,
        "inputs": {
            ref: {"key": c.key, "chosen": list(c.chosen), "many": c.many, "context": c.context, "matcher": c.matcher}
            for ref, c in inputs.items()
        },
    }
    assert context.to_bytes() == canonical(document)
    assert json.loads(context.to_bytes()) == document
    assert context.hash == digest_bytes(context.to_bytes())
    assert make_context(derivation, dict(reversed(inputs.items()))) == context


def test_a_context_depends_on_every_choice() -> None:
    data, model = DerivationRef.of(A, "data"), DerivationRef.of(B, "model")
    other = RealizationRef.of(C, "data")
    changes: list[dict[str, Any]] = [
        {}, {"key": KeyRef.of(C, "data")}, {"chosen": (other,)}, {"chosen": (RealizationRef.of(B, "data"), other)},
        {"chosen": (other, RealizationRef.of(B, "data"))}, {"many": True}, {"context": A}, {"matcher": "first()"},
    ]  # fmt: skip
    contexts: list[Context] = [make_context(model, {data: choice(**change)}) for change in changes]
    contexts += [make_context(model, {}), make_context(data, {data: choice()}), make_context(model, {model: choice()})]
    assert len({context.hash for context in contexts}) == len(contexts)
