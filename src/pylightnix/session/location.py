"""Which store is meant where none is given."""

from __future__ import annotations

import os
from pathlib import Path

from pylightnix.errors import StoreError
from pylightnix.session.opening import Store as OpenedStore
from pylightnix.store.layout import DIRECTORY, refuse_address
from pylightnix.store.pending import check_durability
from pylightnix.store.store import Store

__all__ = ["DIRECTORY", "DURABILITY", "VARIABLE", "StoreLike", "as_store", "locate"]

VARIABLE = "PYLIGHTNIX_STORE"
DURABILITY = "PYLIGHTNIX_DURABILITY"

StoreLike = Store | Path | str | None
"""A store, its path, or None for the one that is found."""


def locate() -> Path:
    """`$PYLIGHTNIX_STORE`, else a `.pylightnix` at or above the working directory, else the user data directory.

    Raises:
        StoreError: the working directory does not exist any more; or an address is named.
    """
    refuse_address(os.environ.get(VARIABLE, ""))
    named = os.path.expanduser(os.environ.get(VARIABLE, ""))
    if os.path.isabs(named):
        return Path(named)
    here = _working_directory()
    if named:
        return here / named
    for directory in (here, *here.parents):
        if os.path.isdir(directory / DIRECTORY):
            return directory / DIRECTORY
    import platformdirs  # slow to import, and seldom needed

    return Path(platformdirs.user_data_dir("pylightnix", appauthor=False)) / "store"


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise StoreError(
            "the working directory does not exist any more",
            hint=f"go to another one, or give an absolute path with --store or ${VARIABLE}",
        ) from error


def as_store(store: StoreLike) -> Store:
    """The store that is meant: the one given, the one at a path, or the one that is found."""
    if isinstance(store, Store):
        return store
    durability = os.environ.get(DURABILITY) or "batch"
    return OpenedStore(locate() if store is None else store, durability=check_durability(durability, f"${DURABILITY}"))
