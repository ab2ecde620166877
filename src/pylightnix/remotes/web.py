"""Files of a plain web server as a backend, to be read: whoever serves the directory of a remote serves a remote.

The server is a stranger. It leads nowhere else, sends nothing compressed, and is given up when it sends too much or
too slowly.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from pylightnix.errors import RemoteError
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.remotes import pace
from pylightnix.remotes.backend import check_name
from pylightnix.remotes.web_access import TOKEN, access_to
from pylightnix.remotes.web_answers import Answer, connection

CONNECT = 5.0
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16


class Web:
    """What a web server has below an address.

    Args:
        url: `http:` or `https:`.

    Raises:
        RemoteError: the address is none, or has a password in it.
    """

    lists = False
    writes = False

    def __init__(self, url: str) -> None:
        self.url = shown(url)
        parts = urlsplit(url)
        if not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise RemoteError(
                "this is no address of a directory on a web server", where=self.url,
                hint=f"such as https://example.org/results; a token comes from ${TOKEN}, a password from ~/.netrc",
            )  # fmt: skip
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._access = access_to(parts, self.url)
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "pylightnix", **self._access.headers}
        self._own = threading.local()
        self._all: set[http.client.HTTPConnection] = set()
        self._context = ssl.create_default_context() if self._secure else None

    def get(self, name: str, most: int) -> bytes | None:
        response = self._ask("GET", name)
        try:
            if not self._is_there(response, name):
                return None
            kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            if kind == "text/html":
                raise self._error(name, "it is a web page", hint="perhaps one has to log in; or look at the address")
            return self._body(response, name, most)
        finally:
            self._done(response)

    def has(self, name: str) -> bool:
        response = self._ask("HEAD", name)
        try:
            return self._is_there(response, name)
        finally:
            self._done(response)

    def put(self, name: str, data: bytes) -> None:
        raise self._error(name, "a web server can only be read")

    def names(self, prefix: str) -> Iterator[str]:
        raise self._error(prefix, "a web server does not tell what it has")

    def remove(self, name: str) -> None:
        raise self._error(name, "a web server can only be read")

    def close(self) -> None:
        for one in list(self._all):
            if one.sock is not None:
                with contextlib.suppress(OSError):  # whoever reads it holds a lock that closing waits for
                    socket.socket.shutdown(one.sock, socket.SHUT_RDWR)
            one.close()

    def _ask(self, method: str, name: str) -> Answer:
        path = f"{self._base}/{quote(check_name(name), safe='/@+')}"
        connected: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        fresh = connected is None or connected.sock is None
        try:
            return self._once(method, path)
        except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest) as error:
            self._drop()
            if fresh:
                raise self._broke_off(name, error) from error
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise self._broke_off(name, error) from error
        try:  # the server had closed a connection that stood idle
            return self._once(method, path)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise self._broke_off(name, error) from error

    def _once(self, method: str, path: str) -> Answer:
        mine = self._connection()
        mine.request(method, path, headers=self._headers)
        answer = mine.getresponse()
        assert isinstance(answer, Answer), "BUG: a connection of ours gives answers of ours"
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        """That of this thread."""
        mine: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if mine is None:
            mine = connection(self._host, self._port, timeout=CONNECT, context=self._context)
            self._own.connection = mine
            self._all.add(mine)
        if mine.sock is None:  # it is new, or the server has closed it after an answer, and said so
            _connect(mine)
        return mine

    def _drop(self) -> None:
        mine = getattr(self._own, "connection", None)
        if mine is not None:
            mine.close()
            self._all.discard(mine)
            self._own.connection = None

    def _done(self, answer: Answer) -> None:
        """The connection is used again where little is left to be read on it, such as a page that says 404."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            if not answer.isclosed() and answer.length is not None and answer.length <= _CHUNK:
                answer.read()
            if answer.isclosed():
                return
            answer.close()
        self._drop()

    def _is_there(self, response: Answer, name: str) -> bool:
        status = response.status
        if status == 200:
            return True
        if status in (404, 410):
            return False
        if status in (301, 302, 303, 307, 308):
            to = shown(response.getheader("Location") or "")
            raise self._error(name, f"it leads elsewhere, to {to}", hint="give the address where the files are")
        if status in (401, 403):
            raise self._error(name, f"access is refused ({status})", hint=self._access.hint)
        after = response.getheader("Retry-After") or ""
        wait = float(after) if after.isdigit() else 0.0
        reason = printable(response.reason or "")[:80]
        raise self._error(name, f"the server says {status} {reason}".strip(), again=status in _LATER, wait=wait)

    def _body(self, response: Answer, name: str, most: int) -> bytes:
        too_large = f"it has more than the {most} bytes that it may have"
        length = response.getheader("Content-Length") or ""
        if length.isdigit() and int(length) > most:
            raise self._error(name, too_large)
        response.allow(most)
        parts, size = [], 0
        try:
            while data := response.read1(_CHUNK):
                parts.append(data)
                size += len(data)
                if size > most:
                    raise self._error(name, too_large)
        except (OSError, http.client.HTTPException) as error:
            raise self._broke_off(name, error) from error
        if length.isdigit() and size < int(length):
            raise self._error(name, f"it broke off after {size} of {length} bytes", again=True)
        return b"".join(parts)

    def _broke_off(self, name: str, error: Exception) -> RemoteError:
        what = printable(str(getattr(error, "strerror", None) or error) or type(error).__name__)
        if isinstance(error, ssl.SSLCertVerificationError):
            return self._error(name, what, hint="$SSL_CERT_FILE says whom to trust")
        return self._error(name, what, again=True)

    def _error(self, name: str, what: str, *, hint: str = "", again: bool = False, wait: float = 0) -> RemoteError:
        hint = hint or "look whether the server is there and the address is right"
        return RemoteError(f"{name}: {what}", where=self.url, hint=hint, again=again, wait=wait)


def _connect(one: http.client.HTTPConnection) -> None:
    one.connect()
    one.sock.settimeout(pace.IDLE)
