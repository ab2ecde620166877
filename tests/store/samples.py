"""Trees of files to try things on."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from pylightnix.store.trees import hash_tree

Model = dict[bytes, tuple[object, ...]]
"""What is in a tree: by path ("directory",), ("file", content, executable) or ("link", target)."""

SAMPLE: Model = {
    b"empty": ("directory",),
    b"link": ("link", b"plots/roc.png"),
    b"model.bin": ("file", b"weights", False),
    b"plots": ("directory",),
    b"plots/deep": ("directory",),
    b"plots/deep/a.txt": ("file", b"a\n", False),
    b"plots/roc.png": ("file", b"\x89PNG", False),
    b"plots.txt": ("file", b"", False),
    b"run.sh": ("file", b"#!/bin/sh\n", True),
    b'odd "name"\n': ("file", b"odd", False),
    b"\xff\xfe": ("file", b"not UTF-8", False),
    b"gone": ("link", b"/nowhere/\xff"),
    "grün".encode(): ("file", b"green", False),
}


def make_tree(root: Path, model: Model) -> Path:
    """Make the tree of a model."""
    root.mkdir(exist_ok=True)
    for path, (kind, *rest) in model.items():
        place = os.path.join(os.fsencode(root), path)
        if kind == "directory":
            os.makedirs(place, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if kind == "link":
            os.symlink(rest[0], place)  # type: ignore[arg-type]
        else:
            Path(os.fsdecode(place)).write_bytes(rest[0])  # type: ignore[arg-type]
            os.chmod(place, 0o755 if rest[1] else 0o644)
    return root


def manifest_of(root: Path) -> bytes:
    sink = io.BytesIO()
    hash_tree(root, (), sink)
    return sink.getvalue()


def mode(path: Path | str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)
