"""Finds the full key of a realization anew, from its derivation and what was chosen for its inputs. Reads only.

Whoever uses a key that was found so checks it: with tree and value it has the hash that names the realization.
"""

from __future__ import annotations

from typing import Any

from pylightnix.errors import PylightnixError, StoreError
from pylightnix.hashing import Template, canonical, digest_bytes
from pylightnix.model.closure import InputRef, unslotted
from pylightnix.model.params import Params
from pylightnix.model.records import Context, Record
from pylightnix.store.reading import Reader
from pylightnix.store.verification.refusals import damage


def key_of(reader: Reader, context: Context) -> str | None:
    """The key of what was made in a context; None if not all that it follows from is there."""
    try:
        fields = dict(reader.derivation(context.derivation))
        params, inputs = unslotted(fields.pop("params"))
        views = [_view(reader, context, ref) for ref in inputs]
    except StoreError as error:
        damage(reader.layout.root, error)
        return None
    except (PylightnixError, LookupError, TypeError, RecursionError):
        return None
    return digest_bytes(Template(fields, "params").fill("key", Params.of_trees(params).fill(views)))


def _view(reader: Reader, context: Context, ref: InputRef) -> str:
    """What a builder sees of an input, as canonical JSON."""
    choice = context.inputs[ref.derivation]
    records = reader.chosen(choice)
    views = [_part(record, ref.promise) if ref.promise else _whole(reader, ref, record) for record in records]
    return canonical({"$inputs": views} if choice.many else {"$input": views[0]}).decode()


def _part(record: Record, promise: str) -> dict[str, Any]:
    kept = record.promises[promise]
    return {"artifact": kept.tree, "kind": kept.kind}


def _whole(reader: Reader, ref: InputRef, record: Record) -> dict[str, Any]:
    document = reader.derivation(ref.derivation)
    return {
        "params": Params.of_trees(unslotted(document["params"])[0]).shown_trees(),
        "promises": {name: promise["path"] for name, promise in document["promises"].items()},
        "tree": record.tree,
        "value": record.value_hash,
    }
