"""Addresses of the web: which can be asked, and how people see them. Asks none."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from pylightnix.errors import ConfigError
from pylightnix.names import printable

PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY")
"""Environment variables that lead through a proxy. HTTP_PROXY is not among them: web servers set it from a header."""

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that say whom to trust."""


def is_loopback(host: str) -> bool:
    """Whether what goes to a host stays on this machine."""
    import ipaddress  # few need it

    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """An address for people, without what may be a secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    host = parts.netloc.rpartition("@")[2]
    path = parts.path if parts.netloc else parts.path.rpartition("@")[2]  # as ssh writes it: me:password@host:/path
    scheme = parts.scheme if path == parts.path else ""
    return printable(urlunsplit((scheme, host, path, "…" if parts.query else "", "")))


def checked(url: object, where: str) -> str:
    """The address, if it is one of a web server or a file, and has no password in it."""
    hint = "such as https://example.org/data.csv"
    if hasattr(url, "__fspath__") or (isinstance(url, str) and url and ":" not in url):
        path = shown(str(url))
        raise ConfigError(
            f"this is no address, which begins with a scheme: {path!r}", where=where,
            hint=f'{hint}; for a file of this machine: local_file("{path}")',
        )  # fmt: skip
    if not isinstance(url, str):
        raise ConfigError(f"this is no address: {url!r}", where=where, hint=hint)
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or True)
        local = parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/")
    except ValueError as error:
        raise ConfigError(f"this is no address: {error}", where=where, hint=hint) from None
    if not (known or local) or any(ord(letter) <= 32 or ord(letter) >= 127 for letter in url):
        raise ConfigError(f"this is no address: {shown(url)!r}", where=where, hint=hint)
    if "@" in parts.netloc:
        raise ConfigError("the address has a password in it", where=where, hint="it would stand in messages")
    return url
