"""The store as users get it: one that can have from elsewhere what it lacks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from pylightnix.session.fetching import Fetching
from pylightnix.store import store
from pylightnix.store.pending import Durability
from pylightnix.store.remotes import read_remotes, write_remotes


class Store(store.Store):
    """Immutable results and what is known of them, in one directory, with no server and no database.

    Args:
        path: the directory; absolute from now on. It is created at the first write.
        durability: what outlasts a loss of power. "batch": all that a realize has returned, and what it has made
            after a second at most. "full": each result as soon as it is registered. "none": whatever the system has
            written by then; results may be damaged, which `verify` names.

    Raises:
        ConfigError: there is no such durability.
        FormatError: the directory is not a store, or one of a newer format.
        StoreError: it cannot be read.
    """

    def __init__(self, path: Path | str, *, durability: Durability = "batch") -> None:
        super().__init__(path, durability=durability)
        self.keeper.supplier = Fetching(self.keeper, functools.partial(read_remotes, self.keeper.layout))

    @property
    def remotes(self) -> tuple[str, ...]:
        """Addresses of remotes that a realize in this store looks at before it builds; may be set.

        Raises:
            DamageError: their list is damaged.
            RemoteError, StoreError: what is set is no address.
        """
        return read_remotes(self.keeper.layout)

    @remotes.setter
    def remotes(self, addresses: Iterable[str | Path]) -> None:
        from pylightnix.remotes.addresses import address_of  # few note remotes, and all pay for imports

        given = [addresses] if isinstance(addresses, (str, Path)) else addresses
        write_remotes(self.keeper.layout, map(address_of, given))  # a directory is the same one from anywhere

    def __reduce__(self) -> tuple[Callable[..., Store], tuple[str, Durability]]:
        return _open, (str(self.path), self.keeper.durability)


def _open(path: str, durability: Durability) -> Store:
    return Store(path, durability=durability)
