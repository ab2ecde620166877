"""Claims and signatures: what exactly is signed, and that nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.errors import DamageError
from pylightnix.hashing import digest_bytes
from pylightnix.model.claims import Claim, Signature
from pylightnix.model.records import hash_realization
from pylightnix.names import DerivationRef

A, B, C, D = (digest_bytes(letter) for letter in (b"a", b"b", b"c", b"d"))
CLAIM = Claim(DerivationRef.of(A, "model.v-1+x"), A, B, C, 12345, D)
PUBLIC = "plx-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
SIGNATURE = Signature(PUBLIC, "0f" * 64)

GOLDEN = (
    '{"context":"10e5cf3d3c8a4f9f3468c8cc58eea84892a22fdadbc1acb22410190044c1d553",'
    '"derivation":"17762fddd969a453925d65717ac3eea21320b66b-model.v-1+x",'
    '"key":"17762fddd969a453925d65717ac3eea21320b66b54342fde15128d6caf21215f",'
    '"pylightnix":"claim/1","size":12345,'
    '"tree":"ea7aa1fc9efdbe106dbb70369a75e9671fa29d52bd55536711bf197477b8f021",'
    '"value":"d5ede538f628f687e5e0422c7755b503653de2dcd7053ca8791afa5d4787d843"}'
)

hashes = st.binary(max_size=4).map(digest_bytes)
claims = st.builds(
    Claim,
    st.builds(DerivationRef.of, hashes, st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,9}", fullmatch=True)),
    hashes, hashes, hashes, st.integers(0, 2**63 - 1), hashes,
)  # fmt: skip


def test_the_bytes_that_are_signed() -> None:
    assert CLAIM.to_bytes().decode() == GOLDEN


def test_names_follow_from_the_hashes() -> None:
    assert CLAIM.ref == f"{hash_realization(A, C, D)[:40]}-model.v-1+x"
    assert CLAIM.home == f"{A[:40]}-model.v-1+x"


@given(claims)
def test_a_claim_comes_back(claim: Claim) -> None:
    again = Claim.parse(json.loads(claim.to_bytes()))
    assert again == claim
    assert type(again.derivation) is DerivationRef


@given(claims, claims)
def test_different_claims_have_different_bytes(one: Claim, other: Claim) -> None:
    assert (one == other) == (one.to_bytes() == other.to_bytes())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pylightnix", "claim/2"), ("pylightnix", "record/1"), ("pylightnix", None),
        ("derivation", A), ("derivation", "../x"), ("derivation", None), ("derivation", CLAIM.derivation + "\n"),
        ("key", A[:40]), ("key", A.upper()), ("context", A + "\n"), ("tree", 5), ("value", None), ("value", [A]),
        ("size", True), ("size", -1), ("size", 1.0), ("size", "1"), ("size", 2**63), ("size", None),
        ("more", 1),
    ],
)  # fmt: skip
def test_what_is_no_claim(field: str, value: Any) -> None:
    with pytest.raises(DamageError, match="claim"):
        Claim.parse({**CLAIM.document(), field: value})


@pytest.mark.parametrize("field", [*Claim._fields, "pylightnix"])
def test_a_claim_without(field: str) -> None:
    document = CLAIM.document()
    del document[field]
    with pytest.raises(DamageError, match="claim"):
        Claim.parse(document)


@pytest.mark.parametrize("document", [None, [], "x", 1, {}], ids=repr)
def test_what_is_not_even_an_object(document: Any) -> None:
    for kind in (Claim, Signature):
        with pytest.raises(DamageError):
            kind.parse(document)


def test_a_signature_comes_back() -> None:
    assert Signature.parse(json.loads(json.dumps(SIGNATURE.document()))) == SIGNATURE


@pytest.mark.parametrize(
    ("field", "value"), [("key", None), ("key", "k" * 201), ("key", "é"), ("signature", 5), ("more", "")]
)
def test_what_is_no_signature(field: str, value: Any) -> None:
    with pytest.raises(DamageError, match="signature"):
        Signature.parse({**SIGNATURE.document(), field: value})
