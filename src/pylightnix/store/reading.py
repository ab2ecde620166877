"""Reads a store: records, runs, contexts, derivations. Writes nothing; damage is a miss with a warning."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS, digest_bytes, kind_tag
from pylightnix.model.records import Context, InputChoice, PromiseRecord, Record, Run, make_context
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable
from pylightnix.store.files import parse_document, read_small
from pylightnix.store.layout import Layout
from pylightnix.store.trees import list_files, read_manifest

_RECORD = kind_tag("record")
_RUN = kind_tag("run")
_CONTEXT = kind_tag("context")
_LARGEST_ARTIFACT = 1 << 20
_LOG_LIMIT = 16 << 20


class Reader:
    """What can be read of a store. It implements `Shelf` and the reading half of `Keeper`."""

    list_files = staticmethod(list_files)

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def candidates(self, home: KeyRef, key: str) -> list[Record]:
        """The records under a key, ordered by reference."""
        base = f"{self.layout.records}/{home}"
        try:
            names = os.listdir(base)
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = []
        for name in sorted([name for name in names if len(name) == DIGITS]):
            record = self._candidate(base, name, home)
            if record is not None and record.key == key:
                found.append(record)
            elif record is not None:
                _warn(f"{base}/{name}", "the record belongs to another key")
        return found

    def _candidate(self, base: str, digits: str, home: KeyRef) -> Record | None:
        path = f"{base}/{digits}/record.json"
        try:
            return _parse_record(path, read_small(path), digits, home)
        except FileNotFoundError:
            return None
        except (DamageError, OSError) as error:
            _warn(path, error.what if isinstance(error, DamageError) else error.strerror or str(error))
            return None

    def homes(self, name: str | None = None) -> Iterator[KeyRef]:
        """All keys, of one stage's name or of all, in byte order."""
        try:
            entries = sorted(os.listdir(self.layout.records))
        except FileNotFoundError:
            return
        for entry in entries:
            if len(entry) > DIGITS + 1 and (name is None or entry[DIGITS + 1 :] == name):
                yield KeyRef(entry)

    def entries(self, home: KeyRef) -> list[str]:
        """The digits of all realizations under a key, readable or not."""
        return sorted(name for name in os.listdir(f"{self.layout.records}/{home}") if len(name) == DIGITS)

    def record_at(self, home: KeyRef, digits: str) -> Record | None:
        """The record under a key of a realization with these digits, None if it is not there or not readable."""
        return self._candidate(f"{self.layout.records}/{home}", digits, home)

    def records(self, name: str | None = None) -> Iterator[Record]:
        """All records, of one stage's name or of all."""
        for home in self.homes(name):
            for digits in self.entries(home):
                if (record := self.record_at(home, digits)) is not None:
                    yield record

    def payload(self, record: Record) -> Path:
        return Path(f"{self.layout.store}/{record.ref}")

    def present(self, record: Record) -> bool:
        """Whether the artifacts are there."""
        try:
            return stat.S_ISDIR(os.lstat(f"{self.layout.store}/{record.ref}").st_mode)
        except FileNotFoundError:
            return False

    def place(self, record: Record) -> str:
        """The directory of a record."""
        return f"{self.layout.records}/{record.home}/{record.ref.digits}"

    def runs(self, record: Record) -> tuple[Run, ...]:
        """The runs of a realization, oldest first, one for each index."""
        place = self.place(record)
        found: dict[int, Run] = {}
        for name in sorted(os.listdir(place)):
            if name.startswith("run-") and name.endswith(".json"):
                run = _read(f"{place}/{name}", _RUN, _parse_run)
                if run is not None and (run.index not in found or run.order() < found[run.index].order()):
                    found[run.index] = run
        return tuple(sorted(found.values(), key=Run.order))

    def contexts(self, record: Record) -> Iterator[Context]:
        """All contexts in which a realization was made or used, each once."""
        seen = set()
        for run in self.runs(record):
            if run.context.hash not in seen:
                seen.add(run.context.hash)
                yield run.context
        place = self.place(record)
        for name in sorted(os.listdir(place)):
            if name.startswith("context-"):
                context = _read(f"{place}/{name}", _CONTEXT, _parse_context)
                if context is not None and context.hash not in seen:
                    seen.add(context.hash)
                    yield context

    def origin(self, record: Record) -> Context:
        runs = self.runs(record)
        return next((run.context for run in runs if run.context.hash == record.made_in), None) or runs[0].context

    def context(self, record: Record, digest: str) -> Context:
        for context in self.contexts(record):
            if context.hash == digest:
                return context
        raise DamageError(
            f"the context {digest[:8]} of {record.ref} is not in the store",
            where=self.place(record),
            hint="it was removed, or this store could not be written when it was used",
        )

    def chosen(self, choice: InputChoice) -> tuple[Record, ...]:
        found = []
        for ref in choice.chosen:
            record = self.record_at(choice.key, ref.digits)
            if record is None:
                raise StoreError(
                    f"the realization {ref} was removed from this store", where=f"{self.layout.records}/{choice.key}",
                    hint="what was made from it stays; realize its stage again to have it back", ref=ref,
                )  # fmt: skip
            found.append(record)
        return tuple(found)

    def derivation(self, ref: DerivationRef) -> Mapping[str, Any]:
        path = f"{self.layout.derivations}/{ref}.json"
        try:
            data = read_small(path)
        except FileNotFoundError:
            raise DamageError(f"the derivation {ref} is not in the store", where=path) from None
        if digest_bytes(data)[:DIGITS] != ref.digits:
            raise DamageError("the bytes of the derivation are not those of its name", where=path)
        return parse_document(path, data, kind_tag("derivation"))

    def derivations(self) -> list[DerivationRef]:
        """All derivations in the store, in byte order."""
        try:
            names = sorted(os.listdir(self.layout.derivations))
        except FileNotFoundError:
            return []
        return [DerivationRef.parse(name.removesuffix(".json")) for name in names if name.endswith(".json")]

    def history(self, name: str) -> list[Mapping[str, Any]]:
        """The documents of the derivations of this name that have realizations, the newest last."""
        found: dict[DerivationRef, float] = {}
        for record in self.records(name):
            for context in self.contexts(record):
                if context.derivation not in found:
                    path = f"{self.layout.derivations}/{context.derivation}.json"
                    if os.path.exists(path):
                        found[context.derivation] = os.stat(path).st_mtime
        known = sorted(found, key=lambda ref: (found[ref], ref))
        return [document for ref in known if (document := self._derivation_or_none(ref)) is not None]

    def _derivation_or_none(self, ref: DerivationRef) -> Mapping[str, Any] | None:
        try:
            return self.derivation(ref)
        except DamageError as error:
            _warn(error.where, error.what)
            return None

    def files(self, record: Record) -> tuple[str, ...]:
        path = f"{self.place(record)}/manifest.jsonl"
        return tuple(entry.path for entry in read_manifest(Path(path)) if entry.kind != "directory")

    def log(self, record: Record, run: Run) -> str:
        """What a run wrote, at most 16 MiB of it."""
        if run.log is None:
            return ""
        path = f"{self.place(record)}/{run.log}"
        try:
            with open(path, "rb") as stream:
                return stream.read(_LOG_LIMIT).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def artifact(self, path: Path) -> bytes:
        """The bytes of an artifact of at most 1 MiB."""
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_ARTIFACT + 1)
        if len(data) > _LARGEST_ARTIFACT:
            raise StoreError(f"larger than {_LARGEST_ARTIFACT} bytes", where=printable(str(path)))
        return data


def _read(path: str, kind: str, parse: Any) -> Any:
    """A document, or None with a warning if it is damaged."""
    try:
        data = read_small(path)
        return parse(path, parse_document(path, data, kind), data)
    except DamageError as error:
        _warn(path, error.what)
    except OSError as error:
        _warn(path, error.strerror or str(error))
    return None


def _warn(where: str, what: str) -> None:
    warnings.warn(f"{printable(where)}: {printable(what)}; treated as not there", stacklevel=3)


def _parse_record(path: str, data: bytes, digits: str, home: KeyRef) -> Record:
    document = parse_document(path, data, _RECORD)
    try:
        if document["realization"][:DIGITS] != digits:
            raise DamageError("the record is of another realization", where=path)
        promises = {name: PromiseRecord(p["path"], p["kind"], p["tree"]) for name, p in document["promises"].items()}
        ref = RealizationRef(f"{digits}{home[DIGITS:]}")
        return Record(
            ref, home, document["key"], document["tree"], document["value"], promises, document["size"], document["files"],
            document["made_in"],
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise DamageError(f"not a record: {error!r}", where=path) from error


def _parse_run(path: str, document: dict[str, Any], _: bytes) -> Run:
    try:
        context = make_context(*_parse_choices(document["context"]))
        return Run(
            int(document["index"]), int(document["seed"]), str(document["started"]), float(document["duration"]),
            context, document["log"], document["facts"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamageError(f"not a run: {error!r}", where=path) from error


def _parse_context(path: str, document: dict[str, Any], data: bytes) -> Context:
    try:
        return Context(digest_bytes(data), *_parse_choices(document))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamageError(f"not a context: {error!r}", where=path) from error


def _parse_choices(document: Mapping[str, Any]) -> tuple[DerivationRef, dict[DerivationRef, InputChoice]]:
    inputs = {
        DerivationRef.parse(ref): InputChoice(
            KeyRef.parse(c["key"]), tuple(RealizationRef.parse(r) for r in c["chosen"]), bool(c["many"]), str(c["context"]),
            str(c["matcher"]),
        )
        for ref, c in document["inputs"].items()
    }  # fmt: skip
    return DerivationRef.parse(document["derivation"]), inputs
