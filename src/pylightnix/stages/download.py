"""One file from the first of some addresses that has it, going on where an earlier attempt stopped.

What arrives is hashed while it is written. Unaware of stages and stores: it has a directory for what is not complete.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from pylightnix.errors import FetchError
from pylightnix.hashing import ContentHasher
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.stages.hashes import Expected

AGENT = "pylightnix (a build system; asks for one file)"

_CHUNK = 1 << 18
_ATTEMPTS = 4
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 30.0


class _LaterError(Exception):
    """It may work on another attempt.

    Attributes:
        wait: seconds that the server asks to wait; 0 if it does not.
    """

    def __init__(self, what: str, wait: float = 0) -> None:
        super().__init__(what)
        self.wait = wait


class _GoneError(Exception):
    """It will not work at this address."""


class Download(NamedTuple):
    """What is to be had, and how.

    Attributes:
        urls: addresses of the same bytes, the first is asked first.
        expected: the hash of the bytes; None if it is not known.
        parts: a directory for what is not complete, kept between attempts.
        timeout: seconds without a byte after which a connection is given up.
        say: is told what goes wrong and is tried again.
        progress: is told how many bytes there are, and of how many if the server tells.
    """

    urls: Sequence[str]
    expected: Expected | None
    parts: Path
    timeout: float
    say: Callable[[str], None]
    progress: Callable[[float, float | None], None]

    def run(self) -> tuple[Path, str]:
        """Where the complete file is, and its hash in digits.

        Raises:
            FetchError: no address gave it.
        """
        failures: list[str] = []
        for url in self.urls:
            try:
                return self._from(url)
            except _GoneError as error:
                failures.append(f"{shown(url)}: {error}")
                self.say(failures[-1])
        raise FetchError(
            "it could not be had: " + "; ".join(failures),
            hint="look at the address and the hash; another address can be given with mirrors=[…]",
        )

    def _from(self, url: str) -> tuple[Path, str]:
        for attempt in range(_ATTEMPTS - 1):
            try:
                return self._attempt(url)
            except _LaterError as error:
                self.say(f"{shown(url)}: {error}; trying again")
                time.sleep(min(max(error.wait, 0.2 * 4**attempt), _LONGEST_WAIT))
        try:
            return self._attempt(url)
        except _LaterError as error:
            raise _GoneError(f"{error} (at the last of {_ATTEMPTS} attempts)") from error

    def _attempt(self, url: str) -> tuple[Path, str]:
        part = _Part(self.parts, self.expected)
        if part.is_complete():
            return part.path, part.hasher.hexdigest()
        resumed = part.size
        with part, self._open(url, part) as response:
            if part.size and not _goes_on(response, part.size):
                part.restart()
                resumed = 0
            part.note(url, response.headers.get("ETag"))
            self._take(response, part)
        got = part.hasher.hexdigest()
        if self.expected is None or got == self.expected.digits:
            return part.path, got
        part.drop()
        if resumed:  # perhaps two halves of different files
            raise _LaterError("what was there from an earlier attempt does not fit to the rest")
        raise _GoneError(
            f"these are other bytes: {part.size} with {self.expected.algorithm}:{got}, expected was {self.expected}"
            + (" (it is a web page)" if "html" in (response.headers.get("Content-Type") or "") else "")
        )

    def _open(self, url: str, part: _Part) -> Any:
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", **part.range_headers(url)}
        try:
            return _opener(url).open(urllib.request.Request(url, headers=headers), timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refusal(error, part) from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
            reason = getattr(error, "reason", error)
            what = printable(str(reason) or type(reason).__name__)
            if isinstance(reason, FileNotFoundError | PermissionError | ValueError):
                raise _GoneError(what) from error
            raise _LaterError(what) from error

    def _take(self, response: Any, part: _Part) -> None:
        length = response.headers.get("Content-Length")
        total = part.size + int(length) if length and length.isdigit() else None
        try:
            while data := response.read1(_CHUNK) if hasattr(response, "read1") else response.read(_CHUNK):
                part.add(data)
                self.progress(part.size, total)
        except (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
            raise _LaterError(f"it broke off after {part.size} bytes: {error or type(error).__name__}") from error
        if total is not None and part.size < total:
            raise _LaterError(f"it broke off after {part.size} of {total} bytes")


class _Part:
    """What is there of a file, hashed from its start."""

    def __init__(self, directory: Path, expected: Expected | None) -> None:
        name = f"{expected.algorithm}-{expected.digits}" if expected else "unknown"
        self.path = directory / f"{name}.part"
        self.about = directory / f"{name}.json"
        self.expected = expected
        if expected is None:  # nothing would notice halves of two different files
            self.drop()
        self._file: IO[bytes] | None = None
        self._hash_what_is_there()

    def _fresh(self) -> ContentHasher:
        return self.expected.hasher() if self.expected else Expected("sha256", "").hasher()

    def _hash_what_is_there(self) -> None:
        self.size, self.hasher = 0, self._fresh()
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            while data := file.read(_CHUNK):
                self.hasher.update(data)
                self.size += len(data)

    def is_complete(self) -> bool:
        return self.expected is not None and self.hasher.hexdigest() == self.expected.digits and self.path.exists()

    def range_headers(self, url: str) -> dict[str, str]:
        if not self.size or urlsplit(url).scheme == "file":
            return {}
        about: Any = {}
        with contextlib.suppress(OSError, ValueError):
            about = json.loads(self.about.read_text())
        etag = about.get("etag") if isinstance(about, dict) and about.get("url") == url else None
        return {"Range": f"bytes={self.size}-", **({"If-Range": etag} if etag else {})}

    def note(self, url: str, etag: str | None) -> None:
        """Remember which state of the file this is the beginning of; a weak ETag does not tell bytes apart."""
        strong = etag if etag and etag.startswith('"') else None
        self.about.write_text(json.dumps({"url": url, "etag": strong}))

    def add(self, data: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        self._file.write(data)
        self.hasher.update(data)
        self.size += len(data)

    def restart(self) -> None:
        self.drop()
        self.size, self.hasher = 0, self._fresh()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        elif not self.path.exists():
            self.path.touch()  # an empty file is complete, too


def _goes_on(response: Any, size: int) -> bool:
    """Whether what comes is what follows the bytes that are there."""
    said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    return getattr(response, "status", 200) == 206 and said is not None and int(said[1]) == size


def _refusal(error: urllib.error.HTTPError, part: _Part) -> Exception:
    what = f"the server says {error.code} {printable(str(error.reason or ''))}".strip()
    if error.code == 416 and part.size:
        part.drop()
        return _LaterError("there is more of it here than the server has")
    if 300 <= error.code < 400:
        return _GoneError(f"it leads on and on ({error.code})")
    after = error.headers.get("Retry-After", "") if error.headers else ""
    return _LaterError(what, float(after) if after.isdigit() else 0) if error.code in _LATER else _GoneError(what)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """What opens addresses of the web and of files, and nothing else."""
    opener = urllib.request.OpenerDirector()
    proxies = {scheme: found for scheme in ("http", "https") if (found := os.environ.get(f"{scheme}_proxy"))}
    if "https" not in proxies and (found := os.environ.get("HTTPS_PROXY")):
        proxies["https"] = found
    without = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if proxies and not urllib.request.proxy_bypass_environment(urlsplit(url).netloc, {"no": without}):  # type: ignore[attr-defined]
        opener.add_handler(urllib.request.ProxyHandler(proxies))
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    if urlsplit(url).scheme == "file":  # nobody is led from the web to a file of this machine
        opener.add_handler(urllib.request.FileHandler())
    return opener
