"""A glance at each realization of a store: its record, how many runs, when. Reads as little as that takes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pylightnix.errors import DamageError
from pylightnix.model.records import Record
from pylightnix.names import KeyRef
from pylightnix.store.files import read_small
from pylightnix.store.manifests import EMPTY, Entry, read_manifest
from pylightnix.store.reading import Reader, is_run

_STARTED = re.compile(rb',"started":"([^"\\\\]*)"\}$')
"""The end of a run's file: its keys are sorted, and this is the last; spares parsing all of it."""


class Glance(NamedTuple):
    """What a list says of a realization.

    Attributes:
        record: what it is.
        present: whether its artifacts are there.
        runs: how many executions gave it.
        started: when the newest of them began: UTC, ISO 8601; empty if that cannot be read.
        latest: when that of the highest index began, the first time if it was made again, as `Reader.runs` has it.
        last: that index; -1 if there is no run.
    """

    record: Record
    present: bool
    runs: int
    started: str
    latest: str
    last: int


def glances(reader: Reader, homes: Iterable[KeyRef] | None = None) -> Iterator[Glance]:
    """All realizations under these keys, default all, ordered by key."""
    present = reader.payloads()
    for home in reader.homes() if homes is None else homes:
        for record, (runs, started, latest, last) in reader.look_at(home, _runs):
            yield Glance(record, record.ref in present, runs, started, latest, last)


def _runs(place: int) -> tuple[int, str, str, int]:
    """How many runs there are, when the newest of them started, and when that of the highest index did, and which."""
    try:
        names = os.listdir(place)
    except OSError:  # removed meanwhile
        return 0, "", "", -1
    runs = [name for name in names if name.startswith("run-") and is_run(name)]
    if len(runs) == 1:  # as nearly always
        moment = _started(runs[0], place)
        return 1, moment, moment, _index(runs[0])
    found: dict[int, list[str]] = {}
    for name in runs:
        found.setdefault(_index(name), []).append(name)
    if not found:
        return 0, "", "", -1
    last = max(found)
    # One that was made again may be newer than that of the highest index.
    started = {i: [_started(name, place) for name in same] for i, same in found.items() if i == last or len(same) > 1}
    known = [moment for moment in started[last] if moment]
    return len(found), max(max(moments) for moments in started.values()), min(known, default=""), last


def _index(name: str) -> int:
    return int(name[4:].partition("-")[0])


def _started(name: str, place: int) -> str:
    try:
        data = read_small(name, place)
        if match := _STARTED.search(data, max(len(data) - 80, 0)):
            return match[1].decode()
        document = json.loads(data)
    except (OSError, ValueError, RecursionError, DamageError):
        return ""
    started = document.get("started") if isinstance(document, dict) else None
    return started if isinstance(started, str) else ""


def entries(reader: Reader, record: Record) -> list[Entry]:
    """All artifacts of a realization, as its manifest has them.

    Raises:
        DamageError: the manifest is not there, or not what it must be.
    """
    path = f"{reader.place(record)}/manifest.jsonl"
    try:
        return [] if record.tree == EMPTY else list(read_manifest(path))
    except OSError as error:
        raise DamageError(f"the manifest cannot be read: {error.strerror}", where=path) from error
