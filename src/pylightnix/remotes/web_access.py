"""What a web server is given so that it answers: a token or a password that somebody meant for this very server.

A remote may be named by others than the user: in a shared store, or where a result was pulled from. So a token belongs
to a host, and none goes over a line on which others could read it.
"""

from __future__ import annotations

import base64
import contextlib
import netrc
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from pylightnix.errors import RemoteError
from pylightnix.model.addresses import is_loopback

TOKEN = "PYLIGHTNIX_REMOTE_TOKEN"
"""The environment variable with tokens, each after the host that it is for: `example.org=…`, with spaces between."""

_PORTS = {"https": 443, "http": 80}


class Access(NamedTuple):
    """What is sent to a server, and what to do if that does not let us in.

    Attributes:
        headers: of each request.
        hint: a next step; it shows nothing of what is secret.
    """

    headers: Mapping[str, str]
    hint: str


def access_to(parts: SplitResult, where: str) -> Access:
    """What the server of an address gets, and no other one does.

    Args:
        parts: the address, `http:` or `https:`.
        where: the address for people.

    Raises:
        RemoteError: what the variable says is no token.
    """
    host, given = parts.hostname or "", _given(where)
    if parts.scheme != "https" and not is_loopback(host):
        return Access(
            {}, "a token or password goes over https: alone, or a tunnel of ssh to this machine: give such an address"
        )
    named = f"[{host}]" if ":" in host else host
    named += "" if _port(parts) == _PORTS["https"] else f":{_port(parts)}"
    for known, token in given:
        if token and _is_for(known, parts):
            return Access({"Authorization": f"Bearer {token}"}, f"look whether ${TOKEN} has the right one for {named}")
    if password := _password(host):
        return Access({"Authorization": password}, f"look whether ~/.netrc has the right password for {host}")
    if given and not any(token for _, token in given):
        return Access({}, f"${TOKEN} does not say which host its token is for: {named}=TOKEN")
    return Access({}, f"a token comes from ${TOKEN}, as {named}=TOKEN; a password from ~/.netrc")


def _given(where: str) -> list[tuple[str, str]]:
    """What the variable says: hosts, and what each gets. A token that stands alone is the host of nothing."""
    words = os.environ.get(TOKEN, "").split()
    if not all(word.isascii() and word.isprintable() for word in words):  # the standard library would show it
        raise RemoteError(
            f"what ${TOKEN} says is no token", where=where, hint="HOST=TOKEN, in ASCII, with spaces between several"
        )
    return [(host, token) for host, _, token in (word.partition("=") for word in words)]


def _is_for(known: str, parts: SplitResult) -> bool:
    """Whether `known` is the host of the address: alone, or with port, or with scheme."""
    try:
        given = urlsplit(known if "://" in known else f"{parts.scheme}://{known}")
        return (given.scheme, given.hostname, _port(given)) == (parts.scheme, parts.hostname, _port(parts))
    except ValueError:
        return False


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 0)


def _password(host: str) -> str:
    """The name and password that `~/.netrc` has for a host, as a header."""
    with contextlib.suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc().authenticators(host)
        if found is not None:
            return "Basic " + base64.b64encode(f"{found[0]}:{found[2]}".encode()).decode()
    return ""
