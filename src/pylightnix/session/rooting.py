"""The root that a call asks for: its name seen before anything is done, and set while its results are held."""

from __future__ import annotations

from typing import Any

from pylightnix.model.realization import Realization
from pylightnix.model.selection import Selection
from pylightnix.store.store import Store


def see_root(root: str | None) -> None:
    """See that a root can have this name, before anything is built."""
    if root is not None:
        from pylightnix.store.collection.roots import check_root_name  # few name one, and all pay for imports

        check_root_name(root)


def keep_under(root: str | None, store: Store, results: list[tuple[Realization[Any], ...]]) -> None:
    """Keep results under a name, while they are held."""
    if root is not None:
        from pylightnix.store.collection.rooting import set_root

        set_root(store.keeper, root, [one for chosen in results for one in chosen], held=True)


def keep_selection(root: str | None, store: Store, selection: Selection) -> None:
    """Keep a selection under a name, while all of it is held."""
    if root is not None:
        from pylightnix.store.collection.roots import Root, Roots

        Roots(store.keeper.layout, lasting=store.keeper.lasting).set(Root(root, "named", selection))
