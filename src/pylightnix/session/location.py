"""Which store is meant where none is given."""

from __future__ import annotations

import os
from pathlib import Path

from pylightnix.store.store import Store

VARIABLE = "PYLIGHTNIX_STORE"
DIRECTORY = ".pylightnix"


def locate() -> Path:
    """`$PYLIGHTNIX_STORE`, else a `.pylightnix` at or above the working directory, else the user data directory."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / DIRECTORY).is_dir():
            return directory / DIRECTORY
    import platformdirs  # slow to import, and seldom needed

    return Path(platformdirs.user_data_dir("pylightnix", appauthor=False)) / "store"


def as_store(store: Store | Path | str | None) -> Store:
    """The store that is meant: the one given, the one at a path, or the one that is found."""
    if isinstance(store, Store):
        return store
    return Store(locate() if store is None else store)
