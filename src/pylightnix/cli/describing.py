"""What there is to say of a realization, a derivation, a failed run: documents for programs."""

from __future__ import annotations

from typing import Any

from pylightnix.model.inputs import inputs_of
from pylightnix.model.realization import Realization
from pylightnix.model.records import Run
from pylightnix.names import DerivationRef
from pylightnix.store.failures import Failed
from pylightnix.store.leaks import containing
from pylightnix.store.manifests import Entry
from pylightnix.store.overview import entries
from pylightnix.store.signed import signed_of
from pylightnix.store.store import Store


def summary(realization: Realization[Any], label: str = "") -> dict[str, Any]:
    """A realization in a few facts; the value is encoded as it stands in its record."""
    record = realization.record
    return {
        "ref": str(record.ref),
        "name": record.ref.name,
        **({"label": label} if label else {}),
        "path": str(realization.path),
        "value": record.value,
        "promises": {name: str(path) for name, path in realization.promises.items()},
        "size": record.size,
        "files": record.files,
    }


def everything(realization: Realization[Any], store: Store, label: str = "") -> dict[str, Any]:
    """All that the store knows of a realization."""
    record, keeper = realization.record, store.keeper
    kept = entries(keeper, record)
    description = realization.description()
    present = keeper.present(record)
    texts = sorted({str(store.path), str(store.path.resolve())})
    search = containing(realization.path, [e.path for e in kept if e.kind != "directory"], texts) if present else None
    return {
        **summary(realization, label),
        "present": present,
        "from": sorted({one.source for one in signed_of(keeper, record) if one.source}),
        "derivation": str(realization.context.derivation),
        "key": str(record.home),
        "tree": record.tree,
        "code": description.get("code"),
        "env": description.get("env"),
        "variables": description.get("variables"),
        "params": description["params"],
        "inputs": _inputs(realization),
        "promises": {
            name: {"path": promise.path, "kind": promise.kind, "size": _size(kept, promise.path)}
            for name, promise in record.promises.items()
        },
        "artifacts": [_artifact(entry) for entry in kept],
        "contexts": [context.hash for context in keeper.contexts(record)],
        "runs": [run_document(run) for run in realization.runs],
        "contains_store_path": list(search.found) if search else [],
        "not_searched": search.skipped if search else 0,
    }


def _inputs(realization: Realization[Any]) -> list[dict[str, Any]]:
    return [
        {
            "label": one.label,
            "derivation": str(one.derivation),
            "promise": one.promise,
            "chosen": [str(ref) for ref in one.choice.chosen],
            "many": one.choice.many,
            "matcher": one.choice.matcher,
        }
        for one in inputs_of(realization)
    ]


def _artifact(entry: Entry) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if entry.kind == "file":
        extra = {"size": entry.size, "executable": entry.executable}
    if entry.kind == "link":
        extra = {"target": entry.target.decode(errors="surrogateescape")}
    return {"path": entry.path, "kind": entry.kind, **extra}


def _size(kept: list[Entry], path: str) -> int:
    """Bytes in an artifact: of the file, or of all files in the directory."""
    return sum(entry.size for entry in kept if entry.path == path or entry.path.startswith(f"{path}/"))


def run_document(run: Run) -> dict[str, Any]:
    """One run, with everything that was noted of it."""
    return {
        "index": run.index,
        "seed": run.seed,
        "started": run.started,
        "duration": run.duration,
        "derivation": str(run.derivation),
        "log": run.log,
        **run.facts,
    }


def derivation_document(ref: DerivationRef, store: Store) -> dict[str, Any]:
    """A derivation: what stands in its file, and what was made of it."""
    document = store.keeper.derivation(ref)
    made = [
        str(record.ref)
        for record in store.keeper.records(ref.name)
        if any(context.derivation == ref for context in store.keeper.contexts(record))
    ]
    return {
        "ref": str(ref),
        "path": f"{store.keeper.layout.derivations}/{ref}.json",
        **{name: document.get(name) for name in ("name", "params", "promises", "code", "env", "variables")},
        "realizations": made,
    }


def failure_document(failed: Failed) -> dict[str, Any]:
    """A failed run, with the whole of its log that is kept at hand."""
    facts = {name: fact for name, fact in failed.facts.items() if name != "pylightnix"}
    return {"name": failed.name, "path": str(failed.path), **facts, "log": failed.log}
