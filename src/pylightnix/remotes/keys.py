"""Ed25519 keys (RFC 8032), in text: made, used to sign claims, and to see who has. Through the package cryptography.

A public key is `plx-public:` and 32 bytes in base64, a secret one `plx-secret:` and the same. Nothing here shows a
secret key, in no message either.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from pylightnix.errors import TrustError
from pylightnix.model.claims import Claim, Signature

PUBLIC = "plx-public:"
SECRET = "plx-secret:"
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


class SecretKey:
    """A secret key.

    Args:
        raw: its 32 bytes.
    """

    __slots__ = ("_key", "public")

    def __init__(self, raw: bytes) -> None:
        module = _ed25519()
        self._key = module.Ed25519PrivateKey.from_private_bytes(raw)
        self.public = f"{PUBLIC}{base64.b64encode(self._key.public_key().public_bytes_raw()).decode()}"

    def __repr__(self) -> str:
        return f"SecretKey(of {self.public})"

    def __reduce__(self) -> Any:
        raise TypeError("a secret key goes nowhere")

    def sign(self, claim: Claim) -> Signature:
        """The signature of a claim."""
        return Signature(self.public, self._key.sign(claim.to_bytes()).hex())

    def text(self) -> str:
        """The key, as it stands in its file."""
        return f"{SECRET}{base64.b64encode(self._key.private_bytes_raw()).decode()}"


def generate() -> SecretKey:
    """A new key."""
    return SecretKey(_ed25519().Ed25519PrivateKey.generate().private_bytes_raw())


def parse_secret(text: str, where: str) -> SecretKey:
    """The secret key in a text; TrustError, which does not repeat it, if there is none."""
    raw = _raw(text, SECRET)
    if raw is None:
        raise TrustError("there is no secret key in it", where=where, hint="pylightnix key generate makes one")
    return SecretKey(raw)


def check_public(text: str) -> str:
    """A public key as it is written; TrustError, which does not repeat the text, if this is none."""
    refuse_secret(text)
    text = text.strip()
    if _raw(text, PUBLIC) is None:
        raise TrustError(
            "this is no public key", hint=f"one is {PUBLIC} and 44 characters, as pylightnix key show prints"
        )
    return text


def refuse_secret(text: str) -> None:
    """TrustError, which does not repeat it, if a secret key is in a text in which none is meant to be."""
    if SECRET in text:
        raise TrustError(
            "this is a secret key, and it has just been shown", hint="make a new one, and give its public key here"
        )


def is_right(claim: Claim, signature: Signature) -> bool:
    """Whether this is the signature of a claim, with the key that it names."""
    raw = _raw(signature.key, PUBLIC)
    if raw is None or not _SIGNATURE.fullmatch(signature.signature):
        return False
    module = _ed25519()
    from cryptography.exceptions import InvalidSignature

    try:
        key = module.Ed25519PublicKey.from_public_bytes(raw)
        key.verify(bytes.fromhex(signature.signature), claim.to_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True


def _raw(text: str, prefix: str) -> bytes | None:
    """The 32 bytes of a key; None if the text is not written so, and in the one way that there is for each key."""
    if not text.startswith(prefix):
        return None
    try:
        raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == 32 and text == f"{prefix}{base64.b64encode(raw).decode()}" else None


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise TrustError("signatures need the package cryptography", hint='pip install "pylightnix[sign]"') from error
    return ed25519
