"""Keys and signatures: what others can check, and that a secret key is never shown."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

from pylightnix.errors import TrustError
from pylightnix.hashing import digest_bytes
from pylightnix.model.claims import Claim, Signature
from pylightnix.names import DerivationRef
from pylightnix.remotes.keys import SecretKey, check_public, generate, is_right, parse_secret, refuse_secret

A, B, C, D = (digest_bytes(letter) for letter in (b"a", b"b", b"c", b"d"))
CLAIM = Claim(DerivationRef.of(A, "model.v-1+x"), A, B, C, 12345, D)
# The first test of RFC 8032, section 7.1.
RAW = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
KEY = SecretKey(RAW)
PUBLIC = "plx-public:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
SECRET = "plx-" + "secret:nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
SIGNATURE = (
    "42c86e752449271aa9d406104664748b07cfcc9532db1b7843d70e173661cd46"
    "7639b1e413165ac5536bf416cd5c501d3b86569e60970f518138febdf7ae290c"
)


def test_golden_vectors() -> None:
    assert KEY.public == PUBLIC
    assert KEY.text() == SECRET
    assert KEY.sign(CLAIM) == Signature(PUBLIC, SIGNATURE)


def test_a_signature_is_of_one_claim_and_one_key() -> None:
    signature = KEY.sign(CLAIM)
    assert is_right(CLAIM, signature)
    others = (
        CLAIM._replace(size=1), CLAIM._replace(value=A), CLAIM._replace(tree=A), CLAIM._replace(context=A),
        CLAIM._replace(key=B),
    )  # fmt: skip
    assert not any(is_right(other, signature) for other in others)
    assert not is_right(CLAIM._replace(derivation=DerivationRef.of(A, "model")), signature)
    assert not is_right(CLAIM, signature._replace(key=generate().public))
    assert not is_right(CLAIM, signature._replace(signature="00" * 64))


@pytest.mark.parametrize(
    "signature",
    [
        Signature(PUBLIC, ""), Signature(PUBLIC, SIGNATURE.upper()), Signature(PUBLIC, "é" * 128),
        Signature(f"{PUBLIC}\n", SIGNATURE), Signature(PUBLIC.replace("plx-", ""), SIGNATURE), Signature("", SIGNATURE),
        Signature(PUBLIC[:-2] + "p=", SIGNATURE), Signature("plx-public:AAAA", SIGNATURE),
        Signature(f"plx-public:{'/' * 42}8=", SIGNATURE),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_not_written_so_is_not_right(signature: Signature) -> None:
    """`o=` and `p=` would be the same 32 bytes to somebody lenient: two names for one key, of which one is revoked."""
    assert not is_right(CLAIM, signature)


def test_each_key_is_another_one() -> None:
    assert len({generate().public for _ in range(5)}) == 5


def test_a_secret_key_is_not_shown() -> None:
    body = SECRET.partition(":")[2]
    assert body not in f"{KEY!r} {KEY} {KEY:}"
    assert not hasattr(KEY, "__dict__")
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="goes nowhere"):
            take(KEY)


def test_texts() -> None:
    assert parse_secret(SECRET, "x").public == PUBLIC
    assert check_public(f" {PUBLIC}\n") == PUBLIC


@pytest.mark.parametrize(
    "text",
    [SECRET, f'"{SECRET}"', f"KEY={SECRET}", SECRET[:30], SECRET[4:], SECRET.partition(":")[2], "x" * 50, ""],
    ids=range(8),
)
def test_what_is_no_public_key_is_not_repeated(text: str) -> None:
    with pytest.raises(TrustError) as caught:
        check_public(text)
    told = f"{caught.value!r} {caught.value} {caught.value.fields} {caught.value.__cause__}"
    assert "nWGxne" not in told
    assert ("a secret key" in told) == ("plx-secret:" in text)
    if "plx-secret:" in text:
        with pytest.raises(TrustError, match="just been shown"):
            refuse_secret(text)


@pytest.mark.parametrize("text", [PUBLIC, SECRET[:-3], SECRET[:-2] + "B=", SECRET[4:], ""], ids=range(5))
def test_what_is_no_secret_key(text: str) -> None:
    with pytest.raises(TrustError, match="no secret key") as caught:
        parse_secret(text, "keys/own.key")
    assert caught.value.where == "keys/own.key"
    assert "nWGxne" not in f"{caught.value} {caught.value.__cause__}"


def test_without_the_package() -> None:
    """What needs it says what to install, whether it signs or checks."""
    code = f"""
import sys
sys.modules["cryptography"] = None
from pylightnix.errors import TrustError
from pylightnix.model.claims import Claim, Signature
from pylightnix.names import DerivationRef
from pylightnix.remotes.keys import check_public, generate, is_right
claim = Claim(DerivationRef.of("0" * 64, "m"), *["0" * 64] * 3, 1, "0" * 64)
check_public({PUBLIC!r})
for ask in (generate, lambda: is_right(claim, Signature({PUBLIC!r}, "0f" * 64))):
    try:
        ask()
    except TrustError as error:
        print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == 'pip install "pylightnix[sign]"\n' * 2
