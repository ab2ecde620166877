"""What a realize can have from remotes instead of building it, and what it tells of those that were no use."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from pylightnix.model.supplying import NOWHERE, Supply
from pylightnix.session.elsewhere import RemoteLike, remotes_of
from pylightnix.store.store import Store


class RemoteWarning(UserWarning):
    """A remote that was not asked any more, or from which results were not taken."""


@contextmanager
def supply_for(given: Iterable[RemoteLike] | None, store: Store, *, look: bool = False) -> Iterator[Supply]:
    """Where results may be had, while inside; afterwards one warning for each remote that was no use.

    Raises:
        RemoteError: an address means nothing.
    """
    named = remotes_of(given, store)
    if not named:
        yield NOWHERE
        return
    from pylightnix.remotes.remote import opened  # few have remotes, and all pay for imports
    from pylightnix.remotes.substituting import Substitutes
    from pylightnix.session.signing import doubt_at

    with ExitStack() as stack:
        remotes = [stack.enter_context(opened(one)) for one in named]  # type: ignore[arg-type]
        supply = Substitutes(store.keeper, remotes, doubt_at, look=look, warn=_warn)
        stack.callback(supply.close)
        yield supply


def _warn(what: str) -> None:
    warnings.warn(what, category=RemoteWarning, stacklevel=1)  # the caller is a context manager of Python's
