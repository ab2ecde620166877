"""Every hash of the package: canonical JSON, and BLAKE3 of bytes. Pure: reads no files, knows no meanings.

A hash of a document is the plain BLAKE3 hash of its canonical bytes, and each kind of document carries its kind and
the version of the scheme under the key "pylightnix", so two kinds never have the same bytes, and `b3sum` checks any
file that is named by its hash.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from blake3 import blake3

VERSION = 1
"""Version of the hashing scheme. A change needs new golden vectors and a migration note."""

DIGITS = 40
"""Hexadecimal digits of a hash that stand in a name (160 bits)."""


class ContentHasher(Protocol):
    """What `content_hasher` gives: feed bytes with `update`, read `hexdigest`."""

    def update(self, data: Any, /) -> Any: ...
    def hexdigest(self) -> str: ...


def content_hasher(*, threads: bool = False) -> ContentHasher:
    """A hasher for the bytes of a file; with `threads`, each large update uses every core."""
    return blake3(max_threads=blake3.AUTO) if threads else blake3()


def digest_bytes(data: bytes | memoryview) -> str:
    """The BLAKE3 hash of some bytes, 64 hexadecimal digits."""
    return blake3(data).hexdigest()


def canonical(document: object) -> bytes:
    """Canonical JSON of JSON values: sorted keys, no spaces, UTF-8, no final newline, no NaN."""
    return _encode(document).encode()


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


class Template:
    """Canonical documents that are alike but for their kind and one field: what is alike is encoded once.

    Args:
        fields: what all have in common, without the varying field.
        varying: the name of the varying field.
    """

    def __init__(self, fields: dict[str, Any], varying: str) -> None:
        self._fields = fields
        self._varying = varying
        self._ends: dict[str, tuple[str, str]] = {}

    def fill(self, kind: str, text: str) -> bytes:
        """The canonical bytes of the document of this kind; `text` is the canonical JSON of the varying field."""
        ends = self._ends.get(kind)
        if ends is None:
            ends = self._ends[kind] = self._make_ends(kind)
        return f"{ends[0]}{text}{ends[1]}".encode()

    def _make_ends(self, kind: str) -> tuple[str, str]:
        fields = {**self._fields, "pylightnix": kind_tag(kind)}
        before = canonical({name: value for name, value in fields.items() if name < self._varying}).decode()
        after = canonical({name: value for name, value in fields.items() if name > self._varying}).decode()
        field = f'"{self._varying}":'
        return (f"{before[:-1]},{field}" if before != "{}" else f"{{{field}", f",{after[1:]}" if after != "{}" else "}")


def kind_tag(kind: str) -> str:
    """The value of "pylightnix" in a document of this kind, such as `derivation/1`."""
    return f"{kind}/{VERSION}"


def digest_document(kind: str, fields: dict[str, Any]) -> str:
    """The hash of a document: its fields and its kind, in canonical JSON."""
    return blake3(canonical({**fields, "pylightnix": f"{kind}/{VERSION}"})).hexdigest()
