"""Every hash of the package: canonical JSON, and BLAKE3 of bytes. Pure: reads no files, knows no meanings.

A hash of a document is the plain BLAKE3 hash of its canonical bytes, and each kind of document carries its kind and
the version of the scheme under the key "pylightnix", so two kinds never have the same bytes, and `b3sum` checks any
file that is named by its hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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


def digest_bytes(data: bytes) -> str:
    """The BLAKE3 hash of some bytes, 64 hexadecimal digits."""
    return blake3(data).hexdigest()


def canonical(document: object, default: Callable[[Any], object] | None = None) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, no final newline, no NaN.

    Args:
        document: JSON values; anything else is handed to `default`.
        default: turns a placeholder into JSON values.
    """
    if default is None:
        return _plain(document).encode()
    return (
        json.JSONEncoder(
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
            check_circular=False,
            default=default,
        )
        .encode(document)
        .encode()
    )


_plain = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode


def kind_tag(kind: str) -> str:
    """The value of "pylightnix" in a document of this kind, such as `derivation/1`."""
    return f"{kind}/{VERSION}"


def digest_document(kind: str, fields: dict[str, Any], default: Callable[[Any], object] | None = None) -> str:
    """The hash of a document: its fields and its kind, in canonical JSON."""
    return blake3(canonical({**fields, "pylightnix": f"{kind}/{VERSION}"}, default)).hexdigest()
