"""Serves a store as a remote that can be read, over HTTP: by uvicorn, to whoever has the token."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from pylightnix.errors import ArgumentError, BadNameError, ConfigError, PylightnixError, SecretError, StoreError
from pylightnix.hashing import digest_bytes
from pylightnix.remotes.keyring import Keys
from pylightnix.remotes.secrets import looks_secret
from pylightnix.remotes.served import Served
from pylightnix.session.location import as_store
from pylightnix.session.verbs import StoreLike
from pylightnix.store.collection.reach import reach
from pylightnix.store.collection.roots import Roots
from pylightnix.store.store import Store

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

AT_ONCE = 8
"""Requests that are answered at once; so many pieces are in memory."""

_MOST = 1 << 31
_RANGE = re.compile(rb"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Where(NamedTuple):
    """Where and to whom a store is served.

    Attributes:
        host: the address that is listened at.
        port: 0 for one that is free.
        token: whoever asks has to have it; empty: nobody has to.
        certificate, key: files for TLS; empty: plain HTTP.
        open: whether it may be open to others without a token or TLS.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    certificate: str = ""
    key: str = ""
    open: bool = False


_HERE = Where()


def serve(
    store: StoreLike = None, where: Where = _HERE, *, roots: Iterable[str] | None = None, secrets: bool = False,
    told: Callable[[str], None] = lambda _: None,
) -> None:  # fmt: skip
    """Serve a store until the process is interrupted.

    What can be read is what `pull` and `realize(remotes=…)` ask for: realizations by their whole references or keys.
    Nothing is listed. Claims of what was made here are signed, if you have a key.

    Args:
        store: which; None for the default one.
        where: at which address, and to whom.
        roots: names of roots: only what these reach; None: all.
        secrets: serve also what looks like a secret.
        told: is called with the address, once it is listened at.

    Raises:
        ArgumentError: others would be let in without a token, or it would be sent in the open.
        ConfigError: uvicorn is not installed.
        StoreError: the address cannot be listened at, or the store cannot be read.
    """
    check(where)
    uvicorn = _uvicorn()
    found = as_store(store)
    key = Keys().own()
    suspect = None if secrets else looks_secret
    visible = None if roots is None else _reached(found, list(roots))
    backend = Served(found.keeper, sign=key.sign if key else None, suspect=suspect, visible=visible)
    listening = _listen(where)
    config = uvicorn.Config(
        App(backend, where.token), log_level="error", access_log=False, lifespan="off", server_header=False,
        ssl_certfile=where.certificate or None, ssl_keyfile=where.key or None, timeout_graceful_shutdown=5,
    )  # fmt: skip
    with listening:
        host, port = listening.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        told(f"{'https' if where.certificate else 'http'}://{shown}:{port}")
        uvicorn.Server(config).run(sockets=[listening])


def check(where: Where) -> None:
    """ArgumentError if what is served would be open to others by mistake."""
    if where.open or _is_loopback(where.host):
        return
    if not where.token:
        raise ArgumentError(
            f"whoever reaches {where.host} could read the store", where="serve",
            hint="give a token with --token-file or $PYLIGHTNIX_SERVE_TOKEN; or --open, if that is meant",
        )  # fmt: skip
    if not where.certificate:
        raise ArgumentError(
            "the token would go over the network as it is", where="serve",
            hint="give --tls-cert and --tls-key; or --open, where something in front of it does that",
        )  # fmt: skip


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reached(store: Store, names: list[str]) -> Callable[[], frozenset[str]]:
    """Looks, each time anew, what these roots reach."""
    unknown = sorted(set(names) - {root.name for root in Roots(store.keeper.layout).all()})
    if unknown:
        raise ArgumentError(f"there is no root {unknown[0]!r}", where="serve", hint="pylightnix root lists them")

    def look() -> frozenset[str]:
        roots = [root for root in Roots(store.keeper.layout).all() if root.name in names and root.stands]
        return frozenset(str(ref) for ref in reach(store.keeper, roots).ways)

    return look


def _listen(where: Where) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        return socket.create_server((where.host, where.port), family=family)
    except (OSError, OverflowError) as error:
        raise StoreError(
            f"cannot be listened at: {getattr(error, 'strerror', None) or error}", where=f"{where.host}:{where.port}",
            hint="give another --port, or 0 for one that is free",
        ) from error  # fmt: skip


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError:
        raise ConfigError("serving needs uvicorn", where="serve", hint='pip install "pylightnix[serve]"') from None
    return uvicorn


class App:
    """The ASGI application: GET and HEAD of the names of a remote, whole or in part.

    Args:
        backend: what is served.
        token: whoever asks has to have it; empty: nobody has to.
    """

    def __init__(self, backend: Served, token: str = "") -> None:
        self._backend = backend
        self._token = token.encode()
        self._threads = ThreadPoolExecutor(AT_ONCE, "pylightnix-serve")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        answer = await self._answer(scope, headers)
        length = (b"content-length", str(len(answer.body)).encode())
        await send({
            "type": "http.response.start", "status": answer.status, "headers": [length, *answer.headers],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes]) -> _Answer:
        if self._token and not hmac.compare_digest(headers.get(b"authorization", b""), b"Bearer " + self._token):
            return _Answer(401, b"", ((b"www-authenticate", b"Bearer"),))
        if scope["method"] not in ("GET", "HEAD"):
            return _Answer(405, b"", ((b"allow", b"GET, HEAD"),))
        loop = asyncio.get_running_loop()
        try:
            data = await loop.run_in_executor(self._threads, self._backend.get, scope["path"][1:], _MOST)
        except BadNameError:
            return _Answer(404)
        except SecretError:
            return _Answer(403, b"it looks like a secret, and is not served\n")
        except PylightnixError as error:
            print(f"pylightnix: {error}", file=sys.stderr)  # noqa: T201
            return _Answer(500, b"something in the store is damaged; its owner is told\n")
        return _Answer(404) if data is None else _found(scope["path"], data, headers)


class _Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


def _found(path: str, data: bytes, headers: dict[bytes, bytes]) -> _Answer:
    """All of it, or the part that is wanted, or that it is what is known."""
    tag = f'"{digest_bytes(data)[:40]}"'.encode()
    kind = b"application/json" if path.endswith(".json") else b"application/octet-stream"
    about = ((b"etag", tag), (b"content-type", kind), (b"accept-ranges", b"bytes"))
    if tag in [one.strip() for one in headers.get(b"if-none-match", b"").split(b",")]:
        return _Answer(304, b"", about)
    wanted = _RANGE.fullmatch(headers.get(b"range", b""))
    if wanted is None or headers.get(b"if-range", tag) != tag or wanted[0] == b"bytes=-":
        return _Answer(200, data, about)
    size = len(data)
    begin = int(wanted[1]) if wanted[1] else max(size - int(wanted[2]), 0)
    end = min(int(wanted[2]) + 1 if wanted[1] and wanted[2] else size, size)
    if begin >= end:
        return _Answer(416, b"", (*about, (b"content-range", f"bytes */{size}".encode())))
    return _Answer(206, data[begin:end], (*about, (b"content-range", f"bytes {begin}-{end - 1}/{size}".encode())))
