"""One file from the first of some addresses that has it, going on where an earlier attempt stopped.

What arrives is hashed while it is written. Unaware of stages and stores: it has a directory for what is not complete.
"""

from __future__ import annotations

import http.client
import re
import ssl
import time
import urllib.error
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pylightnix.errors import FetchError
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.stages.asking import ask
from pylightnix.stages.hashes import Expected
from pylightnix.stages.parts import Part

_CHUNK = 1 << 18
_ATTEMPTS = 4
_STEP = 1 << 20
"""Bytes that must have come before attempts are counted anew."""
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 30.0


class _LaterError(Exception):
    """It may work on another attempt.

    Attributes:
        wait: seconds that the server asks to wait; 0 if it does not.
        often: whether more than one further attempt is worth while.
    """

    def __init__(self, what: str, wait: float = 0, *, often: bool = True) -> None:
        super().__init__(what)
        self.wait = wait
        self.often = often


class _GoneError(Exception):
    """It will not work at this address."""


class Download(NamedTuple):
    """What is to be had, and how.

    Attributes:
        urls: addresses of the same bytes, the first is asked first.
        expected: the hash of the bytes; None if it is not known.
        parts: a directory for what is not complete, kept between attempts.
        timeout: seconds without a byte after which a connection is given up.
        most: bytes that may come.
        say: is told what goes wrong and is tried again.
        progress: is told how many bytes there are, and of how many if the server tells.
        token: is sent to the server of the first address, and to no other.
    """

    urls: Sequence[str]
    expected: Expected | None
    parts: Path
    timeout: float
    most: int
    say: Callable[[str], None]
    progress: Callable[[float, float | None], None]
    token: str = ""

    def run(self) -> tuple[Path, str]:
        """Where the complete file is, and its hash in digits.

        Raises:
            FetchError: no address gave it.
        """
        part = Part(self.parts, self.expected)
        failures: list[str] = []
        for url in self.urls:
            try:
                return self._from(url, part)
            except _GoneError as error:
                failures.append(f"{shown(url)}: {error}")
                self.say(failures[-1])
        raise FetchError(
            "it could not be had: " + "; ".join(failures),
            hint="look at the address and the hash; another address can be given with mirrors=[…]",
        )

    def _from(self, url: str, part: Part) -> tuple[Path, str]:
        attempt, reached = 1, part.size
        while True:
            try:
                return self._attempt(url, part)
            except _LaterError as error:
                if part.size > reached + _STEP and part.expected:  # it gets on, however often it breaks off
                    attempt, reached = 1, part.size
                if attempt >= (_ATTEMPTS if error.often else 2):
                    raise _GoneError(f"{error} (at the last of {attempt} attempts)") from error
                self.say(f"{shown(url)}: {error}; trying again")
                time.sleep(min(max(error.wait, 0.2 * 4 ** (attempt - 1)), _LONGEST_WAIT))
                attempt += 1

    def _attempt(self, url: str, part: Part) -> tuple[Path, str]:
        if self.expected is None:
            part.restart()
        if part.is_complete():
            return part.path, part.hasher.hexdigest()
        resumed = part.size
        with part, self._open(url, part) as response:
            if part.size and not _goes_on(response, part.size):
                part.restart()
                resumed = 0
            part.note(url, response.headers.get("ETag"))
            total = self._take(response, part)
        got = part.hasher.hexdigest()
        if self.expected is None or got == self.expected.digits:
            return part.path, got
        what = f"{part.size} with {self.expected.algorithm}:{got}, expected was {self.expected}"
        part.restart()
        if resumed:  # perhaps two halves of different files
            raise _LaterError("what was there from an earlier attempt does not fit to the rest")
        if total is None and not getattr(response, "chunked", True):
            raise _LaterError(f"these are other bytes, or not all, which the server does not tell: {what}", often=False)
        raise _GoneError(f"these are other bytes: {what}{_seen(response)}")

    def _open(self, url: str, part: Part) -> Any:
        try:
            token = self.token if _server(url) == _server(self.urls[0]) else ""
            return ask(url, part.range_headers(url), self.timeout, token)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refusal(error, part) from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
            reason = getattr(error, "reason", error)
            what = printable(str(reason) or type(reason).__name__)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise _GoneError(f"{what} ($SSL_CERT_FILE says whom to trust)") from error
            if isinstance(reason, FileNotFoundError | PermissionError | ValueError):
                raise _GoneError(what) from error
            raise _LaterError(what) from error

    def _take(self, response: Any, part: Part) -> int | None:
        """Take what comes; how many bytes there are in all, if the server tells."""
        length = response.headers.get("Content-Length")
        total = part.size + int(length) if length and length.isdigit() else None
        if hasattr(response, "allow"):
            response.allow(self.most)
        if total is not None and total > self.most:
            raise _GoneError(f"it has {total} bytes, more than {self.most} (most=… allows more)")
        while data := _next(response, part.size):
            if part.size + len(data) > self.most:
                part.restart()
                raise _GoneError(f"it has more than {self.most} bytes (most=… allows more)")
            part.add(data)
            self.progress(part.size, total)
        if total is not None and part.size < total:
            raise _LaterError(f"it broke off after {part.size} of {total} bytes")
        return total


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _next(response: Any, size: int) -> bytes:
    try:
        data: bytes = response.read1(_CHUNK) if hasattr(response, "read1") else response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _LaterError(f"it broke off after {size} bytes: {error or type(error).__name__}") from error
    return data


def _seen(response: Any) -> str:
    """What tells that these cannot be the bytes that are meant."""
    if "html" in (response.headers.get("Content-Type") or ""):
        return " (it is a web page)"
    coded = response.headers.get("Content-Encoding")
    return f" (the server has packed them: {printable(coded)[:20]})" if coded else ""


def _goes_on(response: Any, size: int) -> bool:
    """Whether what comes is what follows the bytes that are there."""
    said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return getattr(response, "status", 200) == 206 and said is not None and int(said[1]) == size


def _refusal(error: urllib.error.HTTPError, part: Part) -> Exception:
    what = f"the server says {error.code} {printable(str(error.reason or ''))[:80]}".strip()
    if error.code == 416 and part.size:
        part.restart()
        return _LaterError("there is more of it here than the server has")
    if 300 <= error.code < 400:
        return _GoneError(f"it leads on and on ({error.code})")
    after = error.headers.get("Retry-After", "") if error.headers else ""
    return _LaterError(what, float(after) if after.isdigit() else 0) if error.code in _LATER else _GoneError(what)
