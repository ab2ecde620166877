"""Asks an address of the web or of a file for bytes, through proxies where there are any. Unaware of what comes."""

from __future__ import annotations

import functools
import http.client
import os
import ssl
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from pylightnix.remotes.web_answers import connection

AGENT = "pylightnix (a build system; asks for one file)"


def ask(url: str, headers: dict[str, str], timeout: float, token: str = "") -> Any:
    """The answer, to be closed; its body is given up when it comes too slowly.

    Args:
        url: http, https or file.
        headers: sent along.
        timeout: seconds without a byte after which the connection is given up.
        token: proves to this server who asks; whoever it leads to is not given it.

    Raises:
        OSError, ValueError, http.client.HTTPException: as `urllib` does; `urllib.error.HTTPError` for an answer that is
            none.
    """
    sent = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
    request = urllib.request.Request(url, headers=sent)
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return _opener(url).open(request, timeout=timeout)


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_connect, req)  # type: ignore[arg-type]


class _Secure(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(functools.partial(_connect, context=ssl.create_default_context()), req)


def _connect(host: str, *, timeout: float, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    return connection(host, None, timeout, context, idle=timeout)


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
        _Plain(),
        _Secure(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    if urlsplit(url).scheme == "file":  # nobody is led from the web to a file of this machine
        opener.add_handler(urllib.request.FileHandler())
    return opener
