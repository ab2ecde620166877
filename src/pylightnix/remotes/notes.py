"""All that is known of a realization, in one piece of bytes: its record, and the documents that belong to it.

It has the form of an archive, see docs/archive-format.md, without the files. Unaware of remotes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS, canonical, digest_bytes, kind_tag
from pylightnix.model.records import Context, Record, Run
from pylightnix.names import DerivationRef
from pylightnix.remotes.pieces import Blob, parse_blobs
from pylightnix.store.archives.format import BLOCK, END, RECORD, Header, Sum
from pylightnix.store.archives.reading import Members
from pylightnix.store.closures import Place, check_belongings
from pylightnix.store.documents import LOG_NAME, parse_context, parse_derivation, parse_record, parse_run
from pylightnix.store.files import parse_document
from pylightnix.store.reading import is_context, is_home, is_run

LOGS = "logs.json"
INLINE = 256 << 10
"""A log of more bytes stands in blobs of its own."""

_LOGS_KIND = kind_tag("logs")
_DERIVATION = re.compile(r"derivations/(.+)\.json")
_ENVIRONMENT = re.compile(rf"environments/([0-9a-f]{{{DIGITS}}})\.json")


class Notes(NamedTuple):
    """What is known of a realization, checked.

    Attributes:
        record: what it is.
        derivations: the documents of those that its runs and contexts name.
        environments: the descriptions that its runs name, by their full hash.
        runs: by the name of the file.
        contexts: those that have a file of their own, by its name.
        documents: the bytes of both, and of logs that are small.
        logs: of each other log that a run names, the blobs of its content.
    """

    record: Record
    derivations: Mapping[DerivationRef, bytes]
    environments: Mapping[str, bytes]
    runs: Mapping[str, Run]
    contexts: Mapping[str, Context]
    documents: Mapping[str, bytes]
    logs: Mapping[str, tuple[Blob, ...]]

    def context(self, digest: str) -> Context | None:
        """The context of this hash, if it is among what is known."""
        known = (*(run.context for run in self.runs.values()), *self.contexts.values())
        return next((context for context in known if context.hash == digest), None)


def notes_bytes(
    record: bytes, derivations: Mapping[DerivationRef, bytes], environments: Mapping[str, bytes],
    documents: Mapping[str, bytes], logs: Mapping[str, Sequence[Blob]],
) -> bytes:  # fmt: skip
    """The bytes of notes; arguments as the attributes of `Notes`, `record` being the bytes of `record.json`."""
    blobs = {name: [blob.row() for blob in logs[name]] for name in logs}
    members = [
        *((f"derivations/{ref}.json", derivations[ref]) for ref in sorted(derivations)),
        *((f"environments/{digest[:DIGITS]}.json", environments[digest]) for digest in sorted(environments)),
        ("record.json", record),
        (LOGS, canonical({"logs": blobs, "pylightnix": _LOGS_KIND})),
        *((name, documents[name]) for name in sorted(documents)),
    ]
    total, parts = Sum(), []
    for name, data in members:
        parts.append(_member(name, data))
        total.add(Header(name, len(data)), digest_bytes(data))
    parts += [_member(END, total.to_bytes()), bytes(2 * BLOCK)]
    size = sum(map(len, parts))
    return b"".join([*parts, bytes(-size % RECORD)])


def _member(name: str, data: bytes) -> bytes:
    header = Header(name, len(data))
    return b"".join((header.to_bytes(), data, bytes(header.padding)))


def parse_notes(data: bytes, place: Place) -> Notes:
    """What the notes of the realization of this place say.

    Raises:
        DamageError: they are none, are of another one, or do not fit together.
    """
    reading = _Reading(place)
    members = Members(io.BytesIO(data))
    for header in members:
        reading.take(header.name, members.content())
    return reading.notes()


class _Reading:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._derivations: dict[DerivationRef, bytes] = {}
        self._promises: dict[str, dict[str, str]] = {}
        self._environments: dict[str, bytes] = {}
        self._record: Record | None = None
        self._logs: dict[str, tuple[Blob, ...]] | None = None
        self._runs: dict[str, Run] = {}
        self._contexts: dict[str, Context] = {}
        self._documents: dict[str, bytes] = {}

    def take(self, name: str, data: bytes) -> None:
        if self._record is None:
            self._before(name, data)
        elif self._logs is None and name == LOGS:
            self._logs = _parse_logs(data)
        elif self._logs is None or name in self._documents:
            raise _strange(name)
        elif LOG_NAME.fullmatch(name):
            self._documents[name] = data
        elif is_run(name):
            self._runs[name] = parse_run(f"{self._place.ref}/{name}", data)
            self._documents[name] = data
        elif is_context(name):
            self._contexts[name] = parse_context(f"{self._place.ref}/{name}", data)
            self._documents[name] = data
        else:
            raise _strange(name)

    def _before(self, name: str, data: bytes) -> None:
        """What comes before the record, and that."""
        if name == "record.json":
            self._record = parse_record(name, data, self._place.ref.digits, self._place.home)
        elif (form := _DERIVATION.fullmatch(name)) is not None and is_home(form[1]):
            ref = DerivationRef(form[1])
            document = parse_derivation(name, data, ref)
            self._promises[ref] = {label: one["path"] for label, one in document["promises"].items()}
            self._derivations[ref] = data
        elif (form := _ENVIRONMENT.fullmatch(name)) is not None and digest_bytes(data)[:DIGITS] == form[1]:
            self._environments[digest_bytes(data)] = data
        else:
            raise _strange(name)

    def notes(self) -> Notes:
        if self._record is None or self._logs is None:
            raise DamageError("not all is there that belongs to notes")
        small = [name for name in self._documents if LOG_NAME.fullmatch(name)]
        check_belongings(
            self._record, self._runs, self._contexts, f"{self._place.ref.name} {self._place.ref.short}",
            promises=self._promises, environments=self._environments, logs=[*small, *self._logs],
        )  # fmt: skip
        return Notes(
            self._record, self._derivations, self._environments, self._runs, self._contexts, self._documents, self._logs
        )


def _parse_logs(data: bytes) -> dict[str, tuple[Blob, ...]]:
    logs = parse_document(LOGS, data, _LOGS_KIND).get("logs")
    if not isinstance(logs, dict) or not all(map(LOG_NAME.fullmatch, logs)):
        raise DamageError("this is no list of logs", where=LOGS)
    return {name: parse_blobs(rows) for name, rows in logs.items()}


def _strange(name: str) -> DamageError:
    return DamageError("this belongs to no notes, or not at its place", where=name)
