"""Takes an archive into a store: all of it is checked before any of it becomes visible.

Nothing in it is believed: names of members are of a few forms, in one order, and files go where a manifest, which is
held against its hash, says. What cannot be checked is whether the code that is named has made what is there: whoever
made the archive is believed in that.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import Context, InputChoice, Record, Run
from pylightnix.model.selection import Selection
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable
from pylightnix.store import changes
from pylightnix.store.archives.compression import decompressing
from pylightnix.store.archives.format import HEAD, REALIZATION, Head, Header
from pylightnix.store.archives.reading import Members, no_archive
from pylightnix.store.closures import Place, check_belongings
from pylightnix.store.copying import Copied, Moved
from pylightnix.store.documents import LOG_NAME, parse_context, parse_derivation, parse_record, parse_run
from pylightnix.store.files import NewFile, open_plain
from pylightnix.store.layout import writing
from pylightnix.store.manifests import EMPTY, EMPTY_MANIFEST, Entry, check_manifest, read_manifest
from pylightnix.store.reading import is_context, is_home, is_run
from pylightnix.store.receiving import Arrival, Receiver
from pylightnix.store.writing import Writer

_DERIVATION = re.compile(r"derivations/(.+)\.json")
_ENVIRONMENT = re.compile(rf"environments/([0-9a-f]{{{DIGITS}}})\.json")


_WHICH = "give the path of a file that pylightnix export has written"
_AGAIN = "nothing of it was taken in: get the file once more, or have it exported again"


class Imported(NamedTuple):
    """What came of an archive: what it is of, and what became of each realization."""

    selection: Selection
    copied: Copied


def import_archive(target: Writer, path: str, *, most: int | None = None) -> Imported:
    """Take in an archive: all of it, or nothing becomes visible.

    Args:
        target: of the store, which is made if it is not there.
        path: of the archive.
        most: bytes that may come out of one that is compressed; None: 1 GiB, or 200 times its size.

    Raises:
        DamageError: it is none, is damaged or not whole, or has what no export writes.
        StoreError: it cannot be read, or the store cannot be written.
    """
    try:
        file = open_plain(path)
    except OSError as error:
        raise StoreError(
            f"cannot be read: {error.strerror}", where=printable(path), hint=_WHICH, errno=error.errno
        ) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DamageError("it is no regular file", where=printable(path), hint=_WHICH)
    with file, closing(Receiver(target, together=True)) as receiver:
        taking = _Taking(target, receiver)
        try:
            with decompressing(file, path, most) as stream:
                taking.all(Members(stream))
        except DamageError as error:
            inside = f"{path}: {error.where}" if error.where else path
            raise DamageError(error.what, where=printable(inside), hint=error.hint or _AGAIN, **error.fields) from error
        finally:
            taking.drop()
        receiver.settle()
    return Imported(taking.head.selection, Copied(tuple(taking.moved), tuple(sorted(taking.head.absent))))


class _Taking:
    def __init__(self, target: Writer, receiver: Receiver) -> None:
        self.head = Head(Selection(()), frozenset())
        self.moved: list[Moved] = []
        self._target = target
        self._receiver = receiver
        self._derivations: dict[str, dict[str, str]] = {}
        self._environments: set[str] = set()
        self._contexts: dict[Place, dict[str, Context]] = {}
        self._one: _One | None = None

    def drop(self) -> None:
        """Take nothing of what is half-way."""
        if self._one is not None:
            self._receiver.drop(self._one.arrival)
            self._one = None

    def all(self, members: Members) -> None:
        begun = False
        for header in members:
            if not begun:
                if header.name != HEAD:
                    raise no_archive()
                self.head = Head.parse(members.content())
                begun = True
                continue
            with writing(self._target.root):
                self._member(header, members)
        if not begun:
            raise no_archive()
        self._finish()
        self._check_complete()

    def _member(self, header: Header, members: Members) -> None:
        name = header.name
        inside = REALIZATION.fullmatch(name)
        if inside is not None:
            home, digits, what = inside.groups()
            if what == "record.json":
                self._finish()
                self._begin(KeyRef(home), digits, name, members.content())
            elif self._one is None or self._one.base != f"realizations/{home}/{digits}":
                raise _strange(name)
            else:
                self._one.take(what, header, members)
            return
        self._finish()
        if (form := _DERIVATION.fullmatch(name)) is not None and is_home(form[1]):
            self._take_derivation(DerivationRef(form[1]), name, members.content())
        elif (form := _ENVIRONMENT.fullmatch(name)) is not None:
            self._take_environment(form[1], name, members.content())
        else:
            raise _strange(name)

    def _take_environment(self, digits: str, name: str, data: bytes) -> None:
        digest = digest_bytes(data)
        if digest[:DIGITS] != digits or digest in self._environments:
            raise DamageError("its bytes are not those of its name, or it is there twice", where=name)
        self._environments.add(digest)
        self._receiver.stage_environment(digest, data)

    def _take_derivation(self, ref: DerivationRef, name: str, data: bytes) -> None:
        document = parse_derivation(name, data, ref)
        if ref in self._derivations:
            raise DamageError("it is there twice", where=name)
        self._derivations[ref] = {promise: about["path"] for promise, about in document["promises"].items()}
        self._receiver.stage_derivation(ref, data)

    def _begin(self, home: KeyRef, digits: str, name: str, data: bytes) -> None:
        record = parse_record(name, data, digits, home)
        place = Place(home, record.ref)
        if record.key[:DIGITS] != home.digits or place in self._contexts:
            raise DamageError("it is of another key, or there twice", where=name)
        self._contexts[place] = {}
        self._one = _One(record, self._receiver.begin(record, whole=True))

    def _finish(self) -> None:
        """All of one realization was read."""
        one = self._one
        if one is None:
            return
        one.check(self._derivations, self._environments)
        known = [*(run.context for run in one.runs.values()), *one.contexts.values()]
        self._contexts[Place(one.record.home, one.record.ref)].update((context.hash, context) for context in known)
        self._one = None
        self._receiver.finish(one.arrival, one.runs.values())
        self.moved.append(one.told())

    def _check_complete(self) -> None:
        """See that what it is of is in it, with all that this was made from."""
        seen: set[tuple[tuple[RealizationRef, ...], str]] = set()
        known = {context.hash: context for context in self.head.selection.contexts}
        waiting: list[InputChoice] = [kept.choice for kept in self.head.selection.kept]
        while waiting:
            choice = waiting.pop()
            if (choice.chosen, choice.context) in seen:
                continue
            seen.add((choice.chosen, choice.context))
            there = [Place(choice.key, ref) for ref in choice.chosen if ref not in self.head.absent]
            missing = next((place.ref for place in there if place not in self._contexts), None)
            if missing is not None:
                raise DamageError(f"{missing.name} {missing.short} belongs to it and is not in it")
            found = known.get(choice.context)
            found = next(filter(None, (self._contexts[place].get(choice.context) for place in there)), found)
            if found is None and there:
                raise DamageError(f"what {there[0].ref.name} {there[0].ref.short} was made from is not in it")
            waiting += found.inputs.values() if found is not None else ()


class _One:
    """A realization of which members are being read, in the order in which an export writes them."""

    def __init__(self, record: Record, arrival: Arrival) -> None:
        self.record = record
        self.arrival = arrival
        self.base = f"realizations/{record.home}/{record.ref.digits}"
        self.runs: dict[str, Run] = {}
        self.contexts: dict[str, Context] = {}
        self._logs: set[str] = set()
        self._listed = False
        self._entries: Iterator[Entry] = iter(())
        self._number = 0
        self._merged = False

    def take(self, what: str, header: Header, members: Members) -> None:
        """One more member."""
        name = header.name
        if self._listed:
            self._file(what, header, members)
        elif LOG_NAME.fullmatch(what) and what not in self._logs:
            self._logs.add(what)
            self._note(what, members)
        elif is_run(what) and what not in self.runs:
            data = members.content()
            self.runs[what] = parse_run(name, data)
            self._write(what, data)
        elif is_context(what) and what not in self.contexts:
            data = members.content()
            self.contexts[what] = parse_context(name, data)
            self._write(what, data)
        elif what in ("artifacts.jsonl", "manifest.jsonl"):
            self._list(what == "artifacts.jsonl", name, members)
        else:
            raise _strange(name)

    def _write(self, what: str, data: bytes) -> None:
        self._merged = self._merged or self.arrival.wants(what)
        self.arrival.write(what, data)

    def _note(self, what: str, members: Members) -> None:
        if self.arrival.wants(what):
            self._merged = True
            _pour(members, f"{self.arrival.notes}/{what}")

    def _list(self, whole: bool, name: str, members: Members) -> None:
        """The manifest; the directories and links that it has are made at once, where artifacts come."""
        self._listed = True
        self.arrival.alone(not whole)
        if self.record.tree == EMPTY:
            if members.content() != EMPTY_MANIFEST:
                raise DamageError("the manifest is of another tree", where=name)
            return
        path = f"{self.arrival.notes}/manifest.jsonl"
        _pour(members, path)
        check_manifest(path, self.record.tree)  # before a name in it is used
        if whole:
            self._entries = read_manifest(path)

    def _next(self) -> Entry | None:
        """The next file of the manifest; what stands before it is made."""
        for entry in self._entries:
            if entry.kind == "file":
                return entry
            path = f"{self.arrival.out}/{entry.path}"
            if not self.arrival.lacks:
                continue
            if entry.kind == "directory":
                changes.make_directory(path)
            else:
                changes.link_symbolically(os.fsdecode(entry.target), path)
        return None

    def _file(self, what: str, header: Header, members: Members) -> None:
        entry = self._next()
        if entry is None or what != f"files/{self._number}":
            raise _strange(header.name)
        if header.size != entry.size:
            raise DamageError(f"it has {header.size} bytes, and its manifest says {entry.size}", where=header.name)
        self._number += 1
        if self.arrival.lacks:
            _pour(members, f"{self.arrival.out}/{entry.path}", 0o755 if entry.executable else 0o644)

    def check(self, derivations: dict[str, dict[str, str]], environments: set[str]) -> None:
        """See that all of it was there, and is of one piece."""
        if not self._listed or self._next() is not None:
            raise DamageError("not all of it is in the archive", where=self.base)
        check_belongings(
            self.record, self.runs, self.contexts, self.base,
            promises=derivations, environments=environments, logs=self._logs,
        )  # fmt: skip

    def told(self) -> Moved:
        """What became of it."""
        arrival, ref = self.arrival, self.record.ref
        if arrival.lacks:
            return Moved(ref, "copied", self.record.size) if arrival.whole else Moved(ref, "record")
        return Moved(ref, "merged" if self._merged else "there")


def _pour(members: Members, path: str, mode: int = 0o444) -> None:
    """Write the content of a member into a file that is not there."""
    with NewFile(path, mode) as file:
        for data in members.chunks():
            file.write(data)


def _strange(name: str) -> DamageError:
    return DamageError("this is not what an export writes, or not at its place", where=printable(name))
