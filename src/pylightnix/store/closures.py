"""All that belongs to a selection: realizations, inputs before what uses them, and the documents that these need.

Reads alone, and is unaware of where it goes. What is not there is told; what is damaged is an error that names the
file, since who sends something on must not send that.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.records import NOT_KNOWN, Context, InputChoice, Record, Run, seed_of
from pylightnix.model.selection import Selection
from pylightnix.names import DerivationRef, KeyRef, RealizationRef, printable
from pylightnix.store.collection.reach import find_context
from pylightnix.store.documents import parse_context, parse_derivation, parse_record, parse_run
from pylightnix.store.files import is_directory, kind_of, open_plain, read_small
from pylightnix.store.reading import Reader, is_context, is_run, unreadable

FOREIGN = range(10**8)
"""Indices of runs that are taken from elsewhere. Nobody signs runs, and those made here count on from the highest."""


class Place(NamedTuple):
    """Where a realization stands: under this key, with this reference."""

    home: KeyRef
    ref: RealizationRef


class Absent(NamedTuple):
    """A realization that was chosen and of which this store has no record; `through`: for which one, None for a target.

    What it was made from is not known, unless others were chosen with it.
    """

    place: Place
    through: RealizationRef | None


class Member(NamedTuple):
    """A realization of a closure, with all that is noted of it, every document read and found to be sound.

    Attributes:
        record: what it is.
        directory: where that stands, with the documents below.
        present: whether its artifacts are there; else it was collected, and is a thin record.
        runs: by the name of the file, in byte order; the log that a run names is there.
        contexts: those that have a file of their own, by its name.
        documents: the bytes of both, by the name of the file.
    """

    record: Record
    directory: str
    present: bool
    runs: dict[str, Run]
    contexts: dict[str, Context]
    documents: dict[str, bytes]

    @property
    def derivations(self) -> list[DerivationRef]:
        """The derivations that it was made or used for, each once."""
        return derivations_of(self.runs.values(), self.contexts.values())

    @property
    def environments(self) -> list[str]:
        """The hashes of the environments that its runs name, each once."""
        return environments_of(self.runs.values())

    @property
    def files(self) -> list[str]:
        """The names of all files beside `record.json` and the manifest: logs before the runs that name them."""
        logs = [run.log for run in self.runs.values() if run.log is not None]
        return [*sorted(logs), *self.runs, *self.contexts]


class Closure(NamedTuple):
    """What a selection reaches in one store.

    Attributes:
        order: each realization once, after all that it was made from (but where one is its own input).
        absent: what is missing.
        contexts: those in which each one stands in the selection.
        inputs: what each one was made from in these.
    """

    order: tuple[Place, ...]
    absent: tuple[Absent, ...]
    contexts: Mapping[Place, tuple[Context, ...]]
    inputs: Mapping[Place, tuple[Place, ...]]

    def contexts_of(self, place: Place, one: Member) -> tuple[Context, ...]:
        """Those in which a realization stands; one of which no context is known stands in that of a run."""
        return self.contexts.get(place) or (next(iter(one.runs.values())).context,)


def closure_of(reader: Reader, selection: Selection) -> Closure:
    """What belongs to a selection: what it names, and all that this was made from in the contexts that it stands in.

    Other contexts of a realization, of other runs and uses, belong to what is known of it, and are not followed: they
    may name what was removed.

    Raises:
        DamageError: a context that must be followed cannot be read, or is not there.
        StoreError: the store cannot be read.
    """
    return _Walk(reader, selection).closure()


def member(reader: Reader, place: Place) -> Member:
    """A realization with everything that is noted of it.

    Raises:
        DamageError: something of it is damaged, or a log is not there; `where` is its file.
        StoreError: it cannot be read.
    """
    home, ref = place
    directory = _directory(reader, place)
    path = f"{directory}/record.json"
    record = parse_record(path, _read(path), ref.digits, home)
    if record.key[:DIGITS] != home.digits:
        raise DamageError("the record belongs to another key", where=printable(path))
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise unreadable(directory, error) from error
    notes = [name for name in names if is_run(name) or is_context(name)]
    documents = {name: _read(f"{directory}/{name}") for name in notes}
    runs = {name: _run(directory, name, documents[name]) for name in notes if is_run(name)}
    contexts = {name: parse_context(f"{directory}/{name}", documents[name]) for name in notes if name not in runs}
    check_notes(record, runs, contexts, directory)
    return Member(record, directory, reader.present(record), runs, contexts, documents)


def check_notes(record: Record, runs: Mapping[str, Run], contexts: Mapping[str, Context], where: str) -> None:
    """See that what is noted of a realization, by the names of the files, is of one piece.

    Raises:
        DamageError: it is not; `where` is the directory, or the file.
    """
    if not runs and not contexts:
        raise DamageError("no run is left: what it was made from is not known", where=printable(where))
    for name, run in runs.items():
        if name.split("-")[1] != str(run.index) or run.seed != seed_of(record.key, run.index):
            raise DamageError("its index or seed is not that of its name and key", where=printable(f"{where}/{name}"))
    made = {*(run.context.hash for run in runs.values()), *(context.hash for context in contexts.values())}
    if record.made_in not in (NOT_KNOWN, *made):
        raise DamageError(
            "no context is there that it says it was made in", where=printable(f"{where}/record.json"),
            hint="pylightnix verify --repair",
        )  # fmt: skip


def check_belongings(
    record: Record, runs: Mapping[str, Run], contexts: Mapping[str, Context], where: str, *,
    promises: Mapping[str, Mapping[str, str]], environments: Container[str], logs: Iterable[str],
) -> None:  # fmt: skip
    """See that all came along that belongs to a realization, and that it is of one piece.

    Args:
        record: of the realization.
        runs: by the name of the file.
        contexts: by the name of the file.
        where: for messages.
        promises: of each derivation that came, the promised paths by name.
        environments: the hashes of those that came.
        logs: the names of those that came.

    Raises:
        DamageError: it did not, or is not.
    """
    if set(logs) != {run.log for run in runs.values() if run.log is not None}:
        raise DamageError("its logs are not those that its runs name", where=where)
    check_notes(record, runs, contexts, where)
    for name, run in runs.items():
        if run.index not in FOREIGN:
            raise DamageError(
                f"no key has so many runs: their indices are less than {FOREIGN.stop}",
                where=printable(f"{where}/{name}"),
            )
    promised = {name: kept.path for name, kept in record.promises.items()}
    for ref in derivations_of(runs.values(), contexts.values()):
        if promises.get(ref) != promised:
            raise DamageError(f"the derivation {ref} is not before it, or promises something else", where=where)
    if not all(digest in environments for digest in environments_of(runs.values())):
        raise DamageError("the environment of a run is not before it", where=where)


def derivations_of(runs: Iterable[Run], contexts: Iterable[Context]) -> list[DerivationRef]:
    """The derivations that runs and contexts name, each once."""
    return sorted({*(run.derivation for run in runs), *(context.derivation for context in contexts)})


def environments_of(runs: Iterable[Run]) -> list[str]:
    """The hashes of the environments that runs name, each once."""
    named = {run.facts.get("environment") for run in runs}
    return sorted(one for one in named if isinstance(one, str) and _is_hash(one))


def open_recorded(path: str) -> BinaryIO:
    """A file that a record says is there; DamageError if it cannot be read."""
    try:
        return open_plain(path)
    except OSError as error:
        raise DamageError(f"cannot be read: {error.strerror}", where=printable(path), path=path) from error


def not_as_recorded(path: str) -> DamageError:
    """The error for a file that has other bytes than its record says."""
    return DamageError(
        "it is not what its record says", where=printable(path), path=path,
        hint="pylightnix verify --repair restores what can be, and the next realize makes the rest again",
    )  # fmt: skip


def members(reader: Reader, closure: Closure) -> Iterator[Member]:
    """Each of a closure as `member` gives it, read when it is asked for. Raises as `member` does.

    A record that says it was made in a context which is not of this closure names one that is: that comes along.
    """
    for place in closure.order:
        one = member(reader, place)
        known = {*(run.context.hash for run in one.runs.values()), *(other.hash for other in one.contexts.values())}
        there = sorted(known.intersection(context.hash for context in closure.contexts.get(place, ())))
        if there and one.record.made_in not in there:
            one = one._replace(record=replace(one.record, made_in=there[0]))
        yield one


def derivation_bytes(reader: Reader, ref: DerivationRef) -> bytes:
    """The document of a derivation, checked; DamageError if it is not there or damaged."""
    path = f"{reader.layout.derivations}/{ref}.json"
    data = _read(path)
    parse_derivation(printable(path), data, ref)
    return data


def environment_bytes(reader: Reader, digest: str) -> bytes:
    """The description of an environment, checked; DamageError if it is not there or damaged."""
    path = f"{reader.layout.environments}/{digest[:DIGITS]}.json"
    data = _read(path)
    if digest_bytes(data) != digest:
        raise DamageError("its bytes are not those of its name", where=printable(path))
    return data


def _is_hash(text: str) -> bool:
    return len(text) == 64 and not text.translate(dict.fromkeys(map(ord, "0123456789abcdef")))


def _directory(reader: Reader, place: Place) -> str:
    return f"{reader.layout.records}/{place.home}/{place.ref.digits}"


def _read(path: str) -> bytes:
    """A document that must be there."""
    try:
        return read_small(path)
    except FileNotFoundError:
        raise DamageError("it is not there", where=printable(path)) from None
    except OSError as error:
        if (kind := kind_of(path)) not in ("", "file"):
            raise DamageError(f"in its place there is a {kind}", where=printable(path)) from error
        raise unreadable(path, error) from error


def _run(directory: str, name: str, data: bytes) -> Run:
    run = parse_run(f"{directory}/{name}", data)
    if run.log is not None and kind_of(f"{directory}/{run.log}") != "file":
        raise DamageError("it is not there, and a run names it", where=printable(f"{directory}/{run.log}"))
    return run


class _Walk:
    def __init__(self, reader: Reader, selection: Selection) -> None:
        self._reader = reader
        self._selection = selection
        self._known = {context.hash: context for context in selection.contexts}
        self._inputs: dict[Place, dict[Place, None]] = {}
        self._absent: dict[Place, Absent] = {}
        self._contexts: dict[Place, dict[str, Context]] = {}

    def closure(self) -> Closure:
        self._follow()
        return Closure(
            tuple(inputs_first(self._inputs)), tuple(self._absent.values()),
            {place: tuple(contexts.values()) for place, contexts in self._contexts.items()},
            {place: tuple(inputs) for place, inputs in self._inputs.items()},
        )  # fmt: skip

    def _follow(self) -> None:
        """From choice to context to choice, until nothing is new: what each realization was made from."""
        seen: set[tuple[KeyRef, tuple[RealizationRef, ...], str]] = set()
        waiting: list[tuple[InputChoice, RealizationRef | None]] = [
            (kept.choice, None) for kept in reversed(self._selection.kept)
        ]
        while waiting:
            choice, through = waiting.pop()
            if (choice.key, choice.chosen, choice.context) in seen:
                continue
            seen.add((choice.key, choice.chosen, choice.context))
            there = [place for place in places_of(choice) if self._see(place, through)]
            context = self._context(choice, there)
            if context is None:
                continue
            below = [place for inner in context.inputs.values() for place in places_of(inner)]
            for place in there:
                self._inputs[place].update(dict.fromkeys(below))
                self._contexts.setdefault(place, {})[context.hash] = context
            via = choice.chosen[0] if choice.chosen else through
            waiting += [(inner, via) for inner in context.inputs.values()]

    def _see(self, place: Place, through: RealizationRef | None) -> bool:
        """Note a realization; whether there is a record of it, readable or not."""
        if place in self._inputs:
            return True
        if not is_directory(_directory(self._reader, place)):
            self._absent.setdefault(place, Absent(place, through))
            return False
        self._inputs[place] = {}
        return True

    def _context(self, choice: InputChoice, there: list[Place]) -> Context | None:
        """The context of a choice; None if none of what was chosen is there, or nothing was and nobody noted with what.

        It stands with each that was chosen, so one that cannot be read is only missed where no other one has it.
        """
        found = self._known.get(choice.context)
        if found is not None or not there:
            return found
        problem: Exception | None = None
        for place in there:
            directory = _directory(self._reader, place)
            try:
                found = find_context(directory, choice.context)
            except (DamageError, OSError) as error:
                problem = unreadable(directory, error) if isinstance(error, OSError) else error
                continue
            if found is not None:
                self._known[choice.context] = found
                return found
        for place in there:
            member(self._reader, place)  # which tells what is damaged, if that is why
        raise problem or DamageError(
            f"the context {choice.context[:8]} of {there[0].ref} is not in the store, or damaged",
            where=printable(f"{_directory(self._reader, there[0])}/context-{choice.context[:DIGITS]}.json"),
            hint="realize its stage again, which notes it anew", ref=there[0].ref,
        )  # fmt: skip


def inputs_first(inputs: Mapping[Place, Iterable[Place]]) -> Iterator[Place]:
    """Those that have inputs noted, each after its inputs, but where one leads back to itself; nothing recurses."""
    begun: set[Place] = set()
    for start in inputs:
        if start in begun:
            continue
        begun.add(start)
        way = [(start, iter(inputs[start]))]
        while way:
            place, rest = way[-1]
            new = next((one for one in rest if one in inputs and one not in begun), None)
            if new is None:
                yield place
                way.pop()
            else:
                begun.add(new)
                way.append((new, iter(inputs[new])))


def places_of(choice: InputChoice) -> list[Place]:
    """Where the realizations of a choice stand."""
    return [Place(choice.key, ref) for ref in choice.chosen]
