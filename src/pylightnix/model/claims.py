"""What is claimed of a realization, and signed: that this description gave these artifacts and this value. Pure."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pylightnix.errors import DamageError
from pylightnix.hashing import canonical, kind_tag
from pylightnix.model.records import Context, Record, hash_realization
from pylightnix.names import DerivationRef, KeyRef, RealizationRef

_KIND = kind_tag("claim")
_HASHES = ("context", "key", "tree", "value")
_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
_SIZES = range(1 << 63)


class Claim(NamedTuple):
    """A claim. All hashes are full ones.

    Attributes:
        derivation: what was realized.
        key: what its builder could see.
        context: the choices that it was made or used with.
        tree: of the artifacts.
        size: bytes in all files.
        value: of the encoded value.
    """

    derivation: DerivationRef
    key: str
    context: str
    tree: str
    size: int
    value: str

    @classmethod
    def of(cls, record: Record, context: Context) -> Claim:
        """The claim that a realization stands in a context."""
        return cls(context.derivation, record.key, context.hash, record.tree, record.size, record.value_hash)

    @property
    def ref(self) -> RealizationRef:
        """The realization."""
        return RealizationRef.of(hash_realization(self.key, self.tree, self.value), self.derivation.name)

    @property
    def home(self) -> KeyRef:
        """The key, as its realizations stand under it."""
        return KeyRef.of(self.key, self.derivation.name)

    def document(self) -> dict[str, Any]:
        """It as JSON values."""
        return {**self._asdict(), "derivation": str(self.derivation), "pylightnix": _KIND}

    def to_bytes(self) -> bytes:
        """What is signed: canonical JSON."""
        return canonical(self.document())

    @classmethod
    def parse(cls, document: object) -> Claim:
        """The claim in JSON values; DamageError if there is none."""
        if not isinstance(document, dict) or document.get("pylightnix") != _KIND:
            raise DamageError(f"this is no document of kind {_KIND}")
        fields = {name: value for name, value in document.items() if name != "pylightnix"}
        if fields.keys() != set(cls._fields):
            raise DamageError("a claim has other fields")
        for name in _HASHES:
            if not isinstance(fields[name], str) or not _is_hash(fields[name]):
                raise DamageError(f"a claim has a full hash as {name}")
        if type(fields["size"]) is not int or fields["size"] not in _SIZES:
            raise DamageError("a claim has a number of bytes as size")
        try:
            ref = DerivationRef.parse(fields.pop("derivation"))
        except ValueError as error:
            raise DamageError("a claim has a reference as derivation") from error
        return cls(ref, **fields)


class Signature(NamedTuple):
    """Who has signed a claim, and what came of it.

    Attributes:
        key: the public key, in text.
        signature: hexadecimal digits.
    """

    key: str
    signature: str

    def document(self) -> dict[str, str]:
        """It as JSON values."""
        return self._asdict()

    @classmethod
    def parse(cls, document: object) -> Signature:
        """The signature in JSON values; DamageError if there is none."""
        if not isinstance(document, dict) or document.keys() != set(cls._fields):
            raise DamageError("this is no signature")
        if not all(isinstance(text, str) and len(text) <= 200 and text.isascii() for text in document.values()):
            raise DamageError("a signature has two short texts")
        return cls(**document)
