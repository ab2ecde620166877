"""The document that says whom a user trusts, there and back, and what may stand in it. Opens no files."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from pylightnix.errors import BadNameError, DamageError, TrustError
from pylightnix.hashing import kind_tag
from pylightnix.model.trust import Keyring, Trusted
from pylightnix.names import check_name
from pylightnix.remotes.keys import check_public, refuse_secret
from pylightnix.store.files import parse_document

_KIND = kind_tag("keyring")
_HINT = "mend it, or move it away; it is not overwritten"
_FIELDS = {"need", "pylightnix", "revoked", "trusted"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def keyring_bytes(ring: Keyring) -> bytes:
    """The document; people may read and mend it, so it has lines."""
    document = {
        "need": ring.need, "pylightnix": _KIND, "revoked": dict(ring.revoked),
        "trusted": [one._asdict() for one in ring.trusted],
    }  # fmt: skip
    return f"{json.dumps(document, indent=1, sort_keys=True)}\n".encode()


def parse_keyring(where: str, data: bytes) -> Keyring:
    """What a document says; DamageError if it is none, or has anything in it that none has."""
    try:
        document = parse_document(where, data.strip(), _KIND)
    except DamageError as error:
        raise DamageError(error.what, where=where, hint=_HINT) from None
    try:
        return _parse(document)
    except (KeyError, TypeError, ValueError, AttributeError, TrustError) as error:
        why = getattr(error, "what", str(error))
        raise DamageError(f"it is no keyring: {why}", where=where, hint=_HINT) from None


def _parse(document: dict[str, Any]) -> Keyring:
    if document.keys() != _FIELDS:
        raise ValueError("it has other fields")
    need = document["need"]
    if type(need) is not int or need < 1:
        raise ValueError("need is not a number of signatures")
    revoked = {check_public(key): _day(day) for key, day in document["revoked"].items()}
    return Keyring(tuple(map(_trusted, document["trusted"])), revoked, need)


def _trusted(one: dict[str, Any]) -> Trusted:
    if one.keys() != set(Trusted._fields) or not all(isinstance(value, str) for value in one.values()):
        raise ValueError("somebody who is trusted has name, key and remote")
    return Trusted(who(one["name"]), check_public(one["key"]), one["remote"])


def _day(text: object) -> str:
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError("a key was revoked on a day, such as 2026-03-01")
    return text


def who(name: str) -> str:
    """The name, if somebody can be called so; BadNameError, or TrustError for a key, neither of which repeats it."""
    refuse_secret(name)
    try:
        return check_name(name)
    except BadNameError:
        raise BadNameError(
            "nobody can be called so", hint="use 1 to 120 of A-Z a-z 0-9 _ . + -, starting with a letter, digit or _"
        ) from None


def address(remote: str) -> str:
    """The address of remotes as they show it themselves, so that it can be compared: paths are absolute.

    Raises:
        TrustError: it is none, or has a password or a query in it, which would stand in the keyring.
    """
    if not remote.strip():
        raise TrustError("this is no address of a remote", hint="leave --remote out to trust somebody everywhere")
    if not _SCHEME.match(remote):
        return os.path.abspath(os.path.expanduser(remote))
    try:
        parts = urlsplit(remote)
    except ValueError:
        raise TrustError("this is no address of a remote", hint="such as s3://bucket/results") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise TrustError(
            "the address has more in it than a place", hint="give it without user, password, and what follows ? or #"
        )
    if parts.scheme == "file":
        return os.path.abspath(unquote(parts.path))
    return parts.scheme + remote[len(parts.scheme) :]
