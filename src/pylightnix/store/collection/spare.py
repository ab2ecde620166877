"""What a store can do without, where a disk is so full that not even a lock can be made. Unaware of locks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from pylightnix.store import changes

_PLACES = ("quarantine", "trash", "failed", "kept")


def spared(root: str) -> Iterator[str]:
    """Removes one thing after another: what is only remembered, then empty directories, which are made again.

    When things were last used stays: a collection would take them for unused.

    Args:
        root: the directory of the store.

    Yields:
        The path of what was removed.
    """
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(f"{root}/cache"), key=lambda entry: entry.name):
            if entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    changes.remove_file(entry.path)
                    yield entry.path
    for place in _PLACES:
        with contextlib.suppress(OSError):
            changes.remove_directory(f"{root}/{place}")
            yield f"{root}/{place}"
