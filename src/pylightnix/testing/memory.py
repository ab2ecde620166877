"""A shelf that keeps realizations in memory: for tests of matchers, and an example of the protocol. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pylightnix.errors import StoreError
from pylightnix.hashing import canonical, digest_bytes, digest_document, kind_tag
from pylightnix.model.config import Encoding, encode_value
from pylightnix.model.realization import Realization
from pylightnix.model.records import (
    Context,
    InputChoice,
    PromiseRecord,
    Record,
    Run,
    hash_realization,
    hash_value,
    make_context,
    seed_of,
)
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, check_inner_path, check_name

_ROOT = Path("/in-memory")
"""Begins the paths of artifacts. Nothing is ever there: they are read through the shelf."""


class MemoryShelf:
    """Implements `model.shelf.Shelf`. `put` notes a run; equal results fold into one realization.

    Example:
        shelf = MemoryShelf.of({"accuracy": 0.9}, {"accuracy": 0.8}, name="model")
        shelf.put("model", value={"accuracy": 0.7}, artifacts={"weights.txt": b"1 2 3"})
        match.best("accuracy", of=2).match(shelf.candidates("model"))
    """

    def __init__(self) -> None:
        self._records: dict[RealizationRef, Record] = {}
        self._runs: dict[RealizationRef, list[Run]] = {}
        self._contexts: dict[RealizationRef, dict[str, Context]] = {}
        self._artifacts: dict[RealizationRef, dict[str, bytes]] = {}
        self._derivations: dict[DerivationRef, Mapping[str, Any]] = {}
        self._logs: dict[tuple[KeyRef, int], str] = {}
        self._next_run: dict[KeyRef, int] = {}

    @classmethod
    def of(cls, *values: object, name: str = "model") -> Self:
        """A shelf with one run of a stage for each value, which that run returned."""
        shelf = cls()
        for value in values:
            shelf.put(name, value=value)
        return shelf

    def put(
        self,
        name: str,
        *,
        value: object = None,
        artifacts: Mapping[str, bytes] | None = None,
        promises: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
        inputs: Mapping[str, Realization[Any]] | None = None,
        run: int | None = None,
        log: str = "",
    ) -> Realization[Any]:
        """Note one run of a stage: what it returned, left and was given.

        Args:
            name: of the stage.
            value: the JSON value that the builder returned.
            artifacts: contents by relative path.
            promises: paths of artifacts by name.
            params: the configuration; with `name` and `inputs` it makes the key.
            inputs: realizations of this shelf by the name of their parameter.
            run: index of the run; default the next one of this key.
            log: what the run wrote.

        Raises:
            ConfigError, BadNameError: of values and names as in a store.
            StoreError: a promise names no artifact.
        """
        contents = {check_inner_path(path): data for path, data in (artifacts or {}).items()}
        given = dict(inputs or {})
        derivation = self._describe(check_name(name), params or {}, promises or {}, given)
        key = self._key(derivation, given)
        context = make_context(derivation, {r.context.derivation: _choice(r) for r in given.values()})
        tree = encode_value(value, name)
        record = _record(key, KeyRef.of(key, name), tree, contents, promises or {}, context.hash)
        self._records.setdefault(record.ref, record)
        self._artifacts[record.ref] = contents
        self._contexts.setdefault(record.ref, {})[context.hash] = context
        self._note_run(record, run, context, log)
        return Realization(self._records[record.ref], self)

    def candidates(self, name: str) -> tuple[Realization[Any], ...]:
        """All realizations of stages of a name, by reference."""
        refs = sorted(ref for ref in self._records if ref.name == name)
        return tuple(Realization(self._records[ref], self) for ref in refs)

    def collect(self, realization: Realization[Any]) -> None:
        """Forget the artifacts of a realization, as a garbage collection does; its record stays."""
        self._artifacts.pop(realization.ref, None)

    def payload(self, record: Record) -> Path:
        """See `Shelf`."""
        return _ROOT / record.ref

    def present(self, record: Record) -> bool:
        """See `Shelf`."""
        return record.ref in self._artifacts

    def runs(self, record: Record) -> tuple[Run, ...]:
        """See `Shelf`."""
        return tuple(self._runs[record.ref])

    def files(self, record: Record) -> tuple[str, ...]:
        """See `Shelf`; none for a collected realization."""
        return tuple(sorted(self._artifacts.get(record.ref, {}), key=str.encode))

    def log(self, record: Record, run: Run) -> str:
        """See `Shelf`."""
        return self._logs.get((record.home, run.index), "")

    def origin(self, record: Record) -> Context:
        """See `Shelf`."""
        return self.context(record, record.made_in)

    def context(self, record: Record, digest: str) -> Context:
        """See `Shelf`."""
        found = self._contexts.get(record.ref, {}).get(digest)
        if found is None:
            raise StoreError(f"no context {digest[:8]} of {record.ref}", hint="it is not on this shelf", context=digest)
        return found

    def chosen(self, choice: InputChoice) -> tuple[Record, ...]:
        """See `Shelf`."""
        return tuple(self._records[ref] for ref in choice.chosen)

    def derivation(self, ref: DerivationRef) -> Mapping[str, Any]:
        """See `Shelf`."""
        return self._derivations[ref]

    def kept(self, record: Record, name: str) -> Path | None:
        return None

    def fetch(self, record: Record, name: str | None) -> Path:
        return self.payload(record) / record.promises[name].path if name is not None else self.payload(record)

    def artifact(self, path: Path) -> bytes:
        """See `Shelf`; FileNotFoundError and IsADirectoryError as a file system raises them."""
        ref, *parts = path.relative_to(_ROOT).parts
        contents = self._artifacts.get(RealizationRef(ref), {})
        inner = "/".join(parts)
        if inner in contents:
            return contents[inner]
        if any(other.startswith(f"{inner}/") for other in contents):
            raise IsADirectoryError(f"{path} is a directory")
        raise FileNotFoundError(f"{path} is not there")

    def _describe(
        self,
        name: str,
        params: Mapping[str, object],
        promises: Mapping[str, str],
        inputs: Mapping[str, Realization[Any]],
    ) -> DerivationRef:
        encoding = Encoding(name)
        document = {
            "name": name,
            "params": {
                **{param: encoding.encode(value, param) for param, value in params.items()},
                **{param: {"$derivation": given.context.derivation} for param, given in inputs.items()},
            },
            "promises": {promise: {"path": path} for promise, path in promises.items()},
            "pylightnix": kind_tag("derivation"),
        }
        ref = DerivationRef.of(digest_bytes(canonical(document)), name)
        self._derivations[ref] = document
        return ref

    def _key(self, derivation: DerivationRef, inputs: Mapping[str, Realization[Any]]) -> str:
        seen = {param: {"$input": self._visible(given)} for param, given in inputs.items()}
        document = self._derivations[derivation]
        return digest_document("key", {**document, "params": {**document["params"], **seen}})

    def _visible(self, realization: Realization[Any]) -> dict[str, Any]:
        document = self._derivations[realization.context.derivation]
        record = realization.record
        common = {"params": document["params"], "promises": document["promises"]}
        return {**common, "tree": record.tree, "value": record.value_hash}

    def _note_run(self, record: Record, run: int | None, context: Context, log: str) -> None:
        index = self._next_run.get(record.home, 0) if run is None else run
        self._next_run[record.home] = max(index + 1, self._next_run.get(record.home, 0))
        self._logs[record.home, index] = log
        started = f"2000-01-01T00:00:{index % 60:02}.000000"
        runs = self._runs.setdefault(record.ref, [])
        runs.append(Run(index, seed_of(record.key, index), started, 0.0, context, None, {}))
        runs.sort(key=Run.order)


def _record(
    key: str, home: KeyRef, value: Any, contents: Mapping[str, bytes], promises: Mapping[str, str], made_in: str
) -> Record:
    tree = _tree(contents, "")
    kept = {name: _kept(name, check_inner_path(path), contents) for name, path in promises.items()}
    ref = RealizationRef.of(hash_realization(key, tree, hash_value(value)), home.name)
    return Record(ref, home, key, tree, value, kept, sum(map(len, contents.values())), len(contents), made_in)


def _kept(name: str, path: str, contents: Mapping[str, bytes]) -> PromiseRecord:
    if path in contents:
        return PromiseRecord(path, "file", digest_bytes(contents[path]))
    if any(other.startswith(f"{path}/") for other in contents):
        return PromiseRecord(path, "directory", _tree(contents, f"{path}/"))
    raise StoreError(f"the promise {name!r} names no artifact: {path!r}", hint=f"artifacts: {', '.join(contents)}")


def _tree(contents: Mapping[str, bytes], below: str) -> str:
    """A hash of artifacts; like a store's in what it tells apart, not in its digits."""
    found = {path.removeprefix(below): digest_bytes(data) for path, data in contents.items() if path.startswith(below)}
    return digest_document("memory-tree", {"files": found})


def _choice(realization: Realization[Any]) -> InputChoice:
    home = realization.record.home
    return InputChoice(home, (realization.ref,), False, realization.context.hash, "latest()")


def candidates_of(*values: object, name: str = "model") -> tuple[Realization[Any], ...]:
    """The realizations, by reference, of a stage that was run once for each value and returned it."""
    return MemoryShelf.of(*values, name=name).candidates(name)
