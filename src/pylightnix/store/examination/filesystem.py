"""The file system below a store: which one it is, and how much room it has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pylightnix.names import printable
from pylightnix.store.examination.observations import Level, Observation

_NETWORK = re.compile(r"nfs4?|cifs|smb3?|smbfs|9p|afs|ceph|lustre|glusterfs|beegfs|gpfs|fuse\.(sshfs|glusterfs|cephfs)")
_OBJECTS = re.compile(r"fuse\.(s3fs|gcsfuse|rclone|goofys|mount-s3|blobfuse2?)")
_PASSING = re.compile(r"tmpfs|ramfs|overlay")
_LEAST_BYTES = 64 << 20
_FEW_BYTES = 1 << 30
_LEAST_INODES = 1000
_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system(path: str) -> Iterator[Observation]:
    """Which file system a directory is on, and what that means for a store."""
    kind = kind_of(path)
    if not kind:
        return
    if _OBJECTS.fullmatch(kind):
        yield Observation(
            "file system", Level.WRONG, f"{kind} is object storage, where nothing is renamed in one step", path,
            "keep the store on a file system",
        )  # fmt: skip
    elif _NETWORK.fullmatch(kind):
        yield Observation(
            "file system", Level.NOTE, f"{kind}, a network file system: whether machines see each other's locks "
            "cannot be told from one of them; at worst the same is made twice", path,
        )  # fmt: skip
    elif _PASSING.fullmatch(kind):
        yield Observation("file system", Level.NOTE, f"{kind}: a restart may empty it", path)
    else:
        yield Observation("file system", Level.GOOD, kind, path)


def kind_of(path: str, table: str = "/proc/self/mountinfo") -> str:
    """The type of the file system that a path is on; empty where the system does not tell."""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return ""
    real = os.path.realpath(path)
    best = (-1, "")
    for fields in mounts:
        if "-" not in fields or len(fields) < 5:
            continue
        point = _ESCAPED.sub(lambda m: chr(int(m[1], 8)), fields[4])
        if real == point or real.startswith(point.rstrip("/") + "/"):
            best = max(best, (len(point), printable(fields[fields.index("-") + 1])), key=lambda found: found[0])
    return best[1]


def room(path: str) -> Iterator[Observation]:
    """How much can still be written."""
    if not hasattr(os, "statvfs"):
        return
    found = os.statvfs(path)
    free, inodes = found.f_bavail * found.f_frsize, found.f_favail
    level = Level.WRONG if free < _LEAST_BYTES else Level.NOTE if free < _FEW_BYTES else Level.GOOD
    hint = "" if level is Level.GOOD else "pylightnix gc says what can be freed"
    yield Observation("space", level, f"{free:,} bytes are free of {found.f_blocks * found.f_frsize:,}", path, hint)
    if found.f_files:
        few = inodes < _LEAST_INODES
        yield Observation(
            "inodes", Level.WRONG if few else Level.GOOD, f"{inodes:,} are free of {found.f_files:,}", path,
            "remove files of this file system, small ones count as much as large ones" if few else "",
        )  # fmt: skip
