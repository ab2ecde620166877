"""Looks whether what roots and contexts name is there, as a collection will want to follow it. Changes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from pylightnix.errors import CollectionError, DamageError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.model.records import Context, InputChoice
from pylightnix.names import KeyRef
from pylightnix.store.collection.reach import find_context, reach
from pylightnix.store.collection.roots import Roots
from pylightnix.store.documents import parse_context, parse_run
from pylightnix.store.files import is_directory, read_small
from pylightnix.store.reading import Reader, is_run
from pylightnix.store.verification.findings import Finding, Kind


def check_roots(reader: Reader) -> list[Finding]:
    """A finding for each root that cannot be read, or that leads to what is not there."""
    roots = Roots(reader.layout)
    found = []
    try:
        names = roots.names()
    except CollectionError as error:
        return [Finding(Kind.ROOT, "roots", error.what)]
    for name in names:
        try:
            root = roots.read(name)
            if root is not None and root.stands:
                reach(reader, [root])
        except CollectionError as error:
            found.append(Finding(Kind.ROOT, f"roots/{name}", error.what))
    return found


def check_needed(reader: Reader) -> Iterator[Finding]:
    """A finding for each context that others name, and that a realization which is there does not have."""
    had: set[tuple[str, str]] = set()
    unread: set[str] = set()
    named: dict[tuple[str, tuple[str, ...], str], InputChoice] = {}
    for place in _places(reader):
        for context in _contexts(f"{reader.layout.records}/{place}"):
            if context is None:
                unread.add(place)
                continue
            had.add((place, context.hash))
            for choice in context.inputs.values():
                named[choice.key, choice.chosen, choice.context] = choice
    for choice in named.values():
        inside = [f"{choice.key}/{ref.digits}" for ref in choice.chosen]
        there = [one for one in inside if is_directory(f"{reader.layout.records}/{one}")]
        if not there or any(one in unread or (one, choice.context) in had for one in there):
            continue
        if not any(_has(f"{reader.layout.records}/{one}", choice.context) for one in there):
            file = f"records/{there[0]}/context-{choice.context[:DIGITS]}.json"
            ref = next(ref for ref in choice.chosen if there[0].endswith(ref.digits))
            what = "it is not there, and what was made from this names it"
            yield Finding(Kind.NEEDED, file, what, ref, KeyRef(choice.key))


def _places(reader: Reader) -> Iterator[str]:
    """The directories of records, below `records/`; what may not be read is told elsewhere."""
    with contextlib.suppress(StoreError):
        for home in reader.homes():
            with contextlib.suppress(StoreError):
                yield from [f"{home}/{digits}" for digits in reader.entries(home)]


def _contexts(place: str) -> Iterator[Context | None]:
    """All in the directory of a record; None for one that cannot be read, which the look at the realization tells."""
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names:
        try:
            if name.startswith("context-"):
                yield parse_context(f"{place}/{name}", read_small(f"{place}/{name}"))
            elif is_run(name):
                yield parse_run(f"{place}/{name}", read_small(f"{place}/{name}")).context
        except (DamageError, OSError):
            yield None


def _has(place: str, digest: str) -> bool:
    """Whether it is there now; one that is damaged is told elsewhere."""
    try:
        return find_context(place, digest) is not None
    except (DamageError, OSError):
        return True
