"""Signed claims beside a record: where a realization came from elsewhere, who vouches for it. Unaware of keys.

Each is a file of its own, named by the hash of its bytes, so that two stores merged are one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.claims import Claim, Signature
from pylightnix.model.records import Record
from pylightnix.store.files import parse_document, read_small, warn_of_damage, write_once
from pylightnix.store.layout import writing
from pylightnix.store.reading import Reader, listed
from pylightnix.store.writing import Writer

_KIND = kind_tag("signed")
is_signed = re.compile(rf"signed-[0-9a-f]{{{DIGITS}}}\.json").fullmatch


class Signed(NamedTuple):
    """A claim, who has signed it, and where it was found (empty: made here)."""

    claim: Claim
    signatures: frozenset[Signature]
    source: str

    def to_bytes(self) -> bytes:
        """Its document, canonical JSON."""
        return canonical({
            "claim": self.claim.document(), "pylightnix": _KIND, "source": self.source,
            "signatures": [one.document() for one in sorted(self.signatures)],
        })  # fmt: skip

    def name(self) -> str:
        """The name of its file."""
        return f"signed-{digest_bytes(self.to_bytes())[:DIGITS]}.json"


def parse_signed(where: str, data: bytes) -> Signed:
    """What a document says; DamageError if it says nothing of this kind."""
    document = parse_document(where, data, _KIND)
    try:
        signatures = frozenset(map(Signature.parse, document["signatures"]))
        found = Signed(Claim.parse(document["claim"]), signatures, document["source"])
    except (KeyError, TypeError) as error:
        raise DamageError(f"no signed claim: {error!r}", where=where) from error
    if not isinstance(found.source, str) or not where.endswith(found.name()):
        raise DamageError("its name is not that of its bytes", where=where)
    return found


def signed_of(reader: Reader, record: Record) -> list[Signed]:
    """The signed claims beside a record; one that is damaged is passed over with a warning."""
    place = reader.place(record)
    found = []
    try:
        names = sorted(filter(is_signed, listed(place)))
    except StoreError:
        return []
    for name in names:
        try:
            one = parse_signed(f"{place}/{name}", read_small(f"{place}/{name}"))
        except (DamageError, OSError) as error:
            warn_of_damage(f"{place}/{name}", str(getattr(error, "what", error)))
            continue
        if one.claim.ref == record.ref:
            found.append(one)
    return found


def note_signed(writer: Writer, record: Record, signed: Signed) -> None:
    """Write a signed claim beside a record; StoreError if the store cannot be written."""
    path = f"{writer.place(record)}/{signed.name()}"
    if not os.path.lexists(path):
        with writing(path):
            write_once(writer.layout.tmp, path, signed.to_bytes())


def together(signed: Iterable[Signed]) -> Mapping[Claim, frozenset[Signature]]:
    """All signatures of each claim."""
    found: dict[Claim, frozenset[Signature]] = {}
    for one in signed:
        found[one.claim] = found.get(one.claim, frozenset()) | one.signatures
    return found
