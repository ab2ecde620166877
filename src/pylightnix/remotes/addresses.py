"""Addresses of remotes."""

from __future__ import annotations

from pathlib import Path

from pylightnix.remotes.backend import Backend
from pylightnix.remotes.directory import Directory


def open_backend(url: str | Path) -> Backend:
    """The backend of an address."""
    return Directory(str(url))
