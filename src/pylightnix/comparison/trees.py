"""Compares two trees of artifacts by their manifests, and opens only files of which the hashes differ."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from pylightnix.comparison.contents import compare_contents
from pylightnix.comparison.differences import Difference, Tolerance, Verdict
from pylightnix.comparison.judging import cut


class Entry(Protocol):
    """A line of a manifest: what `hash`, `size`, `executable` and `target` say depends on the kind."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> bytes: ...
    @property
    def hash(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def executable(self) -> bool: ...
    @property
    def target(self) -> bytes: ...


class Tree(NamedTuple):
    """Artifacts.

    Attributes:
        entries: in the order of a manifest: a directory before what is in it, siblings in byte order.
        root: the directory; None if the artifacts are not there any more.
    """

    entries: Iterable[Entry]
    root: str | None


def compare_trees(recorded: Tree, now: Tree, tolerance: Tolerance) -> Iterator[Difference]:
    """Every artifact that differs. Of a directory that is not in both, what is in it is not told.

    Raises:
        OSError: a file cannot be read.
    """
    skipped: bytes | None = None
    for old, new in _paired(recorded.entries, now.entries):
        here = old or new
        if here is None or (skipped is not None and here.name.startswith(skipped)):
            continue
        skipped = None
        if old is None or new is None or old.kind != new.kind:
            skipped = here.name + b"/"
            yield _of_kind(here, old, new)
        elif old.kind == "link" and old.target != new.target:
            before, after = [cut(os.fsdecode(one.target)) for one in (old, new)]
            yield Difference(_path(old), Verdict.DIFFERENT, "where this link leads differs", "", before, after)
        elif old.kind == "file":
            yield from _of_files(old, new, recorded.root, now.root, tolerance)


def _path(entry: Entry) -> str:
    return os.fsdecode(entry.name)


def _of_kind(here: Entry, old: Entry | None, new: Entry | None) -> Difference:
    before, after = [one.kind if one is not None else "nothing" for one in (old, new)]
    what = "was recorded, and is not there now" if new is None else "is there now, and was not recorded"
    if old is not None and new is not None:
        what = "is something else now"
    return Difference(_path(here), Verdict.DIFFERENT, what, "", before, after)


def _of_files(
    old: Entry, new: Entry, there: str | None, here: str | None, tolerance: Tolerance
) -> Iterator[Difference]:
    path = _path(old)
    if old.executable != new.executable:
        before, after = ["executable" if one.executable else "not executable" for one in (old, new)]
        yield Difference(path, Verdict.DIFFERENT, "the executable bit differs", "", before, after)
    if old.hash == new.hash:
        return
    if there is None or here is None:
        before, after = [f"{one.size:,} bytes" for one in (old, new)] if old.size != new.size else ["", ""]
        what = "its bytes differ; what was recorded is not here, so there is no more to tell"
        yield Difference(path, Verdict.DIFFERENT, what, "", before, after)
        return
    found = compare_contents(path, f"{there}/{path}", f"{here}/{path}", tolerance)
    if found is None:
        what = "its bytes are not those that were recorded; pylightnix verify tells more"
        found = Difference(path, Verdict.DIFFERENT, what)
    yield found


def _paired(recorded: Iterable[Entry], now: Iterable[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """The entries of one name together; None where one side has none."""
    olds, news = iter(recorded), iter(now)
    old, new = next(olds, None), next(news, None)
    while old is not None or new is not None:
        first = _order(old, new)
        if first == 0:
            yield old, new
        elif first < 0:
            yield old, None
        else:
            yield None, new
        if first <= 0:
            old = next(olds, None)
        if first >= 0:
            new = next(news, None)


def _order(old: Entry | None, new: Entry | None) -> int:
    """Which comes first: less than 0 the recorded one, more than 0 the other, 0 if they have one name."""
    if old is None or new is None:
        return 1 if old is None else -1
    one, other = old.name.split(b"/"), new.name.split(b"/")
    return (one > other) - (one < other)
