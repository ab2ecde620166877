"""Writes a record anew from what is left around it. What it gives is right or it gives nothing: the name is a hash.

A realization is named by the hash of key, tree and value. The artifacts or the manifest have the tree; the key follows
from the inputs, or stands in other records beside it; the value is null, or what the damaged record still says.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.model.records import Context, PromiseRecord, Record, Run, hash_realization, hash_value
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.store.documents import parse_context, parse_record, parse_run, record_bytes
from pylightnix.store.files import decode_json, is_directory, read_small
from pylightnix.store.manifests import read_manifest
from pylightnix.store.reading import Reader
from pylightnix.store.trees import Tree, hash_tree, tree_of
from pylightnix.store.verification.checking import promised_paths
from pylightnix.store.verification.refusals import damage, read_if_sound
from pylightnix.store.verification.rekeying import key_of

_FULL_HASHES = re.compile(r"[0-9a-f]{64}")
_BEFORE_VALUE = re.compile(r'"value":|"tree":"[0-9a-f]{64}",.{8}')
_MOST_VALUES = 64
"""Places at which the value may begin that are tried; each costs reading the rest."""


def recall_record(reader: Reader, home: KeyRef, digits: str) -> bytes | None:
    """The bytes of the record of a realization, None if too little is left to know them."""
    place = f"{reader.layout.records}/{home}/{digits}"
    if not is_directory(place):
        return None
    damaged = _text(f"{place}/record.json")
    contexts = list(_contexts(place))
    promised = next((p for c in contexts if (p := promised_paths(reader.layout, c.derivation)) is not None), None)
    if promised is None:
        return None
    keys = dict.fromkeys(key for key in _keys(reader, home, damaged, contexts) if key.startswith(home.digits))
    trees = list(_trees(reader, f"{digits}{home[DIGITS:]}", f"{place}/manifest.jsonl", list(promised.values())))
    for key, tree, value in itertools.product(keys, trees, _values(damaged)):
        if hash_realization(key, tree.digest, hash_value(value))[:DIGITS] == digits:
            kept = {name: PromiseRecord(path, *tree.artifacts[path]) for name, path in promised.items()}
            ref = RealizationRef(f"{digits}{home[DIGITS:]}")
            record = Record(ref, home, key, tree.digest, value, kept, tree.size, tree.files)
            return record_bytes(record, _made_in(damaged, contexts))
    return None


def _text(path: str) -> str:
    try:
        return read_small(path).decode(errors="replace")
    except (DamageError, OSError) as error:
        damage(path, error)
        return ""


def _contexts(place: str) -> Iterator[Context]:
    """All contexts that can be read, those of runs first, the oldest first."""
    names: list[str] = []
    with read_if_sound(place):
        names = sorted(os.listdir(place))
    runs: list[Run] = []
    for name in names:
        with read_if_sound(f"{place}/{name}"):
            if name.startswith("run-") and name.endswith(".json"):
                runs.append(parse_run(f"{place}/{name}", read_small(f"{place}/{name}")))
    yield from (run.context for run in sorted(runs, key=Run.order))
    for name in names:
        with read_if_sound(f"{place}/{name}"):
            if name.startswith("context-"):
                yield parse_context(f"{place}/{name}", read_small(f"{place}/{name}"))


def _keys(reader: Reader, home: KeyRef, damaged: str, contexts: list[Context]) -> Iterator[str]:
    yield from _FULL_HASHES.findall(damaged)
    yield from (key for context in contexts if (key := key_of(reader, context)) is not None)
    for digits in reader.entries(home):
        path = f"{reader.layout.records}/{home}/{digits}/record.json"
        with read_if_sound(path):
            yield parse_record(path, read_small(path), digits, home).key


def _trees(reader: Reader, ref: str, manifest: str, promised: list[str]) -> Iterator[Tree]:
    with read_if_sound(f"{reader.layout.store}/{ref}"):
        yield hash_tree(f"{reader.layout.store}/{ref}", promised)
    with contextlib.suppress(StoreError):
        yield tree_of((), promised)  # which has no manifest
    with read_if_sound(manifest):
        yield tree_of(read_manifest(manifest), promised)


def _values(damaged: str) -> list[Any]:
    """Null, and what the record still says: the value is the last of its fields, after the tree hash."""
    values: list[Any] = [None]
    for found in itertools.islice(_BEFORE_VALUE.finditer(damaged), _MOST_VALUES):
        with contextlib.suppress(ValueError, RecursionError):
            values.append(decode_json(damaged[found.end() : -1]))
    return values


def _made_in(damaged: str, contexts: list[Context]) -> str:
    """The context that the record names, if it is there; else the oldest that is."""
    named = set(_FULL_HASHES.findall(damaged))
    return next((context.hash for context in contexts if context.hash in named), contexts[0].hash)
