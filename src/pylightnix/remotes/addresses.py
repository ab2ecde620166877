"""Which backend an address means, and what is around it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pylightnix.errors import RemoteError
from pylightnix.model.addresses import shown
from pylightnix.remotes.backend import Backend

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):")
KNOWN = "a directory, file:, s3:, gs:, az:, sftp:, http: or https:"


def open_backend(url: str | Path) -> Backend:
    """The backend of an address.

    Raises:
        RemoteError: there is none, or what it needs is not installed.
    """
    form = _SCHEME.match(str(url)) if isinstance(url, str) else None
    scheme = form[1] if form is not None else ""
    if not scheme or scheme == "file":
        from pylightnix.remotes.directory import Directory

        return Directory(_path(str(url)) if scheme else str(url))
    if scheme in ("s3", "gs", "az"):
        from pylightnix.remotes.objects import Objects

        return Objects(str(url))
    if scheme == "sftp":
        from pylightnix.remotes.retrying import Retrying
        from pylightnix.remotes.sftp import Sftp

        return Retrying(Sftp(str(url)))
    if scheme in ("http", "https"):
        from pylightnix.remotes.retrying import Retrying
        from pylightnix.remotes.web import Web

        return Retrying(Web(str(url)))
    raise RemoteError(f"{scheme}: is no kind of remote", where=shown(str(url)), hint=f"a remote is {KNOWN}")


def address_of(url: str | Path) -> str:
    """The address of which the backend is opened, in a form that means the same in any directory."""
    form = _SCHEME.match(str(url)) if isinstance(url, str) else None
    if form is None or form[1] == "file":
        return os.path.abspath(os.path.expanduser(_path(str(url)) if form is not None else str(url)))
    return str(url).rstrip("/")


def _path(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise RemoteError("a file: address names no other machine", where=shown(url), hint="such as file:///mnt/lab")
    return unquote(parts.path)
