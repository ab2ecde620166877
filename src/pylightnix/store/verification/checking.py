"""Looks at one realization, or at one document, and says what is wrong with it. Changes nothing."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import NOT_KNOWN, Context, Record, Run, seed_of
from pylightnix.names import DerivationRef, KeyRef, RealizationRef
from pylightnix.store.documents import parse_context, parse_derivation, parse_record, parse_run
from pylightnix.store.filehash import go_on
from pylightnix.store.files import read_small
from pylightnix.store.layout import Layout
from pylightnix.store.reading import is_run
from pylightnix.store.remotes import NAME as REMOTES
from pylightnix.store.remotes import parse_remotes
from pylightnix.store.verification.artifacts import check_artifacts, check_kept
from pylightnix.store.verification.findings import Finding, Kind
from pylightnix.store.verification.newer import newer_file
from pylightnix.store.verification.refusals import BarredError, barred, damage, status

_is_hash = re.compile(r"[0-9a-f]{64}").fullmatch
NO_DIRECTORY = "it is no directory, or a link to one"


def check_realization(layout: Layout, home: KeyRef, digits: str, between: Callable[[], None] = go_on) -> list[Finding]:
    """All damage of one realization: record, manifest, artifacts, runs, contexts, and the documents that these need.

    `between` is called between reads of artifacts; what it raises ends it.
    """
    return list(_Check(layout, home, digits, between).findings())


def check_documents(layout: Layout, home: KeyRef, digits: str) -> list[Finding]:
    """The damage of the documents that a realization needs; its artifacts are not looked at."""
    return [one for one in _Check(layout, home, digits).of_notes() if one.kind in (Kind.DERIVATION, Kind.ENVIRONMENT)]


def check_home(layout: Layout, home: KeyRef) -> Finding | None:
    """The damage of what should be the directory of a key."""
    inside = f"records/{home}"
    try:
        if _is_directory(f"{layout.root}/{inside}"):
            return None
    except BarredError as error:
        return barred(layout, inside, error.what)
    return Finding(Kind.RECORD, inside, NO_DIRECTORY, None, home)


def _is_directory(path: str) -> bool:
    there = status(path)
    return there is not None and stat.S_ISDIR(there.st_mode)


def check_derivation(layout: Layout, ref: DerivationRef) -> Finding | None:
    """The damage of a derivation's document."""
    inside = f"derivations/{ref}.json"
    return _check(layout, Kind.DERIVATION, inside, lambda data: parse_derivation(inside, data, ref))


def check_environment(layout: Layout, name: str) -> Finding | None:
    """The damage of an environment's description: its name is the hash of its bytes."""

    def parse(data: bytes) -> None:
        if name != f"{digest_bytes(data)[:DIGITS]}.json":
            raise DamageError("its bytes are not those of its name")

    return _check(layout, Kind.ENVIRONMENT, f"environments/{name}", parse)


def check_remotes(layout: Layout) -> Finding | None:
    """The damage of the list of remotes, which need not be there."""
    if not os.path.lexists(f"{layout.root}/{REMOTES}"):
        return None
    return _check(layout, Kind.REMOTES, REMOTES, lambda data: parse_remotes(REMOTES, data), by_hash=False)


def _check(
    layout: Layout, kind: Kind, inside: str, parse: Callable[[bytes], object], *, by_hash: bool = True
) -> Finding | None:
    """The damage of a document that several realizations may need; `by_hash` if its name is the hash of its bytes."""
    path = f"{layout.root}/{inside}"
    try:
        parse(read_small(path))
    except FileNotFoundError:
        return Finding(kind, inside, "it is not there")
    except (DamageError, OSError) as error:
        if what := newer_file(path, kind.value, parse if by_hash else None):
            return Finding(Kind.NEWER, inside, what)
        try:
            return Finding(kind, inside, damage(path, error))
        except BarredError as refused:
            return barred(layout, inside, refused.what)
    return None


class _Check:
    def __init__(self, layout: Layout, home: KeyRef, digits: str, between: Callable[[], None] = go_on) -> None:
        self._layout = layout
        self._home = home
        self._ref = RealizationRef(f"{digits}{home[DIGITS:]}")
        self._inside = f"records/{home}/{digits}"
        self._place = f"{layout.root}/{self._inside}"
        self._contexts: list[Context] = []
        self._unread = False
        self._between = between
        self._record: Record | None = None

    def findings(self) -> Iterator[Finding]:
        yield from self.of_notes()
        if self._record is not None:
            yield from self._as_far_as_read(self._artifacts(self._record))

    def of_notes(self) -> Iterator[Finding]:
        yield from self._as_far_as_read(self._start())
        if self._record is not None:
            yield from self._as_far_as_read(self._notes(self._record))

    def _as_far_as_read(self, found: Iterator[Finding]) -> Iterator[Finding]:
        """What was found until something could not be read, and that."""
        try:
            yield from found
        except BarredError as error:
            self._unread = True
            one = barred(self._layout, error.path[len(self._layout.root) + 1 :], error.what)
            ours = f"{one.file}/".startswith((f"{self._inside}/", f"store/{self._ref}/"))
            yield one._replace(ref=self._ref, home=self._home) if ours else one

    def _start(self) -> Iterator[Finding]:
        path = f"{self._place}/record.json"
        if not _is_directory(self._place):
            yield self._found(Kind.RECORD, "", NO_DIRECTORY)
            return
        try:
            record = parse_record(path, read_small(path), self._ref.digits, self._home)
        except FileNotFoundError:
            yield self._found(Kind.RECORD, "record.json", "it is not there")
            return
        except (DamageError, OSError) as error:
            kind, what = _damaged(path, Kind.RECORD, error)
            yield self._found(kind, "record.json", what)
            return
        if record.key[:DIGITS] != self._home.digits:
            yield self._found(Kind.RECORD, "record.json", "it belongs to another key")
            return
        self._record = record

    def _found(self, kind: Kind, name: str, what: str, above: str = "") -> Finding:
        inside = f"{above or self._inside}/{name}"
        return Finding(kind, inside.rstrip("/"), what, self._ref, self._home)

    def _artifacts(self, record: Record) -> Iterator[Finding]:
        inside = f"store/{self._ref}"
        notes = {Kind.MANIFEST: "manifest.jsonl", Kind.RECORD: "record.json", Kind.NEWER: "manifest.jsonl"}
        for kind, path, what in check_artifacts(
            f"{self._layout.root}/{inside}", f"{self._place}/manifest.jsonl", record, self._between
        ):
            yield self._found(kind, notes[kind], what) if kind in notes else self._found(kind, path, what, inside)
        if status(f"{self._layout.root}/{inside}") is None:
            kept = f"kept/{self._ref}"
            for kind, path, what in check_kept(f"{self._layout.root}/{kept}", record):
                yield self._found(kind, path, what, kept)

    def _notes(self, record: Record) -> Iterator[Finding]:
        """Runs with their logs, contexts, and what these lead to."""
        for name in self._names():
            path = f"{self._place}/{name}"
            if name.startswith("run-") and name.endswith(".json"):
                yield from self._as_far_as_read(self._run(name, path, record))
            elif name.startswith("context-"):
                yield from self._as_far_as_read(self._context(name, path))
        yield from self._origin(record)

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._place))
        except FileNotFoundError:
            raise
        except OSError as error:
            damage(self._place, error)
            return []

    def _run(self, name: str, path: str, record: Record) -> Iterator[Finding]:
        kind = Kind.RUN
        try:
            run = parse_run(path, read_small(path))
            what = _contradiction(run, name, record)
        except (DamageError, OSError) as error:
            kind, what = _damaged(path, kind, error)
        if what:
            self._unread = True
            yield self._found(kind, name, what)
            return
        self._contexts.append(run.context)
        if run.log is not None and not is_file(f"{self._place}/{run.log}"):
            yield self._found(Kind.RUN, name, f"its log {run.log} is not there")
        if run.index and status(f"{self._layout.records}/{self._home}/{run.index}.run") is None:
            index = f"{run.index}.run"
            yield self._found(
                Kind.INDEX, index, "it is not there, and its seed could be used again", f"records/{self._home}"
            )
        environment = run.facts.get("environment")
        if isinstance(environment, str) and _is_hash(environment):
            yield from self._needed(check_environment(self._layout, f"{environment[:DIGITS]}.json"))
        yield from self._needed(check_derivation(self._layout, run.derivation))

    def _context(self, name: str, path: str) -> Iterator[Finding]:
        try:
            context = parse_context(path, read_small(path))
        except (DamageError, OSError) as error:
            self._unread = True
            kind, what = _damaged(path, Kind.CONTEXT, error, lambda data: parse_context(path, data))
            yield self._found(kind, name, what)
        else:
            self._contexts.append(context)
            yield from self._needed(check_derivation(self._layout, context.derivation))

    def _needed(self, found: Finding | None) -> Iterator[Finding]:
        """The damage of a document that this realization needs."""
        if found is not None:
            yield found if found.kind is Kind.RIGHTS else found._replace(ref=self._ref, home=self._home)

    def _origin(self, record: Record) -> Iterator[Finding]:
        """What the record says of its origin and its promises, where enough can be read to know better."""
        if not self._contexts:
            if not self._unread:
                yield self._found(Kind.ORIGIN, "", "no run is left: what it was made from is not known")
            return
        known = {NOT_KNOWN, *(context.hash for context in self._contexts)}
        if not self._unread and record.made_in not in known:
            yield self._found(Kind.RECORD, "record.json", "no context is there that it says it was made in")
        promised = promised_paths(self._layout, self._contexts[0].derivation)
        if promised is not None and promised != {name: kept.path for name, kept in record.promises.items()}:
            yield self._found(Kind.RECORD, "record.json", "its promises are not those of its derivation")


def _damaged(
    path: str, kind: Kind, error: DamageError | OSError, parse: Callable[[bytes], object] | None = None
) -> tuple[Kind, str]:
    """The kind of what is wrong with a document, and what it is; raises as `damage` does."""
    what = damage(path, error)
    said = newer_file(path, kind.value, parse)
    return (Kind.NEWER, said) if said else (kind, what)


def is_file(path: str) -> bool:
    """Whether a file is there, and no link to one; raises as `damage` does."""
    there = status(path)
    return there is not None and stat.S_ISREG(there.st_mode)


def promised_paths(layout: Layout, ref: DerivationRef) -> dict[str, str] | None:
    """The paths that a derivation promises, by name; None if its document is damaged. Raises as `damage` does."""
    path = f"{layout.derivations}/{ref}.json"
    try:
        document = parse_derivation(path, read_small(path), ref)
    except (DamageError, OSError) as error:
        damage(path, error)
        return None
    return {name: promise["path"] for name, promise in document["promises"].items()}


def _contradiction(run: Run, name: str, record: Record) -> str:
    """What a run says that cannot be so; empty if there is nothing."""
    if not is_run(name):
        return "its name is not one of a run"
    if name.split("-")[1] != str(run.index):
        return f"it is run {run.index}, which is not what its name says"
    return "" if run.seed == seed_of(record.key, run.index) else "its seed is not that of its key and index"
