"""Serves a store as a remote that can be read, over HTTP: by uvicorn, to whoever has the token."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, NamedTuple

from pylightnix.errors import ArgumentError, ConfigError, StoreError
from pylightnix.model.addresses import is_loopback
from pylightnix.remotes.keyring import Keys
from pylightnix.remotes.secrets import looks_secret
from pylightnix.remotes.served import Served
from pylightnix.session.answering import App
from pylightnix.session.location import StoreLike, as_store
from pylightnix.store.collection.reach import reach
from pylightnix.store.collection.roots import Roots
from pylightnix.store.store import Store

MOST_CONNECTIONS = 100
"""So many at once; others are told to come back."""

SILENT = 60
"""Seconds after which a connection ends on which nothing is taken."""

GRACE = 2
"""Seconds that answers have to get to their ends when the server does."""

SHORTEST = 16
"""Characters that a token has at least."""

_LOOK = 1.0
"""Seconds for which what roots reach is not looked at again."""


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
        ArgumentError: others would be let in without a token, or it would be sent in the open; or the token or the
            certificate cannot be used.
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
    with closing(backend), closing(App(backend, where.token)) as app, _listen(where) as listening:
        config = _config(uvicorn, app, where)
        scheme = "https" if where.certificate else "http"

        base: Any = uvicorn.Server

        class Server(base):  # type: ignore[misc]
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)  # from here on, signals are heard and questions are answered
                if self.started:
                    told(f"{scheme}://{_shown(listening)}")

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                backend.close()  # who waits for a tree to be read need not wait any longer
                await super().shutdown(sockets)

        Server(config).run(sockets=[listening])


def _config(uvicorn: Any, app: App, where: Where) -> Any:
    logging.getLogger("uvicorn.error").addFilter(_is_fault)
    config = uvicorn.Config(
        app, http="h11", ws="none", loop="asyncio", lifespan="off", log_level="error", access_log=False,
        server_header=False, proxy_headers=False, limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=GRACE,
        ssl_certfile=where.certificate or None, ssl_keyfile=where.key or None,
    )  # fmt: skip
    try:
        config.load()
    except OSError as error:  # those of TLS are such, too
        raise ArgumentError(
            f"the certificate or its key cannot be used: {getattr(error, 'reason', None) or error.strerror or error}",
            where="serve", hint="both are PEM files, the key has no password, and the certificate is that of the key",
        ) from error  # fmt: skip
    return config


def _is_fault(record: logging.LogRecord) -> bool:
    """That a transfer broke off was told, or is nobody's business."""
    return record.exc_info is not None


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check(where: Where) -> None:
    """ArgumentError if the token is none, or what is served would be open to others by mistake."""
    short = where.token and len(where.token) < SHORTEST
    if short or not where.token.isascii() or not where.token.isprintable() or " " in where.token:
        raise ArgumentError(
            f"a token has {SHORTEST} or more printable characters of ASCII, and no spaces", where="serve",
            hint="such as from: openssl rand -hex 20",
        )  # fmt: skip
    if where.open or is_loopback(where.host):
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


def _reached(store: Store, names: list[str]) -> Callable[[], frozenset[str]]:
    """Looks what these roots reach, at most once a second."""
    unknown = sorted(set(names) - {root.name for root in Roots(store.keeper.layout).all()})
    if unknown:
        raise ArgumentError(f"there is no root {unknown[0]!r}", where="serve", hint="pylightnix root lists them")

    last: tuple[float, frozenset[str]] = (float("-inf"), frozenset())

    def look() -> frozenset[str]:
        nonlocal last
        since, found = last
        if time.monotonic() - since > _LOOK:
            roots = [root for root in Roots(store.keeper.layout).all() if root.name in names and root.stands]
            begun, found = time.monotonic(), frozenset(str(ref) for ref in reach(store.keeper, roots).ways)
            last = begun, found
        return found

    return look


def _listen(where: Where) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
        listening = socket.create_server((where.host, where.port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise StoreError(
            f"cannot be listened at: {getattr(error, 'strerror', None) or error}", where=f"{where.host}:{where.port}",
            hint="give another --port, or 0 for one that is free",
        ) from error  # fmt: skip
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections have it from here
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT * 1000)
    return listening


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError:
        raise ConfigError("serving needs uvicorn", where="serve", hint='pip install "pylightnix[serve]"') from None
    return uvicorn
