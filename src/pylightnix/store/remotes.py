"""The remotes that a store looks at by itself: addresses in a file of its own. Unaware of what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import canonical, kind_tag
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.store.files import parse_document, read_small, reason, write_once
from pylightnix.store.layout import Layout, writing

_KIND = kind_tag("remotes")
NAME = "remotes.json"
_CREDENTIALS = re.compile(r"(?!sftp:)[a-z0-9]+://[^/]*@|[a-z0-9]+://[^/@]*:[^/]*@")
"""A name alone says little where it is that of an account, with sftp."""


def read_remotes(layout: Layout) -> tuple[str, ...]:
    """The addresses, in their order.

    Raises:
        DamageError: the file is not what it must be.
        StoreError: it cannot be read.
    """
    path = f"{layout.root}/{NAME}"
    try:
        return parse_remotes(path, read_small(path))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (DamageError, OSError) as error:
        raise DamageError(
            f"the list of remotes cannot be read: {reason(error)}", where=printable(path),
            hint="pylightnix verify --repair moves it away, then remote --add URL writes another one",
        ) from error  # fmt: skip


def parse_remotes(path: str, data: bytes) -> tuple[str, ...]:
    """The addresses in the file; DamageError if it is not what it must be."""
    listed = parse_document(path, data, _KIND).get("remotes")
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        raise DamageError("this is no list of remotes", where=printable(path))
    return tuple(listed)


def write_remotes(layout: Layout, addresses: Iterable[str]) -> None:
    """Put these addresses in the place of those that are there; StoreError if the store cannot be written."""
    addresses = list(dict.fromkeys(addresses))
    for one in addresses:
        if not one.isprintable() or one != one.strip() or " " in one:
            raise StoreError(f"{one!r} is no address", where="remotes", hint="such as s3://bucket/results")
        if _CREDENTIALS.match(one):
            raise StoreError(
                f"{shown(one)} has a password in it, which would stand in the store", where="remotes",
                hint="leave it out: credentials come from the environment, an agent, or ~/.netrc",
            )  # fmt: skip
    layout.ensure()
    path = f"{layout.root}/{NAME}"
    with writing(path):
        write_once(layout.tmp, path, canonical({"pylightnix": _KIND, "remotes": addresses}), lasting=True)
