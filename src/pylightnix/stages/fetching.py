"""A stage that brings in a file from the web. Its hash says which file it is; the addresses only where to look."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pylightnix.dsl.derivation import Derivation
from pylightnix.dsl.secret import Secret
from pylightnix.errors import ArgumentError, ConfigError, FetchError
from pylightnix.model.addresses import CERTIFICATES, PROXIES, checked, shown
from pylightnix.model.amounts import parse_size
from pylightnix.model.build import Build
from pylightnix.model.promises import Promise
from pylightnix.names import check_inner_path, name_like
from pylightnix.stages.hashes import Expected


def fetch_url(
    url: str,
    *,
    hash: str | None = None,  # noqa: A002 - the word that people know for it
    mirrors: Sequence[str] = (),
    name: str | None = None,
    timeout: float = 30,
    most: str | int = "1T",
    token: Secret | None = None,
) -> Derivation[None]:
    """A file from the web, as an input: its promise `file` has the bytes with this hash.

    Nothing is fetched before it is realized, and then only if no file with this hash and name is there. What broke off
    goes on where it stopped, also in a later attempt. Without a hash realizing it fails, with the hash to paste.

    Args:
        url: http, https or file.
        hash: "sha256:…", "sha512:…" or "blake3:…" and hexadecimal digits, or the digits of a sha256 or sha512.
        mirrors: further addresses of the same file, asked in this order if the ones before fail.
        name: of the file, and, with `-` for what cannot stand there, of the derivation; default the last part of the
            address. It is in the identity; the addresses are not.
        timeout: seconds without a byte, or, on an average after them, with less than 1024 bytes each, after which a
            connection is given up; not in the identity.
        most: bytes that may come, or a text such as "20G"; not in the identity.
        token: proves to the server of `url`, and to no other, who asks; not in the identity.

    Raises:
        ConfigError: that is no address, no hash, or one that can be forged.
        BadNameError: the file cannot have that name.
    """
    where = f"fetch_url({shown(url)!r})" if isinstance(url, str) else "fetch_url"
    if isinstance(mirrors, str) or not isinstance(mirrors, Sequence):
        raise ConfigError(f"mirrors={mirrors!r} is no list of addresses", where=where)
    urls = tuple(checked(one, where) for one in (url, *mirrors))
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise ConfigError(f"timeout={timeout!r} is no time", where=where, hint="give seconds")
    try:
        limit = parse_size(most) if isinstance(most, str) else most
    except ArgumentError as error:
        raise ConfigError(f"most: {error.what}", where=where, hint=error.hint) from None
    if type(limit) is not int or limit < 0:
        raise ConfigError(f"most={most!r} is no number of bytes", where=where)
    _check_token(urls[0], token, where)
    expected = None if hash is None else Expected.parse(hash, where)
    file = name or unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2] or "file"
    return Derivation(
        name=name_like(file, "file"),
        builder=functools.partial(_fetch, urls=urls, seconds=float(timeout), most=limit, token=token),
        params={"hash": str(expected) if expected else None},
        promises={"file": Promise(check_inner_path(file, "the name of a file"), empty=True)},
        version="fetch_url/1",
        network=True,
        reads=[unquote(urlsplit(one).path) for one in urls if urlsplit(one).scheme == "file"],
        pass_variables=[*PROXIES, *CERTIFICATES],
        secrets=[token.name] if token is not None else [],
    )


def _check_token(url: str, token: object, where: str) -> None:
    if token is None:
        return
    if not isinstance(token, Secret):
        raise ConfigError("the token is no Secret", where=where, hint='give its name: token=Secret("API_TOKEN")')
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError("the token would be sent in clear", where=where, hint="give an address with https")


def _fetch(
    build: Build,
    hash: str | None,  # noqa: A002
    file: Path,
    *,
    urls: tuple[str, ...],
    seconds: float,
    most: int,
    token: Secret | None,
) -> None:
    from pylightnix.stages.download import Download  # most who describe never fetch

    expected = Expected.parse(hash, "fetch_url") if hash else None
    secret = _one_line(token) if token is not None else ""
    parts = build.checkpoint if expected else build.scratch
    found, digits = Download(urls, expected, parts, seconds, most, build.log.warning, build.progress, secret).run()
    if expected is None:
        size = found.stat().st_size
        found.unlink()  # what a failed run leaves is kept
        raise FetchError(
            f"it has no hash; that of what came from {shown(urls[0])} ({size} bytes) is sha256:{digits}",
            hint=f'see whether these are the bytes that you mean, then add: hash="sha256:{digits}"',
        )
    shutil.move(found, file)
    file.chmod(0o644)


def _one_line(token: Secret) -> str:
    """What it says, as it can be sent."""
    said = token.reveal().strip()
    if not said.isascii() or not said.isprintable():  # the standard library would show it
        raise FetchError(f"what ${token.name} says is no token", hint="a token is one line of ASCII")
    return said
