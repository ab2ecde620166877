"""Tells documents that a newer version of the package wrote from damaged ones."""

from __future__ import annotations

import re
from collections.abc import Callable

from pylightnix.errors import DamageError
from pylightnix.hashing import VERSION, kind_tag
from pylightnix.store.files import decode_json, read_small, read_start

_TAG = re.compile(r"([a-z]+)/([1-9][0-9]{0,8})")
_HEADER = re.compile(rb'\{"pylightnix":"([^"]*)"\}\n')


def newer(data: bytes, kind: str, parse: Callable[[bytes], object] | None = None) -> str:
    """What to say of a document if its kind is this one in a version that we do not know; empty if it is not.

    Args:
        data: its bytes.
        kind: which, without a version.
        parse: raises DamageError where the name is not that of the bytes; so a flipped bit is no newer version.
    """
    try:
        document = decode_json(data.decode())
        said = _said(document["pylightnix"], kind)
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    if said and parse is not None:
        try:
            parse(data.replace(f'"{document["pylightnix"]}"'.encode(), f'"{kind_tag(kind)}"'.encode(), 1))
        except DamageError:
            return said
        return ""
    return said


def _said(tag: str, kind: str) -> str:
    found = _TAG.fullmatch(tag)
    if found is None or found[1] != kind or int(found[2]) <= VERSION:
        return ""
    return f"it is of the kind {tag}, and this version reads {kind_tag(kind)}"


def newer_file(path: str, kind: str, parse: Callable[[bytes], object] | None = None) -> str:
    """As `newer`, of a file; empty also if it cannot be read."""
    try:
        return newer(read_small(path), kind, parse)
    except (DamageError, OSError):
        return ""


def newer_manifest(path: str) -> str:
    """As `newer`, of the first line of a manifest."""
    try:
        found = _HEADER.match(read_start(path, 256))
        return _said(found[1].decode(), "tree") if found else ""
    except (ValueError, OSError):
        return ""
