"""Which remotes a realize asks before it builds: those that are given, else those of environment and store."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pylightnix.model.supplying import NOWHERE, Supply
from pylightnix.store.store import Store

VARIABLE = "PYLIGHTNIX_REMOTES"
"""The environment variable with addresses of remotes, with spaces between."""

_FAR = ("s3:", "gs:", "az:", "sftp:", "http:", "https:")
"""Beginnings of addresses that are not a directory on this machine: those come after what is."""

RemoteLike = object


class RemoteWarning(UserWarning):
    """A remote that was not asked any more, or from which results were not taken."""


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
    from pylightnix.session.remotes import doubt_at

    with ExitStack() as stack:
        remotes = [stack.enter_context(opened(one)) for one in named]  # type: ignore[arg-type]
        supply = Substitutes(store.keeper, remotes, doubt_at, look=look, warn=_warn)
        stack.callback(supply.close)
        yield supply


def _warn(what: str) -> None:
    warnings.warn(what, category=RemoteWarning, stacklevel=1)  # the caller is a context manager of Python's
