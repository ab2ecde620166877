"""Reads a store: records, runs, contexts, derivations. Writes nothing; damage is a miss with a warning."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.model.keeping import Lost, Workspace
from pylightnix.model.records import Context, InputChoice, Record, Run
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable
from pylightnix.store.documents import parse_context, parse_derivation, parse_record, parse_run
from pylightnix.store.files import DIRECTORY, ID, is_directory, is_there, read_small, read_start, reason, warn_of_damage
from pylightnix.store.layout import Layout
from pylightnix.store.manifests import Entry, read_manifest
from pylightnix.store.payloads import Payloads
from pylightnix.store.trees import list_files

_AT_FAULT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Error numbers of a system that has nothing left to read with: they say nothing about what is in the store."""

_NO_DIRECTORY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

LOST = ".lost"
"""Ends the name of the mark of a realization that has no artifacts and cannot be made again."""

DAMAGED = ".damaged"
"""Ends the name of the mark of a realization whose record was moved to quarantine; in it the indices of its runs."""

_LOG_TAIL = 16 << 10
_LOG_LIMIT = 16 << 20

_is_digits = re.compile(rf"[0-9a-f]{{{DIGITS}}}").fullmatch
is_home = re.compile(rf"[0-9a-f]{{{DIGITS}}}-[A-Za-z0-9_][A-Za-z0-9_.+-]{{0,119}}").fullmatch
is_run = re.compile(rf"run-[0-9]{{1,9}}-{ID.pattern}\.json").fullmatch
is_context = re.compile(rf"context-[0-9a-f]{{{DIGITS}}}\.json").fullmatch

T = TypeVar("T")


class Reader(Payloads):
    """What can be read of a store. It implements `Shelf` and the reading half of `Keeper`."""

    list_files = staticmethod(list_files)

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.root = str(layout.root)
        self._looked: dict[KeyRef, int] = {}
        self._damaged: dict[KeyRef, list[Lost]] = {}
        self._steady: AbstractContextManager[object] = nullcontext()
        self.adrift: set[str] = set()
        """Artifacts that we could move neither to their place nor back; others take us to be at work on them."""

    @property
    def lasting(self) -> bool:
        """Whether what is written shall outlast a loss of power."""
        return True

    def candidates(self, home: KeyRef, key: str) -> list[Record]:
        """The records under a key, ordered by reference."""
        base = f"{self.layout.records}/{home}"
        if self._is_absent(base):
            self._looked[home] = 0
            return []
        try:
            names = os.listdir(base)
        except (FileNotFoundError, NotADirectoryError):
            self._looked[home] = 0
            return []
        except OSError as error:
            see_fault(base, error)
            warn_of_damage(base, error.strerror or str(error))
            return []
        if os.path.islink(base):
            warn_of_damage(base, "it is a link")
            return []
        self._looked[home] = len(names)
        marks = [name for name in names if name.endswith(DAMAGED)]
        if marks or home in self._damaged:
            self._damaged[home] = list(self._lost(base, home, marks))
        found = []
        for name in sorted([name for name in names if len(name) == DIGITS]):
            record = self._candidate(base, name, home)
            if record is not None and record.key == key:
                if f"{name}{LOST}" not in names or self.present(record):
                    found.append(record)
            elif record is not None:
                warn_of_damage(f"{base}/{name}", "the record belongs to another key")
        return found

    def _is_absent(self, base: str) -> bool:
        """Whether nothing is seen of a key where we may look: an exception would tell so in three times the time.

        A disk that fails looks the same; whoever makes the key hears of that.
        """
        return not is_there(base) and os.access(self.layout.records, os.X_OK)

    def _lost(self, base: str, home: KeyRef, marks: list[str]) -> Iterator[Lost]:
        for mark in sorted(marks):
            digits = mark.removesuffix(DAMAGED)
            if not _is_digits(digits):
                continue
            try:
                there = {int(name.split("-")[1]) for name in filter(is_run, listed(f"{base}/{digits}"))}
            except StoreError as error:
                warn_of_damage(f"{base}/{digits}", error.what)
                continue
            try:
                indices = [int(text) for text in read_small(f"{base}/{mark}").split()]
            except (DamageError, OSError, ValueError):
                indices = []
            if not indices and not there:
                what = "a realization was here and was damaged; by which run it was made is not known"
                warn_of_damage(f"{base}/{digits}", what)
            for index in indices:
                if index not in there:  # nobody put it back, or has made it again
                    yield Lost(RealizationRef(f"{digits}{home[DIGITS:]}"), home, index)

    def damaged(self, home: KeyRef) -> list[Lost]:
        return self._damaged.get(home, [])

    def _candidate(self, base: str, digits: str, home: KeyRef) -> Record | None:
        path = f"{base}/{digits}/record.json"
        try:
            record = parse_record(path, read_small(path), digits, home)
            if os.path.islink(f"{base}/{digits}"):
                raise DamageError("it is reached through a link")
            return record
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (DamageError, OSError) as error:
            see_fault(path, error)
            warn_of_damage(path, reason(error))
            return None

    def homes(self, name: str | None = None) -> Iterator[KeyRef]:
        """All keys, of one stage's name or of all, in byte order."""
        for entry in sorted(listed(self.layout.records)):
            if (name is None or entry[DIGITS + 1 :] == name) and is_home(entry):
                yield KeyRef(entry)

    def entries(self, home: KeyRef) -> list[str]:
        """The digits of all realizations under a key, readable or not."""
        if not is_directory(f"{self.layout.records}/{home}"):
            return []
        return sorted(filter(_is_digits, listed(f"{self.layout.records}/{home}")))

    def record_at(self, home: KeyRef, digits: str) -> Record | None:
        """The record under a key of a realization with these digits, None if it is not there or not readable."""
        return self._candidate(f"{self.layout.records}/{home}", digits, home)

    def records(self, name: str | None = None) -> Iterator[Record]:
        """All records, of one stage's name or of all."""
        for home in self.homes(name):
            yield from self.records_of(home)

    def records_of(self, home: KeyRef) -> list[Record]:
        """All records under a key, ordered by reference; none if a link leads there."""
        return [record for record, _ in self.look_at(home, lambda _: None)]

    def look_at(self, home: KeyRef, look: Callable[[int], T]) -> list[tuple[Record, T]]:
        """All records under a key, as `records_of`, each with what `look` sees, given its directory as descriptor."""
        base = f"{self.layout.records}/{home}"
        try:
            top = os.open(base, DIRECTORY)
            try:
                there = sorted(filter(_is_digits, os.listdir(top)))
                found = [self._look_at(f"{base}/{digits}", digits, home, top, look) for digits in there]
            finally:
                os.close(top)
        except OSError as error:
            if error.errno in _NO_DIRECTORY:
                return []
            raise unreadable(base, error) from error
        return [one for one in found if one is not None]

    def _look_at(
        self, path: str, digits: str, home: KeyRef, top: int, look: Callable[[int], T]
    ) -> tuple[Record, T] | None:
        try:
            place = os.open(digits, DIRECTORY, dir_fd=top)
            try:
                return parse_record(path, read_small("record.json", place), digits, home), look(place)
            finally:
                os.close(place)
        except (DamageError, OSError) as error:
            see_fault(path, error)
            self.record_at(home, digits)  # which tells what is wrong
            return None

    def place(self, record: Record) -> str:
        """The directory of a record."""
        return f"{self.layout.records}/{record.home}/{record.ref.digits}"

    def runs(self, record: Record) -> tuple[Run, ...]:
        """The runs of a realization, oldest first, one for each index."""
        found: dict[int, Run] = {}
        place = self.place(record)
        for name in sorted(filter(is_run, _noted(place, record))):
            run = _read(f"{place}/{name}", parse_run)
            if run is not None and (run.index not in found or run.order() < found[run.index].order()):
                found[run.index] = run
        if not found:
            _noted(place, record)  # an error if it was removed meanwhile
        return tuple(sorted(found.values(), key=Run.order))

    def _places(self, record: Record) -> list[str]:
        """The directories in which something is noted of a realization."""
        return [self.place(record)]

    def contexts(self, record: Record) -> Iterator[Context]:
        """All contexts in which a realization was made or used, each once."""
        seen = set()
        for run in self.runs(record):
            if run.context.hash not in seen:
                seen.add(run.context.hash)
                yield run.context
        for path in [f"{place}/{name}" for place in self._places(record) for name in _noted(place, record)]:
            context = _read(path, parse_context) if is_context(os.path.basename(path)) else None
            if context is not None and context.hash not in seen:
                seen.add(context.hash)
                yield context

    def origin(self, record: Record) -> Context:
        """The context of the run that first made a realization; the best that is left, if that cannot be read."""
        contexts = list(self.contexts(record))
        if not contexts:
            raise DamageError(f"no run of {record.ref} can be read", where=printable(self.place(record)))
        return next((context for context in contexts if context.hash == record.made_in), contexts[0])

    def context(self, record: Record, digest: str) -> Context:
        for context in self.contexts(record):
            if context.hash == digest:
                return context
        raise DamageError(
            f"the context {digest[:8]} of {record.ref} is not in the store",
            where=printable(self.place(record)),
            hint="it was removed, or this store could not be written when it was used",
        )

    def chosen(self, choice: InputChoice) -> tuple[Record, ...]:
        found = []
        for ref in choice.chosen:
            record = self.record_at(choice.key, ref.digits)
            if record is None:
                raise _removed(ref, f"{self.layout.records}/{choice.key}")
            found.append(record)
        return tuple(found)

    def derivation(self, ref: DerivationRef) -> Mapping[str, Any]:
        path = self._derivation_path(ref)
        try:
            return parse_derivation(path, read_small(path), ref)
        except FileNotFoundError:
            raise DamageError(
                f"the derivation {ref} is not in the store", where=printable(path), hint=written_again(ref.name)
            ) from None
        except DamageError as error:
            raise DamageError(error.what, where=printable(path), hint=written_again(ref.name)) from error
        except OSError as error:
            raise unreadable(path, error) from error

    def derivations(self) -> list[DerivationRef]:
        """All derivations in the store, in byte order."""
        found = []
        for name in sorted(listed(self.layout.derivations)):
            stem, dot, _ = name.rpartition(".json")
            if dot and name.endswith(".json") and is_home(stem):
                found.append(DerivationRef(stem))
        return found

    def history(self, name: str) -> list[Mapping[str, Any]]:
        """The documents of the derivations of this name that have realizations, the newest last."""
        made: set[DerivationRef] = set()
        for record in self.records(name):
            made.update(context.derivation for context in self.contexts(record))
        dated = [(moment, ref) for ref in made if (moment := self._dated(ref)) is not None]
        known = (_read(self._derivation_path(ref), _derivation_parser(ref)) for _, ref in sorted(dated))
        return [document for document in known if document is not None]

    def _derivation_path(self, ref: DerivationRef) -> str:
        return f"{self.layout.derivations}/{ref}.json"

    def _dated(self, ref: DerivationRef) -> float | None:
        """When a derivation was written, None if it is not there."""
        try:
            return os.lstat(self._derivation_path(ref)).st_mtime
        except OSError:
            return None

    def files(self, record: Record) -> tuple[str, ...]:
        return tuple(entry.path for entry in self.manifest(record) if entry.kind != "directory")

    def manifest(self, record: Record, notes: str | None = None) -> Iterator[Entry]:
        """The entries of a realization's manifest; `notes`: where it stands, if the realization is not registered."""
        path = f"{notes or self._places(record)[0]}/manifest.jsonl"
        try:
            yield from read_manifest(path, record.tree)
        except FileNotFoundError as error:
            raise _removed(record.ref, path) from error
        except OSError as error:
            raise unreadable(path, error) from error

    def log(self, record: Record, run: Run) -> str:
        """What a run wrote, at most 16 MiB of it."""
        if run.log is None:
            return ""
        for path in [f"{place}/{run.log}" for place in self._places(record)]:
            try:
                return read_start(path, _LOG_LIMIT).decode(errors="replace")
            except FileNotFoundError:
                continue
            except OSError as error:
                raise unreadable(path, error) from error
        return ""

    def tail(self, workspace: Workspace) -> str:
        """The end of what a run that is not registered wrote, at most 16 KiB of it."""
        try:
            with open(workspace.log, "rb") as stream:
                stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LOG_TAIL))
                return stream.read(_LOG_TAIL).decode(errors="replace")
        except FileNotFoundError:
            return ""


def _noted(place: str, record: Record) -> list[str]:
    """The names in the directory of a record."""
    try:
        return os.listdir(place)
    except FileNotFoundError as error:
        raise _removed(record.ref, place) from error
    except OSError as error:
        raise unreadable(place, error) from error


def listed(directory: str) -> list[str]:
    """The names in a directory of the store; none if it is not there."""
    try:
        return os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise unreadable(directory, error) from error


def _read(path: str, parse: Callable[[str, bytes], T]) -> T | None:
    """A document of which the name was listed; None with a warning if it is damaged, and without if it was removed."""
    try:
        return parse(path, read_small(path))
    except FileNotFoundError:
        return None
    except (DamageError, OSError) as error:
        see_fault(path, error)
        warn_of_damage(path, reason(error))
    return None


def _derivation_parser(ref: DerivationRef) -> Callable[[str, bytes], Mapping[str, Any]]:
    return lambda path, data: parse_derivation(path, data, ref)


def see_fault(where: str, error: Exception) -> None:
    """See that it is not the system that is at fault where something could not be read.

    Raises:
        StoreError: it is, so nothing is known of what is there.
    """
    if isinstance(error, OSError) and error.errno in _AT_FAULT:
        raise unreadable(where, error) from error


def written_again(stage: str) -> str:
    """What brings back a derivation that is lost."""
    return f"its stage writes it again, with the code of then: pylightnix instantiate FILE.py:{stage}"


def unreadable(where: str, error: OSError) -> StoreError:
    """The error for something in a store that cannot be read."""
    return StoreError(f"cannot be read: {error.strerror or error}", where=printable(where), errno=error.errno)


def _removed(ref: str, where: str) -> StoreError:
    return StoreError(
        f"the realization {ref} was removed from this store", where=printable(where),
        hint="what was made from it stays; realize its stage again to have it back", ref=ref,
    )  # fmt: skip
