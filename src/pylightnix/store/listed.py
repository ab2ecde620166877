"""Seals a directory of which a manifest was there before, without reading again what was held against it when written.

Unaware of who wrote it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from pylightnix.errors import StoreError
from pylightnix.store.manifests import Entry, read_manifest
from pylightnix.store.sealing import Walk, is_sealed
from pylightnix.store.trees import Singles, Tree, describe


def seal_listed(root: Path | str, manifest: Path | str, tree: str, artifacts: Iterable[str], held: int) -> Tree | None:
    """As `hash_tree`, with `seal`, where all is what the manifest says.

    Everything that is there is looked at: its name, kind, mode and size, and the content too, but of small files. Of
    these somebody has seen that what he wrote was right, before he wrote it.

    Args:
        root: the directory.
        manifest: lists what must be in it.
        tree: the hash of that, which is seen to.
        artifacts: as for `hash_tree`.
        held: files of fewer bytes are the small ones.

    Returns:
        None if something is not so; some of it may be sealed then, and `hash_tree` tells what it is.
    """
    walk, singles = Walk(root, seal=True), Singles(artifacts)
    size = files = 0
    try:
        entries = read_manifest(manifest, tree)
        with closing(walk.steps()) as steps:
            for kind, path, name in steps:
                if kind == "left":
                    continue
                entry = next(entries, None)
                if entry is None or entry.kind != kind or entry.name != path:
                    return None
                right = kind == "file" and entry.size < held and _is_sealed(walk, entry, name)
                if not (right or describe(walk, kind, path, name) == entry):
                    return None
                if singles.wanted:
                    singles.see(entry, entry.line())
                size += entry.size
                files += kind == "file"
        if next(entries, None) is not None:
            return None
        return Tree(tree, size, files, singles.finish(root), os.path.getsize(manifest))
    except (StoreError, OSError):
        return None


def _is_sealed(walk: Walk, entry: Entry, name: bytes) -> bool:
    """Whether a file has the size and the mode that it must have, and no other name."""
    assert walk.rights is not None, "BUG: a walk that seals has rights"
    status = os.stat(name, dir_fd=walk.fd, follow_symlinks=False)
    return status.st_size == entry.size and is_sealed(status, walk.rights, executable=entry.executable)
