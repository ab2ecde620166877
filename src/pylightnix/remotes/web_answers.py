"""Answers of a web server, head and body, that are given up when they come too slowly or do not end."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import ssl
from typing import Any

from pylightnix.remotes.pace import Pace

_HEAD = 1 << 20
"""Bytes that may come besides a body: the head, and what says how long each part of a body is."""


class _Watched(io.RawIOBase):
    """What comes from a socket, counted."""

    def __init__(self, raw: Any, idle: float | None) -> None:
        self._raw = raw
        self._pace = Pace(idle)
        self.most = _HEAD

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        self._pace.count(size or 0)
        if self._pace.moved > self.most:
            raise http.client.HTTPException(f"more than {self.most} bytes came")
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class Answer(http.client.HTTPResponse):
    """One that counts what comes from its first byte on."""

    def __init__(self, sock: socket.socket, *args: Any, idle: float | None = None, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._watched = _Watched(self.fp.detach(), idle)
        self.fp = io.BufferedReader(self._watched)

    def allow(self, most: int) -> None:
        """A body of so many bytes may come."""
        self._watched.most = _HEAD + 2 * most


def connection(
    host: str, port: int | None, timeout: float, context: ssl.SSLContext | None, *, idle: float | None = None
) -> http.client.HTTPConnection:
    """One whose answers are such; over TLS if there is a context for it.

    Args:
        host: may have its port behind it.
        port: None for the usual one.
        timeout: seconds that it may be silent, also while it is made.
        context: of TLS.
        idle: seconds after which an answer must come at some pace; default `pace.IDLE`.
    """
    made = (
        http.client.HTTPConnection(host, port, timeout=timeout)
        if context is None
        else http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    )
    made.response_class = functools.partial(Answer, idle=idle)  # type: ignore[assignment]
    return made
