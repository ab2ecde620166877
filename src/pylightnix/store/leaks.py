"""Finds artifacts in which some bytes stand, such as the path of the store. Memory is constant, work is bounded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pylightnix.store.files import open_plain

_CHUNK = 1 << 20


class Search(NamedTuple):
    """What a search found.

    Attributes:
        found: relative names of files and links that contain one of the texts.
        skipped: how many files were not looked at, since the limit was reached.
    """

    found: tuple[str, ...]
    skipped: int


def containing(directory: Path, files: Iterable[str], texts: Sequence[str], limit: int = 1 << 30) -> Search:
    """The files and links that contain one of some texts, as plain bytes; what is compressed is not looked into.

    Args:
        directory: where the artifacts are.
        files: relative names.
        texts: what to look for.
        limit: bytes to read in all; what comes after is counted as skipped.
    """
    needles = [os.fsencode(text) for text in texts if text]
    found = []
    skipped = 0
    for name in files:
        path = directory / name
        try:
            if path.is_symlink():
                hit = any(needle in os.fsencode(os.readlink(path)) for needle in needles)
            else:
                status = path.lstat()
                size = status.st_size
                if size > limit or not stat.S_ISREG(status.st_mode):
                    skipped += 1
                    continue
                limit -= size
                hit = _contains(path, needles)
        except OSError:
            skipped += 1
            continue
        if hit:
            found.append(name)
    return Search(tuple(found), skipped)


def _contains(path: Path, needles: Sequence[bytes]) -> bool:
    overlap = max(map(len, needles), default=1) - 1
    with open_plain(path) as stream:
        before = b""
        while chunk := stream.read(_CHUNK):
            window = before + chunk
            if any(needle in window for needle in needles):
                return True
            before = window[-overlap:] if overlap else b""
    return False
