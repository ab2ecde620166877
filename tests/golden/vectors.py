"""Computes the golden vectors and prints them as JSON. Runs as a script, in any Python from 3.11 on.

Run it from the top of the repository to write them anew after a change of the scheme, which needs a migration note:

    python tests/golden/vectors.py src > tests/golden/vectors.json
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The package itself is left out: it imports libraries that the identity does not need and that may be missing here.
_package = types.ModuleType("pylightnix")
_package.__path__ = [str(Path(sys.argv[1]) / "pylightnix")]
sys.modules["pylightnix"] = _package

from pylightnix.hashing import Template, canonical, digest_bytes, digest_document  # noqa: E402
from pylightnix.model.closure import InputRef  # noqa: E402
from pylightnix.model.config import Encoding, encode_value, register_encoder  # noqa: E402
from pylightnix.model.params import Params  # noqa: E402
from pylightnix.model.promises import Promise  # noqa: E402
from pylightnix.model.records import InputChoice, hash_realization, hash_value, make_context, seed_of  # noqa: E402
from pylightnix.names import DerivationRef, KeyRef, RealizationRef  # noqa: E402

A, B, C = (digest_bytes(letter) for letter in (b"a", b"b", b"c"))
DATA, MODEL = DerivationRef.of(A, "data"), DerivationRef.of(B, "model.v-1+x")


class Mode(enum.Enum):
    FAST = "fast"


class Level(enum.IntEnum):
    HIGH = 2


@dataclasses.dataclass(frozen=True)
class Options:
    rate: float
    mode: Mode
    steps: tuple[int, ...] = ()


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class Input:
    """Stands where an input stands."""


for _kind in (Mode, Level, Options):
    _kind.__module__ = "golden"
register_encoder(Money, lambda money: [money.cents], lambda content: Money(content[0]), tag="golden:Money")

VALUES: dict[str, Any] = {
    "scalars": [None, True, False, 0, 1, -1, "", "1", 1.0, -0.0, 0.0],
    "ints": [2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**40],
    "floats": [0.1, 1e16, 1e22, 1.5e300, 5e-324, 2.2250738585072014e-308, 1 / 3, 123456789.125],
    "texts": ["é", "e\u0301", "日本", "\U0001f600", "\u2028", "\x00\x1f\x7f", '"\\/', "<&>", '{"$slot":0}'],
    "containers": {"list": [[], [1, [2]]], "tuple": ((), (1, (2,))), "dict": {"b": 1, "a": {"z": {}, "Z": 0, "é": 0}}},
    "tags": {"$slot": 0, "$int": "0x1", "plain": {"$": {"$dict": []}}, "a$": 1},
}
TYPED: dict[str, Any] = {
    **VALUES,
    "types": [Path("data/é.txt"), Mode.FAST, Level.HIGH, Options(0.5, Mode.FAST, (1, 2)), Money(250)],
}
NOT_FINITE = {"accuracy": 0.5, "bounds": (math.nan, math.inf, -math.inf)}
CODE = {"parts": {"golden:model": A, "golden:helper": B}}
PROMISES = {"weights": Promise("model.joblib").document(), "plots": Promise("plots", "directory", True).document()}


def typed(value: object) -> str:
    """The canonical text of a configuration value."""
    return canonical(Encoding("model").encode(value, "opt")).decode()


def params() -> Params:
    """Parameters with inputs at several depths."""
    encoding = Encoding("model", lambda found: found if isinstance(found, Input) else None)
    values = {"data": Input(), "depth": 8, "many": [Input(), {"one": (Input(),)}], "name": '{"$slot":1}'}
    return Params.encode(values, encoding)


def derivation() -> str:
    inputs = [InputRef(DATA).text(), InputRef(MODEL).text(), InputRef(MODEL, "weights").text()]
    fields = {"code": CODE, "env": {"numpy": "2.0.0"}, "name": "model", "promises": PROMISES}
    return Template(fields, "params").fill("derivation", params().fill(inputs)).decode()


def key() -> str:
    view = canonical(
        {"params": {"size": 8}, "promises": {"table": "t.npz"}, "tree": A, "value": hash_value(None)}
    ).decode()
    artifact = canonical({"artifact": C, "kind": "file"}).decode()
    inputs = [f'{{"$input":{view}}}', f'{{"$inputs":[{view},{view}]}}', f'{{"$input":{artifact}}}']
    fields = {"code": CODE, "name": "model", "promises": PROMISES}
    return Template(fields, "params").fill("key", params().fill(inputs)).decode()


def context() -> str:
    one = InputChoice(KeyRef.of(A, "data"), (RealizationRef.of(B, "data"),), False, C, "latest()")
    chosen = (RealizationRef.of(C, "model.v-1+x"), RealizationRef.of(A, "model.v-1+x"))
    many = InputChoice(KeyRef.of(B, "model.v-1+x"), chosen, True, A, 'best("é \\"x\\"", of=5, n=2)')
    return make_context(DerivationRef.of(C, "report"), {MODEL: many, DATA: one}).to_bytes().decode()


def bare_context() -> str:
    return make_context(DATA, {}).to_bytes().decode()


TEXTS: dict[str, Callable[[], str]] = {
    **{f"configuration: {name}": lambda value=value: typed(value) for name, value in TYPED.items()},  # type: ignore[misc]
    "return value": lambda: canonical(encode_value(NOT_FINITE, "model")).decode(),
    "derivation": derivation,
    "key": key,
    "context": context,
    "context without inputs": bare_context,
}
HASHES: dict[str, Callable[[], object]] = {
    "bytes: none": lambda: digest_bytes(b""),
    "bytes: three blocks": lambda: digest_bytes(bytes(range(150))),
    "bytes: three chunks": lambda: digest_bytes(bytes(range(251)) * 11),
    "document": lambda: digest_document("anything", {"b": [1, 2.5, "é"], "a": None}),
    "value: none": lambda: hash_value(None),
    "value: not finite": lambda: hash_value(encode_value(NOT_FINITE, "model")),
    "realization": lambda: hash_realization(A, B, hash_value({"accuracy": 0.5})),
    "realization: no value": lambda: hash_realization(A, B, hash_value(None)),
    "seed: run 0": lambda: seed_of(A, 0),
    "seed: run 1": lambda: seed_of(A, 1),
    "seed: run 1000000": lambda: seed_of(B, 1_000_000),
    "reference: derivation": lambda: DerivationRef.of(digest_bytes(derivation().encode()), "model"),
    "reference: key": lambda: KeyRef.of(digest_bytes(key().encode()), "model"),
    "context": lambda: digest_bytes(context().encode()),
}


if __name__ == "__main__":
    found: dict[str, object] = {}
    for label, text in TEXTS.items():
        found[f"text of {label}"] = text()
        found[f"hash of {label}"] = digest_bytes(text().encode())
    found |= {label: compute() for label, compute in HASHES.items()}
    sys.stdout.buffer.write(json.dumps(found, indent=1, ensure_ascii=True).encode() + b"\n")
