"""Hashes as people write them down, `sha256:…` and such: what one says, and whether bytes have it. Reads nothing."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from pylightnix.errors import ConfigError
from pylightnix.hashing import ContentHasher, content_hasher
from pylightnix.names import printable

_DIGITS = {"blake3": 64, "sha256": 64, "sha512": 128}
_BARE = {64: "sha256", 128: "sha512"}
_FORGED = {"md5": 32, "sha1": 40}
_HINT = "such as sha256:<64 hexadecimal digits>, sha512:<128>, blake3:<64>; digits alone are sha256 or sha512"


class Expected(NamedTuple):
    """A hash that some bytes must have.

    Attributes:
        algorithm: "blake3", "sha256" or "sha512".
        digits: hexadecimal, in lower case.
    """

    algorithm: str
    digits: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digits}"

    @classmethod
    def parse(cls, given: object, where: str) -> Expected:
        """The hash in a text.

        Raises:
            ConfigError: there is none, or one that can be forged (md5, sha1).
        """
        if not isinstance(given, str):
            raise ConfigError(f"this is no hash: {given!r}", where=where, hint=_HINT)
        algorithm, colon, digits = given.strip().lower().rpartition(":")
        if not re.fullmatch("[0-9a-f]+", digits):
            raise ConfigError(f"this is no hash: {printable(given)!r}", where=where, hint=_HINT)
        if not colon:
            algorithm = _BARE.get(len(digits), "")
        if algorithm in _FORGED or (not algorithm and len(digits) in _FORGED.values()):
            raise ConfigError(
                f"{algorithm or 'a hash of this length'} does not say which bytes are meant: others with the same one "
                "can be made", where=where,
                hint="leave hash= out once: the error then shows the sha256 to paste",
            )  # fmt: skip
        if _DIGITS.get(algorithm) != len(digits):
            raise ConfigError(f"this is no hash: {printable(given)!r}", where=where, hint=_HINT)
        return cls(algorithm, digits)

    def hasher(self) -> ContentHasher:
        """A hasher of this kind, fresh."""
        return content_hasher() if self.algorithm == "blake3" else hashlib.new(self.algorithm)
