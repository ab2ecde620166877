"""Which backend an address means, and what is around it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pylightnix.errors import RemoteError
from pylightnix.model.addresses import shown
from pylightnix.remotes.backend import Backend

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_AS_SCP = re.compile(r"[^/:]*@[^/:]*:")
KNOWN = "a directory, file:, s3:, gs:, az:, sftp:, http: or https:"


def open_backend(url: str | Path) -> Backend:
    """The backend of an address.

    Raises:
        RemoteError: there is none, or what it needs is not installed.
    """
    scheme, address = _read(url)
    if not scheme or scheme == "file":
        from pylightnix.remotes.directory import Directory

        return Directory(_path(address) if scheme else address)
    if scheme in ("s3", "gs", "az"):
        from pylightnix.remotes.objects import Objects

        return Objects(address)
    if scheme == "sftp":
        from pylightnix.remotes.retrying import Retrying
        from pylightnix.remotes.sftp import Sftp

        return Retrying(Sftp(address))
    if scheme in ("http", "https"):
        from pylightnix.remotes.retrying import Retrying
        from pylightnix.remotes.web import Web

        return Retrying(Web(address))
    raise RemoteError(f"{scheme}: is no kind of remote", where=shown(address), hint=f"a remote is {KNOWN}")


def address_of(url: str | Path) -> str:
    """The address of which the backend is opened, in a form that means the same in any directory."""
    scheme, address = _read(url)
    if not scheme or scheme == "file":
        return os.path.abspath(os.path.expanduser(_path(address) if scheme else address))
    return address.rstrip("/")


def _read(url: str | Path) -> tuple[str, str]:
    """The scheme of an address, empty for a path; and the address, its scheme in small letters."""
    if isinstance(url, os.PathLike):
        return "", os.fspath(url)
    if not isinstance(url, str):
        raise RemoteError(
            f"{url!r} is no address", where="remote", hint=f"a remote is {KNOWN}; or nothing, where none is meant"
        )
    if not url.strip():
        raise RemoteError(
            "an empty address, as from a variable that is not set", where="remote", hint=f"a remote is {KNOWN}"
        )
    if _AS_SCP.match(url):  # what scp and rsync take so would be a directory here, and nothing would go over
        raise RemoteError(
            "the address is one of scp", where=shown(url),
            hint="such as sftp://ann@example.org/srv/results; a directory of such a name is ./NAME",
        )  # fmt: skip
    form = _SCHEME.match(url)
    if form is None:
        return "", url
    scheme, address = form[1].lower(), form[1].lower() + url[form.end(1) :]
    try:
        port = urlsplit(address).port  # raises what nobody else would catch
    except ValueError:
        port = 0
    if port == 0 or not address.isprintable():
        raise RemoteError("this is no address", where=shown(address), hint=f"a remote is {KNOWN}")
    return scheme, address


def _path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise RemoteError("a file: address names no other machine", where=shown(url), hint="such as file:///mnt/lab")
    return unquote(parts.path)
