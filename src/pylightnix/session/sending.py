"""Where a realize sends what it has made: seen to be a place before anything is built, and used in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pylightnix.model.realization import Realization
from pylightnix.names import RealizationRef
from pylightnix.store.store import Store

Results = list[tuple[Realization[Any], ...]]
Send = Callable[[Results, Iterable[RealizationRef]], None]


@contextmanager
def sending(remote: Any, store: Store) -> Iterator[Send]:
    """What sends results, and all that was made on the way, also what was not chosen; nothing if there is no remote.

    Raises:
        RemoteError: the address means nothing, or can only be read.
    """
    if remote is None:
        yield lambda *_: None
        return
    from pylightnix.remotes.remote import opened  # few have remotes, and all pay for imports
    from pylightnix.session.remotes import push

    def send(results: Results, made: Iterable[RealizationRef]) -> None:
        chosen = [one for several in results for one in several]
        refs = {one.ref for one in chosen}
        if wanted := [*chosen, *(store.realization(ref) for ref in made if ref not in refs)]:
            push(wanted, there, store=store)

    with opened(remote) as there:
        there.see_writable()
        yield send
