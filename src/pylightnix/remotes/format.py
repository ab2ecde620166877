"""The form of a remote: the names in it, and its documents. Asks no backend.

Everything but the claims is named by what is in it, and never changes; see docs/remote-format.md.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pylightnix.errors import DamageError, FormatError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.claims import Claim, Signature
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.remotes.pieces import Blob, parse_blobs
from pylightnix.store.closures import Place
from pylightnix.store.files import LARGEST, parse_document
from pylightnix.store.reading import is_home

HEAD = "remote.json"
_HEAD_KIND = kind_tag("remote")
_OFFER_KIND = kind_tag("offer")
_INDEX_KIND = kind_tag("index")
_TREE_KIND = kind_tag("pieces")

SMALL = 1 << 20
"""Bytes that a document of which there is one for each realization may have."""

LARGE = 64 << 20
"""Bytes that a document may have which grows with the number of files, or of realizations."""

_ID = re.compile(r"[0-9a-f]{32}")
_OFFER = re.compile(rf"([0-9a-f]{{{DIGITS}}})@([0-9a-f]{{{DIGITS}}})\.json")


def head_bytes(identity: str) -> bytes:
    """The bytes of `remote.json`."""
    return canonical({"id": identity, "pylightnix": _HEAD_KIND})


def parse_head(data: bytes) -> str:
    """The identity of a remote.

    Raises:
        FormatError: a newer version has made it.
        DamageError: this is no such document.
    """
    form = re.search(rb'"pylightnix":"remote/([0-9]{1,9})"', data)
    if form is not None and f"remote/{int(form[1])}" != _HEAD_KIND:
        raise FormatError(
            f"its format is remote/{int(form[1])}, and this version reads {_HEAD_KIND}", where=HEAD,
            hint="use a newer pylightnix",
        )  # fmt: skip
    identity = parse_document(HEAD, data, _HEAD_KIND).get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise DamageError("it has no identity", where=HEAD)
    return identity


def ref_name(ref: RealizationRef) -> str:
    """Where the key of a realization stands."""
    return f"refs/{ref}"


def offers_prefix(home: KeyRef, digits: str = "") -> str:
    """What the names of the offers of a key begin with, or those of one realization."""
    return f"claims/{home}/{digits}@" if digits else f"claims/{home}/"


def index_name(home: KeyRef) -> str:
    """Where the names of all offers of a key stand, for those who cannot list."""
    return f"claims/{home}/index.json"


def index_bytes(names: set[str]) -> bytes:
    """The bytes of an index; `names` are the last parts."""
    return canonical({"offers": sorted(names), "pylightnix": _INDEX_KIND})


def parse_index(name: str, data: bytes) -> list[str]:
    """The last parts of the names of all offers of a key; DamageError if it is no index."""
    names = parse_document(name, data, _INDEX_KIND).get("offers")
    if not isinstance(names, list) or not all(isinstance(one, str) and is_offer(one) for one in names):
        raise DamageError("this is no list of offers", where=name)
    return names


def is_offer(last: str) -> bool:
    """Whether the last part of a name is that of an offer."""
    return _OFFER.fullmatch(last) is not None


def key_of(data: bytes, ref: RealizationRef) -> KeyRef:
    """The key that stands for a realization; DamageError if none does."""
    text = data.decode("ascii", "replace")
    if not is_home(text) or text[DIGITS:] != ref[DIGITS:]:
        raise DamageError("this is no key of it", where=ref_name(ref))
    return KeyRef(text)


class Offer(NamedTuple):
    """What a remote has of a realization: the claim that it is one, who has signed that, and where the rest is.

    Attributes:
        claim: what is signed.
        signatures: of it.
        notes: the blobs of what is known of it, see `notes.py`.
        manifest: those of its manifest; none if the tree is empty.
        whole: whether the artifacts are there; else it was collected where it came from.
    """

    claim: Claim
    signatures: tuple[Signature, ...]
    notes: tuple[Blob, ...]
    manifest: tuple[Blob, ...]
    whole: bool

    @property
    def place(self) -> Place:
        """Which realization it is of, under which key."""
        return Place(self.claim.home, self.claim.ref)

    def to_bytes(self) -> bytes:
        """Its document, canonical JSON."""
        return canonical({
            "claim": self.claim.document(), "manifest": [blob.row() for blob in self.manifest],
            "notes": [blob.row() for blob in self.notes], "pylightnix": _OFFER_KIND,
            "signatures": [one.document() for one in sorted(self.signatures)], "whole": self.whole,
        })  # fmt: skip

    def name(self) -> str:
        """Its name in a remote."""
        home, ref = self.place
        return f"{offers_prefix(home, ref.digits)}{digest_bytes(self.to_bytes())[:DIGITS]}.json"

    @classmethod
    def parse(cls, name: str, data: bytes) -> Offer:
        """The offer of this name.

        Raises:
            DamageError: it is none, or not of this name.
        """
        document = parse_document(name, data, _OFFER_KIND)
        try:
            whole: Any = document["whole"]
            signatures = tuple(map(Signature.parse, document["signatures"]))
            offer = cls(
                Claim.parse(document["claim"]), signatures, parse_blobs(document["notes"]),
                parse_blobs(document["manifest"]), whole,
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise DamageError(f"this is no offer: {error!r}", where=name) from error
        if type(whole) is not bool or offer.to_bytes() != data or offer.name() != name:
            raise DamageError("it is not that of its name, or has another form", where=name)
        if sum(blob.size for blob in offer.notes) > LARGEST:
            raise DamageError(f"its notes would have more than {LARGEST} bytes", where=name)
        return offer


class Pieces(NamedTuple):
    """Where the content of a tree is.

    Attributes:
        packs: the content of all files of fewer than `PACKED` bytes, in the order of the manifest.
        files: of each other file, in that order, its own.
    """

    packs: tuple[Blob, ...]
    files: tuple[tuple[Blob, ...], ...]

    @property
    def size(self) -> int:
        """Bytes of the content of all files."""
        return sum(blob.size for one in (self.packs, *self.files) for blob in one)

    def to_bytes(self) -> bytes:
        """Its document, canonical JSON."""
        return canonical({
            "files": [[blob.row() for blob in one] for one in self.files],
            "packs": [blob.row() for blob in self.packs],
            "pylightnix": _TREE_KIND,
        })  # fmt: skip

    @classmethod
    def parse(cls, name: str, data: bytes) -> Pieces:
        """What the document says; DamageError if it is none."""
        document = parse_document(name, data, _TREE_KIND)
        files = document.get("files")
        if not isinstance(files, list):
            raise DamageError("this is no list of pieces", where=name)
        return cls(parse_blobs(document.get("packs")), tuple(map(parse_blobs, files)))


def tree_name(tree: str) -> str:
    """Where the pieces of a tree are listed."""
    return f"trees/{tree[:2]}/{tree}.json"
