"""A remote: a backend that has the form of one, and its identity."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from pylightnix.errors import RemoteError
from pylightnix.remotes.addresses import address_of, open_backend
from pylightnix.remotes.backend import Backend
from pylightnix.remotes.format import HEAD, SMALL, head_bytes, parse_head


class Remote:
    """Another place for results; to be closed, or used in a `with`.

    Args:
        url: a directory (a path or `file:`), `s3:`, `gs:`, `az:`, `sftp:`, or `http:` and `https:` for reading.
        backend: what it stands on, if that is at hand.

    Attributes:
        address: of it, which means the same wherever it is given again; nothing that is secret is in it.

    Raises:
        RemoteError: the address is none of these, or what it needs is not installed.
    """

    def __init__(self, url: str | Path, *, backend: Backend | None = None) -> None:
        self.backend = backend if backend is not None else open_backend(url)
        self.address = address_of(url) if backend is None else backend.url
        self._identity = ""

    @property
    def url(self) -> str:
        """Its address for people, without what may be a secret in it."""
        return self.backend.url

    def __repr__(self) -> str:
        return f"Remote({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self.backend.close()

    def identity(self, *, make: bool = False) -> str:
        """Which remote it is: 32 digits, made when it is. One request, the first time.

        Args:
            make: make it, if there is none.

        Raises:
            FormatError: a newer version has made it.
            DamageError: its first document is damaged.
            RemoteError: there is none; or something else is there; or it cannot be reached.
        """
        found = self.find_identity()
        if found:
            return found
        if not make:
            raise RemoteError(
                "there is no remote", where=self.url, hint="pylightnix push --to makes one; or look at the address"
            )
        self._identity = self._make()
        return self._identity

    def find_identity(self) -> str:
        """As `identity`, but empty if there is no remote."""
        if not self._identity:
            data = self.backend.get(HEAD, SMALL)
            self._identity = parse_head(data) if data is not None else ""
        return self._identity

    def _make(self) -> str:
        self.see_writable()
        if self.backend.lists and next(self.backend.names(""), None) is not None:
            if found := self.find_identity():  # somebody else made it meanwhile
                return found
            raise RemoteError(
                "something else is there",
                where=self.url,
                hint="give the address of a place of its own, such as …/results",
            )
        identity = secrets.token_hex(16)
        self.backend.put(HEAD, head_bytes(identity))
        return identity

    def see_writable(self) -> None:
        """See that it can be written; RemoteError if not."""
        if not self.backend.writes:
            raise RemoteError(
                "it can only be read",
                where=self.url,
                hint="push to where its files come from, such as a directory or s3:",
            )


@contextmanager
def opened(remote: Remote | str | Path) -> Iterator[Remote]:
    """The remote itself, which stays its owner's to close; or that of an address, closed afterwards."""
    if isinstance(remote, Remote):
        yield remote
        return
    with Remote(remote) as found:
        yield found
