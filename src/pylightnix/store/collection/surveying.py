"""Looks over all realizations for what a collection asks: size, age, use, derivations, metrics. Decides nothing."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from pylightnix.errors import CollectionError, DamageError
from pylightnix.model.config import decode
from pylightnix.model.records import Record
from pylightnix.names import DerivationRef, printable
from pylightnix.store import changes
from pylightnix.store.collection.policy import Standing
from pylightnix.store.files import read_small
from pylightnix.store.layout import Layout
from pylightnix.store.overview import Glance, glances
from pylightnix.store.reading import Reader

_DERIVATION = re.compile(rb'\{(?:"context":\{)?"derivation":"([0-9a-f]{40}-[A-Za-z0-9_.+-]+)"')
_LONGEST_NUMBER = 4096
_NOTE = re.compile(r"[0-9a-f]{16}")


def survey(reader: Reader, *, times: bool = True, derivations: bool = False) -> list[Standing]:
    """All realizations.

    Args:
        reader: of the store.
        times: whether to find out when each was made and used.
        derivations: whether to find out which they realize.
    """
    if not times and not derivations:
        present = reader.payloads()
        return [Standing(one, one.ref in present, math.inf, "", frozenset()) for one in reader.records()]
    used = last_uses(reader.layout)
    return [_standing(reader, glance, used, derivations) for glance in glances(reader)]


def _standing(reader: Reader, glance: Glance, used: dict[str, float], derivations: bool) -> Standing:
    record = glance.record
    found = frozenset(_derivations(reader.place(record))) if derivations else frozenset[DerivationRef]()
    moment = max(_moment(glance.started), used.get(record.ref, 0.0))
    return Standing(record, glance.present, moment, glance.latest, found, glance.last)


def _moment(started: str) -> float:
    """Infinite, which is never old, where it is not known."""
    try:
        return datetime.fromisoformat(started).timestamp()
    except (ValueError, OverflowError):
        return math.inf


def _derivations(place: str) -> Iterator[DerivationRef]:
    for name in os.listdir(place):
        if name.endswith(".json") and name.startswith(("run-", "context-")):
            try:
                form = _DERIVATION.match(read_small(f"{place}/{name}"))
            except (OSError, DamageError):
                continue
            if form is not None:
                yield DerivationRef(form[1].decode())


def last_uses(layout: Layout) -> dict[str, float]:
    """When each realization was last used, by reference, as far as that was noted."""
    used: dict[str, float] = {}
    for moment, refs, _ in _notes(layout):
        for ref in refs:
            used[ref] = max(moment, used.get(ref, 0.0))
    return used


def _notes(layout: Layout) -> Iterator[tuple[float, list[str], str]]:
    directory = f"{layout.cache}/used"
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CollectionError(
            f"when things were last used cannot be read: {error.strerror or error}", where=printable(directory),
            hint="proceeding would make all of it look unused; see to the rights, and collect again",
        ) from error  # fmt: skip
    for name in filter(_NOTE.fullmatch, names):
        path = f"{directory}/{name}"
        try:
            yield os.lstat(path).st_mtime, read_small(path).decode(errors="replace").split("\n"), path
        except (OSError, DamageError):
            continue


def forget_uses(layout: Layout, present: Iterable[str]) -> None:
    """Remove the notes that say nothing that a later one, or an absence, does not say."""
    left = set(present)
    for _, refs, path in sorted(_notes(layout), reverse=True):
        new = left.intersection(refs)
        left -= new
        if not new:
            try:
                changes.remove_file(path)
            except OSError:
                return


def measure(reader: Reader, record: Record, metric: str) -> float | None:
    """A metric: a number under this key of the value (dotted for nested), or in the file of this promise.

    An int stays one: it may be beyond a float.
    """
    found = decode(record.value, {}) if record.value is not None else None
    if isinstance(found, dict) and metric in found:
        found = found[metric]
    else:
        for part in metric.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if found is None and metric in record.promises:
        return _in_file(reader, record, metric)
    return found if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _in_file(reader: Reader, record: Record, promise: str) -> float | None:
    try:
        data = reader.artifact(reader.payload(record) / record.promises[promise].path)
        return float(data[:_LONGEST_NUMBER].decode())
    except (OSError, ValueError, DamageError):
        return None
