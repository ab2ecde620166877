"""What a command has taken in from elsewhere, kept from collections: each realization has an automatic root."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from pylightnix.cli.output import remark
from pylightnix.errors import StoreError
from pylightnix.names import RealizationRef, printable
from pylightnix.store.collection.rooting import set_automatic_root
from pylightnix.store.store import Store


@contextlib.contextmanager
def held(store: Store) -> Iterator[None]:
    """What this process takes in is held until it has a root."""
    holding = store.keeper.holding()
    try:
        yield
    finally:
        holding.release()


def keep(refs: Iterable[RealizationRef], source: str, store: Store) -> None:
    """Give each one an automatic root, under a name that says where it came from."""
    for ref in refs:
        found = store.realization(ref)
        with rootless(found.ref):
            set_automatic_root(store.keeper, f"{found.ref} from {source}", [found])


@contextlib.contextmanager
def rootless(target: str) -> Iterator[None]:
    """Say so if a target cannot have a root; that ends nothing."""
    try:
        yield
    except StoreError as error:
        remark(f"{printable(target)} has no root, so a collection may take it: {error.what}", "yellow")
