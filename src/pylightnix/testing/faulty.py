"""A backend on which something goes wrong, at the call that one says. It wraps a real one.

Each fault is what somebody has seen of a remote: see `FAULTS`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pylightnix.errors import RemoteError
from pylightnix.remotes.backend import Backend

FAULTS = (
    "wrong bytes", "another's bytes", "truncated", "a web page", "nothing", "endless", "refused", "later",
    "broken off", "lost answer", "stale listing", "expired",
)  # fmt: skip
"""
- wrong bytes: a bit of the answer is flipped; another's bytes: it is what another name has; truncated: its end is
  missing; a web page: it is a page to log in; nothing: it is said not to be there.
- endless: it is larger than it may be; refused: the system says no, and always will; later: the server is overloaded;
  broken off: the connection was lost before anything was done; lost answer: after it was done.
- stale listing: nothing is listed; expired: from this call on, credentials do not count any more.
"""

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


class Faulty:
    """What `backend` does, but for one call.

    Args:
        backend: which one.
        fault: of `FAULTS`.
        at: the number of the call at which it happens, from 0.
        times: at how many calls.

    Attributes:
        calls: how many there were.
        done: whether the fault has happened.
    """

    def __init__(self, backend: Backend, fault: str, at: int, times: int = 1) -> None:
        self.url = backend.url
        self.lists = backend.lists
        self.writes = backend.writes
        self.calls = 0
        self.done = False
        self._backend = backend
        self._fault = fault
        self._at = range(at, at + (times if fault != "expired" else 1 << 62))
        self._mutex = threading.Lock()

    def get(self, name: str, most: int) -> bytes | None:
        if not self._begin():
            return self._backend.get(name, most)
        data = self._backend.get(name, most)
        if self._fault in ("stale listing",) or data is None:
            return data
        self.done = True
        return self._changed(name, data)

    def _changed(self, name: str, data: bytes) -> bytes | None:
        """What comes instead of an answer that was right."""
        if self._fault == "wrong bytes":
            return bytes([data[0] ^ 1]) + data[1:] if data else b"x"
        if self._fault == "another's bytes":
            other = next((one for one in sorted(self._backend.names("")) if one != name), name)
            return self._backend.get(other, 1 << 28)
        if self._fault == "truncated":
            return data[:-1]
        if self._fault == "a web page":
            return _PAGE
        if self._fault == "nothing":
            return None
        if self._fault == "endless":
            raise RemoteError(f"{name} has more bytes than it may have", where=self.url)
        return data

    def put(self, name: str, data: bytes) -> None:
        hit = self._begin()
        self._backend.put(name, data)
        self._end(hit)

    def has(self, name: str) -> bool:
        hit = self._begin()
        found = self._backend.has(name)
        self._end(hit)
        return found

    def names(self, prefix: str) -> Iterator[str]:
        hit = self._begin()
        if hit and self._fault == "stale listing":
            self.done = True
            return
        yield from self._backend.names(prefix)
        self._end(hit)

    def remove(self, name: str) -> None:
        hit = self._begin()
        self._backend.remove(name)
        self._end(hit)

    def close(self) -> None:
        self._backend.close()

    def _begin(self) -> bool:
        """Whether it goes wrong now; what comes before anything is done is raised."""
        with self._mutex:
            hit = self.calls in self._at
            self.calls += 1
        if not hit:
            return False
        problems = {
            "refused": RemoteError("access is refused", where=self.url, hint="look at its rights"),
            "later": RemoteError("the server says 503", where=self.url, again=True, wait=0.01),
            "broken off": RemoteError("the connection was lost", where=self.url, again=True),
            "expired": RemoteError("the credentials have expired", where=self.url, hint="get new ones"),
        }
        if self._fault in problems:
            self.done = True
            raise problems[self._fault]
        return True

    def _end(self, hit: bool) -> None:
        if hit and self._fault == "lost answer":
            self.done = True
            raise RemoteError("the answer was lost", where=self.url, again=True)
