"""Which remotes are meant where none is given: those of the environment and of the store."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pylightnix.store.store import Store

VARIABLE = "PYLIGHTNIX_REMOTES"
"""The environment variable with addresses of remotes, with spaces between."""

_FAR = ("s3:", "gs:", "az:", "sftp:", "http:", "https:")
"""Beginnings of addresses that are not a directory on this machine: those come after what is."""

RemoteLike = object


def remotes_of(given: Iterable[RemoteLike] | None, store: Store) -> list[RemoteLike]:
    """The remotes that are meant, the cheapest first.

    Args:
        given: addresses or remotes; None for those of `$PYLIGHTNIX_REMOTES` and of the store.
        store: which has a list of its own.
    """
    if given is None:
        given = [*os.environ.get(VARIABLE, "").split(), *store.remotes]
    elif isinstance(given, (str, Path)):
        given = [given]
    return sorted(dict.fromkeys(given), key=_is_far)


def _is_far(remote: RemoteLike) -> bool:
    return str(getattr(remote, "url", remote)).startswith(_FAR)
