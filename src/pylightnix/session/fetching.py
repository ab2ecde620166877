"""Artifacts that are not in a store, had from where the store knows that they may be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

from pylightnix.errors import PylightnixError
from pylightnix.model.records import PromiseRecord, Record
from pylightnix.session.elsewhere import VARIABLE
from pylightnix.store.signed import signed_of
from pylightnix.store.writing import Writer

T = TypeVar("T")


class Fetching:
    """Has artifacts from remotes: where a realization was pulled from, those of the store, those of the environment.

    Nobody need be trusted for that, since the record says what they are. It implements `Supplier`.

    Args:
        keeper: of the store.
        remotes: gives the addresses that the store has noted.
    """

    def __init__(self, keeper: Writer, remotes: Callable[[], tuple[str, ...]]) -> None:
        self._keeper = keeper
        self._remotes = remotes

    def whole(self, record: Record) -> bool:
        """Have all artifacts of a realization; whether they are there now."""
        from pylightnix.remotes.fetching import Fetcher
        from pylightnix.remotes.pulling import fetch_artifacts

        def fetch(fetcher: Fetcher) -> bool:
            return fetch_artifacts(self._keeper, fetcher, record)

        return any(self._each(record, fetch))

    def part(self, record: Record, promised: PromiseRecord) -> bool:
        """Have one promised file; whether it is there now. It is kept apart until all artifacts are there."""
        from pylightnix.remotes.fetching import Fetcher
        from pylightnix.remotes.picking import fetch_promise

        def fetch(fetcher: Fetcher) -> bool:
            return fetch_promise(self._keeper, fetcher, record, promised)

        return any(self._each(record, fetch))

    def _each(self, record: Record, fetch: Callable[..., bool]) -> Iterator[bool]:
        """What comes of it at each remote, until somebody asks no more; the last error, if nothing came of any."""
        from pylightnix.remotes.fetching import Fetcher
        from pylightnix.remotes.remote import Remote

        problem: PylightnixError | None = None
        for address in self._addresses(record):
            try:
                with Remote(address) as remote, closing(Fetcher(remote.backend)) as fetcher:
                    found = fetch(fetcher)
            except PylightnixError as error:
                problem = error
                continue
            if found:
                problem = None
            yield found
        if problem is not None:
            raise problem

    def _addresses(self, record: Record) -> list[str]:
        pulled = sorted({one.source for one in signed_of(self._keeper, record) if one.source})
        return list(dict.fromkeys([*pulled, *self._remotes(), *os.environ.get(VARIABLE, "").split()]))
