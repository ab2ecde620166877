"""Looks at one realization, or at one document, and says what is wrong with it. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import Context, Record
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable
from pylightnix.store.documents import parse_context, parse_derivation, parse_record, parse_run
from pylightnix.store.files import read_small
from pylightnix.store.layout import Layout
from pylightnix.store.sealing import Walk
from pylightnix.store.trees import Entry, describe, hash_tree, read_manifest
from pylightnix.store.verification.findings import Finding, Kind

MOST_NAMED = 20
"""Artifacts of one realization that are named each; of more the number is told."""


def check_realization(layout: Layout, home: KeyRef, digits: str) -> list[Finding]:
    """All damage of one realization: record, manifest, artifacts, runs, contexts, and the documents that these need."""
    return list(_Check(layout, home, digits).findings())


def check_derivation(layout: Layout, ref: DerivationRef) -> Finding | None:
    """The damage of a derivation's document."""
    path = f"{layout.derivations}/{ref}.json"
    what = _wrong(path, lambda data: parse_derivation(path, data, ref))
    return Finding(Kind.DERIVATION, f"derivations/{ref}.json", what) if what else None


def check_environment(layout: Layout, name: str) -> Finding | None:
    """The damage of an environment's description: its name is the hash of its bytes."""

    def parse(data: bytes) -> None:
        if name != f"{digest_bytes(data)[:DIGITS]}.json":
            raise DamageError("its bytes are not those of its name")

    what = _wrong(f"{layout.environments}/{name}", parse)
    return Finding(Kind.ENVIRONMENT, f"environments/{name}", what) if what else None


def _wrong(path: str, parse: Callable[[bytes], object]) -> str:
    """What is wrong with a document; empty if nothing is."""
    try:
        parse(read_small(path))
    except FileNotFoundError:
        return "it is not there"
    except DamageError as error:
        return error.what
    except OSError as error:
        return error.strerror or str(error)
    return ""


class _Check:
    def __init__(self, layout: Layout, home: KeyRef, digits: str) -> None:
        self._layout = layout
        self._home = home
        self._ref = RealizationRef(f"{digits}{home[DIGITS:]}")
        self._inside = f"records/{home}/{digits}"
        self._place = f"{layout.root}/{self._inside}"

    def findings(self) -> Iterator[Finding]:
        path = f"{self._place}/record.json"
        try:
            record = parse_record(path, read_small(path), self._ref.digits, self._home)
        except FileNotFoundError:
            yield self._found(Kind.RECORD, "record.json", "it is not there")
            return
        except (DamageError, OSError) as error:
            what = error.what if isinstance(error, DamageError) else error.strerror or str(error)
            yield self._found(Kind.RECORD, "record.json", what)
            return
        yield from self._notes()
        manifest = self._manifest(record)
        if manifest is None:
            yield self._found(Kind.MANIFEST, "manifest.jsonl", _wrong_manifest(f"{self._place}/manifest.jsonl", record))
        yield from self._artifacts(record, manifest)

    def _found(self, kind: Kind, name: str, what: str, *, artifact: bool = False) -> Finding:
        inside = f"store/{self._ref}/{name}" if artifact else f"{self._inside}/{name}"
        return Finding(kind, printable(inside.rstrip("/")), printable(what), self._ref, self._home)

    def _notes(self) -> Iterator[Finding]:
        """Runs with their logs, contexts, and what these lead to."""
        for name in sorted(os.listdir(self._place)):
            path = f"{self._place}/{name}"
            if name.startswith("run-") and name.endswith(".json"):
                yield from self._run(name, path)
            elif name.startswith("context-"):
                yield from self._context(name, path)

    def _run(self, name: str, path: str) -> Iterator[Finding]:
        what = _wrong(path, lambda data: parse_run(path, data))
        if what:
            yield self._found(Kind.RUN, name, what)
            return
        run = parse_run(path, read_small(path))
        if run.log is not None and not os.path.isfile(f"{self._place}/{run.log}"):
            yield self._found(Kind.RUN, name, f"its log {run.log} is not there")
        environment = run.facts.get("environment")
        if isinstance(environment, str):
            needed = f"{environment[:DIGITS]}.json"
            if not os.path.lexists(f"{self._layout.environments}/{needed}"):
                yield Finding(
                    Kind.ENVIRONMENT, f"environments/{printable(needed)}", "it is not there", self._ref, self._home
                )
        yield from self._needed(run.context)

    def _context(self, name: str, path: str) -> Iterator[Finding]:
        what = _wrong(path, lambda data: parse_context(path, data))
        if what:
            yield self._found(Kind.CONTEXT, name, what)
        else:
            yield from self._needed(parse_context(path, read_small(path)))

    def _needed(self, context: Context) -> Iterator[Finding]:
        name = f"{context.derivation}.json"
        if not os.path.lexists(f"{self._layout.derivations}/{name}"):
            yield Finding(Kind.DERIVATION, f"derivations/{name}", "it is not there", self._ref, self._home)

    def _manifest(self, record: Record) -> list[Entry] | None:
        try:
            return list(read_manifest(f"{self._place}/manifest.jsonl", record.tree))
        except (DamageError, OSError):
            return None

    def _artifacts(self, record: Record, manifest: list[Entry] | None) -> Iterator[Finding]:
        """Nothing is wrong where there are none: they were collected."""
        top = f"{self._layout.store}/{self._ref}"
        writable: list[str] = []
        try:
            mode = os.lstat(top).st_mode
            tree = hash_tree(top, (), writable=writable)
        except FileNotFoundError:
            return
        except StoreError as error:
            yield self._found(
                Kind.ARTIFACTS, "", f"{error.where}: {error.what}" if error.where else error.what, artifact=True
            )
            return
        if mode & 0o222:
            writable.insert(0, "")
        for path in writable[:MOST_NAMED]:
            yield self._found(Kind.MODE, path, "somebody may write to it", artifact=True)
        if len(writable) > MOST_NAMED:
            yield self._found(Kind.MODE, "", f"and {len(writable) - MOST_NAMED} more may be written to", artifact=True)
        if tree.digest != record.tree:
            yield from self._different(top, manifest)
        else:
            yield from self._promises(top, record)

    def _promises(self, top: str, record: Record) -> Iterator[Finding]:
        """The record's own hash does not cover what it says of promises."""
        try:
            found = hash_tree(top, [kept.path for kept in record.promises.values()]) if record.promises else None
        except StoreError as error:
            yield self._found(Kind.RECORD, "record.json", f"of its promises: {error.what}")
            return
        for name, kept in record.promises.items() if found else ():
            if found is not None and found.artifacts[kept.path] != (kept.kind, kept.tree):
                yield self._found(Kind.RECORD, "record.json", f"what it says of the promise {name!r} is not so")

    def _different(self, top: str, manifest: list[Entry] | None) -> Iterator[Finding]:
        """Names what differs, entry by entry."""
        if manifest is None:
            yield self._found(
                Kind.ARTIFACTS, "", "something was changed; what it was, only the manifest knew", artifact=True
            )
            return
        wanted = {entry.name: entry for entry in manifest}
        with closing((walk := Walk(top)).steps()) as steps:
            there = {path: describe(walk, kind, path, name) for kind, path, name in steps if kind != "left"}
        names = [name for name in sorted(wanted.keys() | there.keys()) if wanted.get(name) != there.get(name)]
        for name in names[:MOST_NAMED]:
            what = _difference(wanted.get(name), there.get(name))
            yield self._found(Kind.ARTIFACTS, os.fsdecode(name), what, artifact=True)
        if len(names) > MOST_NAMED:
            yield self._found(Kind.ARTIFACTS, "", f"and {len(names) - MOST_NAMED} more differ", artifact=True)


def _wrong_manifest(path: str, record: Record) -> str:
    try:
        for _ in read_manifest(path, record.tree):
            pass
    except DamageError as error:
        return error.what
    except OSError as error:
        return "it is not there" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
    return "it was changed meanwhile"


def _difference(wanted: Entry | None, there: Entry | None) -> str:
    if there is None:
        return "it is not there"
    if wanted is None:
        return f"this {there.kind} does not belong here"
    if wanted.kind != there.kind:
        return f"it was a {wanted.kind} and is a {there.kind}"
    if wanted.target != there.target:
        return f"the link led to {os.fsdecode(wanted.target)!r} and leads to {os.fsdecode(there.target)!r}"
    if wanted.size != there.size:
        return f"it had {wanted.size} bytes and has {there.size}"
    if wanted.hash != there.hash:
        return "its bytes were changed"
    return f"it was {'' if wanted.executable else 'not '}executable and is{' not' if wanted.executable else ''}"
