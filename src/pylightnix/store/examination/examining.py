"""Examines a store: all that is looked at, in order."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from pylightnix.names import printable
from pylightnix.store.examination.debris import debris
from pylightnix.store.examination.filesystem import file_system, room
from pylightnix.store.examination.observations import Level, Observation
from pylightnix.store.examination.trials import abilities, locks, locks_in_the_way
from pylightnix.store.layout import FORMAT, Layout
from pylightnix.store.trust import doubts

_WRITTEN = ("", "derivations", "store", "records", "environments", "tmp", "locks", "failed", "roots")


def examine(layout: Layout) -> Iterator[Observation]:
    """Look at everything; only `tmp/` and `locks/` are written to, and nothing stays there."""
    there = os.path.lexists(f"{layout.root}/format.json")
    what = f"store/{FORMAT}" if there else "there is no store yet; it is made at the first write"
    yield Observation("format", Level.GOOD, what, layout.root)
    base = _existing(layout.root)
    yield from file_system(base)
    yield from room(base)
    for doubt in doubts(layout):
        yield Observation("trust", Level.WRONG, doubt.what, doubt.where, doubt.hint)
    closed = list(_not_writable(layout, base))
    yield from closed
    yield from _not_writable_inside(layout, {one.where for one in closed})
    if there and not closed:
        yield locks(layout)
        yield from locks_in_the_way(layout)
        yield from (one._replace(where=layout.tmp) for one in abilities(layout))
    if there:
        yield from debris(layout)


def _existing(path: str) -> str:
    """The path, or the nearest directory above it that is there."""
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _not_writable(layout: Layout, base: str) -> Iterator[Observation]:
    paths = [f"{layout.root}/{name}".rstrip("/") for name in _WRITTEN] if base == layout.root else [base]
    for path in paths:
        if os.path.isdir(path) and not os.access(path, os.W_OK | os.X_OK):
            yield Observation(
                "rights", Level.WRONG, "we may not write to it", path,
                "what is realized can be used; to build, ask for the right to write, or choose another store",
            )  # fmt: skip


def _not_writable_inside(layout: Layout, known: Container[str]) -> Iterator[Observation]:
    """Directories of keys and of locks that somebody made who used the store as another user."""
    for path in (layout.locks, layout.records):
        found = [] if path in known else [one for one in _directories(path) if not os.access(one, os.W_OK | os.X_OK)]
        if found:
            one, root = printable(os.path.basename(found[0])), printable(layout.root)
            yield Observation(
                "rights", Level.WRONG, f"we may not write to {len(found)} of its directories, such as {one}", path,
                "some stages cannot be built; who made these, perhaps with sudo, can give them to the store's owner: "
                f"chown -R --reference={root} {root}",
            )  # fmt: skip


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(one.path for one in entries if one.is_dir(follow_symlinks=False))
    except OSError:
        return []
