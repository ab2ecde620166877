"""The ASGI application that gives what a backend has: GET and HEAD, whole or in part, to whoever has the token.

Unaware of stores, of TLS and of who serves it. Each answer goes in slices, so memory is the same for all sizes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pylightnix.errors import BadNameError, PylightnixError, RemoteError, SecretError
from pylightnix.remotes.served import Served
from pylightnix.remotes.slices import Content

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

AT_ONCE = 16
"""Reads of the store at once."""

_RANGE = re.compile(rb"bytes=([0-9]{0,18})-([0-9]{0,18})")


class _Answer(NamedTuple):
    status: int
    headers: Headers = ()
    size: int = 0
    body: Iterator[bytes] = iter(())


def _said(status: int, text: bytes = b"", headers: Headers = ()) -> _Answer:
    return _Answer(status, headers, len(text), iter((text,)))


class App:
    """The application; to be closed.

    Args:
        backend: what is served.
        token: whoever asks has to have it; empty: nobody has to.
    """

    def __init__(self, backend: Served, token: str = "") -> None:
        self._backend = backend
        self._token = token.encode()
        self._threads = ThreadPoolExecutor(AT_ONCE, "pylightnix-serve")

    def close(self) -> None:
        """End what has not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What turns out to be damaged on the way breaks off."""
        if scope["type"] == "http":
            with contextlib.suppress(asyncio.CancelledError):  # the server ends, and the transfer with it
                await self._send(scope, send)

    async def _send(self, scope: Scope, send: Send) -> None:
        loop, headers = asyncio.get_running_loop(), {name.lower(): value for name, value in scope["headers"]}
        answer, data = await loop.run_in_executor(self._threads, self._answer, scope, headers)
        length = (b"content-length", b"%d" % answer.size)
        await send({"type": "http.response.start", "status": answer.status, "headers": [length, *answer.headers]})
        while data:
            await send({"type": "http.response.body", "body": data, "more_body": True})
            data = await loop.run_in_executor(self._threads, _next, answer.body)
        if data is not None:
            await send({"type": "http.response.body", "body": b""})

    def _answer(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[_Answer, bytes | None]:
        """The answer, and the first of its body: what cannot be read at all is told in the head."""
        if self._token and not hmac.compare_digest(headers.get(b"authorization", b""), b"Bearer " + self._token):
            return _said(401, headers=((b"www-authenticate", b"Bearer"),)), b""
        if scope["method"] not in ("GET", "HEAD"):
            return _said(405, headers=((b"allow", b"GET, HEAD"),)), b""
        try:
            found = self._backend.find(scope["path"][1:])
            answer = _said(404) if found is None else _found(scope["path"], found, headers)
            return answer, b"" if scope["method"] == "HEAD" else next(answer.body, b"")
        except BadNameError:
            answer = _said(404)
        except SecretError:
            answer = _said(403, b"it looks like a secret, and is not served\n")
        except RemoteError as error:
            answer = _said(503, b"ask again\n", ((b"retry-after", b"%d" % error.wait),))
        except (PylightnixError, OSError) as error:
            _tell(error)
            answer = _said(500, b"something in the store is damaged; its owner is told\n")
        return answer, next(answer.body, b"")


def _next(body: Iterator[bytes]) -> bytes | None:
    """The next slice, empty after the last one; None if it cannot be read."""
    try:
        return next(body, b"")
    except (PylightnixError, OSError) as error:
        _tell(error)
        return None


def _tell(error: Exception) -> None:
    with contextlib.suppress(OSError):
        print(f"pylightnix: {error}", file=sys.stderr, flush=True)  # noqa: T201


def _found(path: str, content: Content, headers: dict[bytes, bytes]) -> _Answer:
    """All of it, or the part that is wanted, or that it is what is known."""
    tag = f'"{content.digest[:40]}"'.encode()
    kind = b"application/json" if path.endswith(".json") else b"application/octet-stream"
    about = ((b"etag", tag), (b"content-type", kind), (b"accept-ranges", b"bytes"))
    if tag in [one.strip() for one in headers.get(b"if-none-match", b"").split(b",")]:
        return _said(304, headers=about)
    wanted = _RANGE.fullmatch(headers.get(b"range", b""))
    if wanted is None or headers.get(b"if-range", tag) != tag or wanted[0] == b"bytes=-":
        return _Answer(200, about, content.size, content.all())
    begin = int(wanted[1]) if wanted[1] else max(content.size - int(wanted[2]), 0)
    end = min(int(wanted[2]) + 1 if wanted[1] and wanted[2] else content.size, content.size)
    if begin >= end:
        return _said(416, headers=(*about, (b"content-range", b"bytes */%d" % content.size)))
    said = b"bytes %d-%d/%d" % (begin, end - 1, content.size)
    return _Answer(206, (*about, (b"content-range", said)), end - begin, content.part(begin, end))
