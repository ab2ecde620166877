"""Mends what verifying found: restores what follows from what is left, and moves to quarantine what does not.

The artifacts of a realization that lie in quarantine are gone for everybody, and its record stays: whoever wants them
makes them again with the recorded seed. Nothing else is ever chosen in their place for those who depend on them.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Iterable, Iterator

from pylightnix.errors import PylightnixError, StoreError
from pylightnix.hashing import DIGITS
from pylightnix.model.records import NOT_KNOWN, Record
from pylightnix.names import KeyRef, RealizationRef
from pylightnix.store import changes
from pylightnix.store.documents import record_bytes
from pylightnix.store.files import is_directory
from pylightnix.store.layout import writing
from pylightnix.store.reading import Reader, written_again
from pylightnix.store.recollection import forget_choices
from pylightnix.store.verification import restoring
from pylightnix.store.verification.checking import check_documents, check_home, check_realization, check_remotes
from pylightnix.store.verification.findings import Finding, Kind, Outcome, Repair
from pylightnix.store.verification.needing import check_needed, check_roots
from pylightnix.store.verification.newer import newer_file
from pylightnix.store.verification.quarantine import Replaced, look, quarantine
from pylightnix.store.verification.recalling import recall_record
from pylightnix.store.verification.verifying import Report

Fetch = Callable[[Record], bool]
"""Brings the artifacts of a realization from another place, checked; False if no place has them."""

Done = tuple[Outcome, str, str]
"""What became of a damage, in words too, and where it lies now."""

_AGAIN = "the next realize that wants it makes it again"
_SHARED = (Kind.DERIVATION, Kind.ENVIRONMENT)
_NAMED = (Kind.NEEDED, Kind.ROOT)
_ORDER: list[Kind] = [kind for kind in Kind if kind not in (*_SHARED, *_NAMED, Kind.REMOTES)]
_READABLE = "it can be read again"
_OWNER = "if it belongs to somebody else, he can repair it"
_HINTS = {
    Kind.RIGHTS: "its owner can give us the right to read it",
    Kind.NEWER: "use a newer version of pylightnix",
    Kind.DERIVATION: written_again("STAGE"),
    Kind.ENVIRONMENT: "the next run in such an environment writes it",
    Kind.MANIFEST: "it is written when the artifacts are made again",
    Kind.NEEDED: "realize again what was made from it; until then a collection refuses if a root needs it",
    Kind.ROOT: "set it again, or remove it; realize again what it leads to",
    Kind.ORIGIN: "it can be used as it is, and when its stage is realized that is noted again",
}


def nowhere(_: Record) -> bool:
    """There is no other place."""
    return False


def mended(reader: Reader, report: Report, look: Callable[[], Report]) -> Report:
    """The report, with what was done about its findings; what could not be read is looked at as soon as it can be.

    Args:
        reader: of the store.
        report: what verifying gave.
        look: verifies once more.

    Raises:
        StoreError: the store cannot be written.
    """
    findings, repairs, new = list(report.findings), list(report.repairs), list(report.findings)
    while new:
        done = list(repair(reader, new, functools.partial(_supplied, reader)))
        repairs += done
        opened = any(is_above(one.finding) and one.outcome is Outcome.RESTORED for one in done)
        new = [one for one in look().findings if one not in findings] if opened else []
        findings += new
    return report._replace(findings=tuple(findings), repairs=tuple(repairs))


def _supplied(reader: Reader, record: Record) -> bool:
    """Whether artifacts came from elsewhere; where that fails they are made again, as they would be without."""
    try:
        return reader.supplier is not None and reader.supplier.whole(record)
    except PylightnixError:
        return False


def repair(reader: Reader, findings: Iterable[Finding], fetch: Fetch = nowhere) -> Iterator[Repair]:
    """Mend what was found, one realization after the other; each is looked at again before anything is done.

    Args:
        reader: of the store.
        findings: what verifying found.
        fetch: is asked for artifacts that are in quarantine now.

    Raises:
        StoreError: the store cannot be written.
    """
    reader.layout.ensure()
    findings = list(findings)
    places: dict[tuple[KeyRef, RealizationRef | None], list[Finding]] = {}
    for one in dict.fromkeys(findings):
        if is_above(one):
            yield _let_read(reader, one)
        elif one.kind is Kind.NEWER and (one.home is None or one.file.startswith("derivations/")):
            yield Repair(one, Outcome.LEFT, _HINTS[Kind.NEWER])
        elif one.kind is Kind.REMOTES:
            yield _remotes(reader, one)
        elif one.home is not None and one.kind in _ORDER:
            places.setdefault((one.home, one.ref), []).append(one)
    for (home, ref), found in places.items():
        yield from _home(reader, home) if ref is None else _Realization(reader, home, ref, fetch).mend(found)
    yield from _documents(reader, findings)
    yield from _named(reader, [one for one in findings if one.kind in _NAMED])
    with writing(reader.layout.root):
        forget_choices(reader.layout)
        changes.sync_all(reader.layout.root)


def is_above(finding: Finding) -> bool:
    """Whether it is about something that bars the way to more than one realization."""
    return finding.kind is Kind.RIGHTS and finding.ref is None


def _is_inside(finding: Finding) -> bool:
    """Whether it is about something of one realization, and no document that others may need too."""
    return not finding.file.startswith(("derivations/", "environments/"))


def _let_read(reader: Reader, finding: Finding) -> Repair:
    if restoring.let_read(f"{reader.layout.root}/{finding.file}"):
        return Repair(finding, Outcome.RESTORED, _READABLE)
    return Repair(finding, Outcome.LEFT, _HINTS[Kind.RIGHTS])


def _remotes(reader: Reader, finding: Finding) -> Repair:
    place = _moved(reader, finding.file, [finding]) if check_remotes(reader.layout) is not None else ""
    if not place:
        return Repair(finding, Outcome.RESTORED, "somebody wrote it meanwhile")
    return Repair(finding, Outcome.QUARANTINED, "name the remotes again: pylightnix remote --add URL", place)


def _home(reader: Reader, home: KeyRef) -> Iterator[Repair]:
    seen = look(reader.layout, f"records/{home}")
    if (finding := check_home(reader.layout, home)) is not None and finding.kind is Kind.RECORD:
        try:
            place = quarantine(reader.layout, f"records/{home}", [finding], seen)
        except Replaced:
            return  # somebody else did it
        yield Repair(finding, Outcome.QUARANTINED, "what is realized under this key is made again", place)


def _documents(reader: Reader, findings: Iterable[Finding]) -> Iterator[Repair]:
    """What is named by its hash can only be written again by those who know it; until then it is missed."""
    found = list(dict.fromkeys(findings))
    by_file: dict[str, list[Finding]] = {}
    for one in found:
        if one.kind in _SHARED:
            by_file.setdefault(one.file, []).append(one)
    moved = {file: place for file, these in by_file.items() if (place := _moved(reader, file, these))}
    places = dict.fromkeys((one.home, one.ref.digits) for one in found if one.home is not None and one.ref is not None)
    missed = dict.fromkeys(one for place in places for one in _missed(reader, *place))
    for one in (one for these in by_file.values() for one in these):
        if one.file in moved:
            yield Repair(one, Outcome.QUARANTINED, _HINTS[one.kind], moved[one.file])
        elif one not in missed:
            yield Repair(one, Outcome.RESTORED, "nothing needs it any more, or somebody wrote it meanwhile")
    yield from (Repair(one, Outcome.LEFT, _HINTS[one.kind]) for one in missed)


def _moved(reader: Reader, file: str, findings: list[Finding]) -> str:
    """Where a document lies now; empty if it was not there, or was replaced."""
    try:
        return quarantine(reader.layout, file, findings, look(reader.layout, file))
    except Replaced:
        return ""


def _missed(reader: Reader, home: KeyRef, digits: str) -> list[Finding]:
    try:
        return check_documents(reader.layout, home, digits)
    except FileNotFoundError:
        return []  # removed


def _named(reader: Reader, findings: list[Finding]) -> Iterator[Repair]:
    """What is named and is not there may be there by now; else people must see to it, and to what came to light."""
    left = {*check_roots(reader), *(check_needed(reader) if any(one.kind == Kind.NEEDED for one in findings) else ())}
    for one in dict.fromkeys([*findings, *sorted(left, key=lambda one: one.file)]):
        if one in left:
            yield Repair(one, Outcome.LEFT, _HINTS[one.kind])
        elif one.kind == Kind.NEEDED and not is_directory(os.path.dirname(f"{reader.layout.root}/{one.file}")):
            yield Repair(one, Outcome.QUARANTINED, "so is what it belongs to")
        else:
            yield Repair(one, Outcome.RESTORED, "what is needed is there again")


class _Realization:
    """One realization that is damaged."""

    def __init__(self, reader: Reader, home: KeyRef, ref: RealizationRef, fetch: Fetch) -> None:
        self._reader = reader
        self._layout = reader.layout
        self._home = home
        self._ref = ref
        self._fetch = fetch
        self._record = f"records/{home}/{ref.digits}"
        self._payload = f"store/{ref}"
        self._seen: dict[str, tuple[int, int] | None] = {}

    def mend(self, found: list[Finding]) -> Iterator[Repair]:
        """Mend what was found, and say of each damage what became of it."""
        told = list(self._mend())
        yield from told
        known = {one.finding for one in told}
        there = set(self._look())
        barred = any(one.kind is Kind.RIGHTS for one in there)
        for one in found:
            if one not in known and one in there:
                why = "not all can be read that may tell more" if barred else "somebody changed it meanwhile"
                yield Repair(one, Outcome.LEFT, f"{why}; verify again")
            elif one not in known:  # with another damage, or by somebody else
                last = (
                    told[-1]
                    if told
                    else Repair(one, Outcome.RESTORED, "it is not so any more: somebody changed it meanwhile")
                )
                yield last._replace(finding=one)

    def _mend(self) -> Iterator[Repair]:
        """Mend what others need first, then look again, until nothing is found that was not tried."""
        tried: set[Finding] = set()
        try:
            while findings := [one for one in self._look() if one not in tried]:
                first = min(findings, key=lambda one: _ORDER.index(one.kind))
                alike = [one for one in findings if one.kind == first.kind]
                these = alike if first.kind in _WHOLE else [one for one in alike if one.file == first.file]
                tried.update(these)
                outcome, what, place = self._try(these)
                yield from (Repair(one, outcome, what, place) for one in these)
                if first.kind is Kind.RIGHTS and outcome is Outcome.LEFT:
                    return  # of the rest too little is known
        except Replaced:
            return  # somebody else mended or removed it meanwhile

    def _try(self, findings: list[Finding]) -> Done:
        try:
            return _MEND[findings[0].kind](self, findings)
        except StoreError as error:  # not ours to change, perhaps; others may be
            barred = error.fields.get("errno") in (errno.EACCES, errno.EPERM)
            return Outcome.LEFT, f"{error.what}; {_OWNER}" if barred else error.what, ""

    def _look(self) -> list[Finding]:
        self._seen = {path: look(self._layout, path) for path in (self._record, self._payload)}
        try:
            found = check_realization(self._layout, self._home, self._ref.digits)
        except FileNotFoundError:
            return []  # removed
        if self._seen[self._record] is None:
            return []
        return [one for one in found if one.kind in _ORDER and not is_above(one) and _is_inside(one)]

    def _quarantine(self, inside: str, findings: Iterable[Finding]) -> str:
        seen = self._seen[inside] if inside in self._seen else look(self._layout, inside)
        return quarantine(self._layout, inside, findings, seen)

    def _set_aside(self, inside: str, findings: Iterable[Finding]) -> str:
        """As `_quarantine`, where there need be nothing."""
        return self._quarantine(inside, findings) if look(self._layout, inside) is not None else ""

    def rights(self, findings: list[Finding]) -> Done:
        readable = [restoring.let_read(f"{self._layout.root}/{one.file}") for one in findings]
        if all(readable):
            return Outcome.RESTORED, _READABLE, ""
        return Outcome.LEFT, _HINTS[Kind.RIGHTS], ""

    def newer(self, _: list[Finding]) -> Done:
        return Outcome.LEFT, _HINTS[Kind.NEWER], ""

    def record(self, findings: list[Finding]) -> Done:
        place = f"{self._layout.root}/{self._record}"
        if is_directory(place) and any(
            newer_file(f"{place}/{name}", name.partition("-")[0]) for name in os.listdir(place) if name[-5:] == ".json"
        ):
            return Outcome.LEFT, f"there are newer documents beside it; {_HINTS[Kind.NEWER]}", ""
        data = recall_record(self._reader, self._home, self._ref.digits)
        if data is not None:
            place = self._set_aside(f"{self._record}/record.json", findings)
            restoring.write(self._layout, f"{self._record}/record.json", data)
            return Outcome.RESTORED, "it was written anew from what is beside it", place
        restoring.mark_damaged(self._layout, self._record)  # before: nobody may choose others and not know of it
        place = self._quarantine(self._record, findings)
        self._set_aside(self._payload, findings)
        return Outcome.QUARANTINED, "nothing tells what it was; its run is made again when its stage is wanted", place

    def artifacts(self, findings: list[Finding]) -> Done:
        record = self._known()
        if restoring.executable_bits(self._layout, self._reader, record):
            return Outcome.RESTORED, "its mode is as it was", ""
        place = self._quarantine(self._payload, findings)
        if self._fetch(record):
            return Outcome.FETCHED, "its artifacts came from another place", place
        return Outcome.QUARANTINED, _AGAIN, place

    def _known(self) -> Record:
        record = self._reader.record_at(self._home, self._ref.digits)
        if record is None:
            raise Replaced
        return record

    def mode(self, _: list[Finding]) -> Done:
        restoring.seal(self._layout, self._payload)
        return Outcome.RESTORED, "it is read-only again", ""

    def manifest(self, findings: list[Finding]) -> Done:
        inside = f"{self._record}/manifest.jsonl"
        data = restoring.manifest(self._layout, self._known())
        if data is None:
            place = self._set_aside(inside, findings)
            return Outcome.QUARANTINED if place else Outcome.LEFT, _HINTS[Kind.MANIFEST], place
        place = self._set_aside(inside, findings)
        restoring.write(self._layout, inside, data)
        return Outcome.RESTORED, "it was written anew from the artifacts", place

    def kept(self, findings: list[Finding]) -> Done:
        return Outcome.QUARANTINED, _AGAIN, self._quarantine(findings[0].file, findings)

    def run(self, findings: list[Finding]) -> Done:
        inside = findings[0].file
        what = "the realization has one run less"
        without_log = restoring.run_without_log(self._layout, inside)
        made_in = self._known().made_in
        context = restoring.context_in_run(self._layout, inside, made_in)
        place = self._quarantine(inside, findings)
        if without_log is not None:
            restoring.write(self._layout, inside, without_log)
            what = "the run stays, without its log"
        elif context is not None:
            restoring.write(self._layout, f"{self._record}/context-{made_in[:DIGITS]}.json", context)
            what = "the realization has one run less, and what it was made from is still known"
        return Outcome.QUARANTINED, what, place

    def context(self, findings: list[Finding]) -> Done:
        place = self._quarantine(findings[0].file, findings)
        return Outcome.QUARANTINED, "it is noted again when it is used so again", place

    def index(self, findings: list[Finding]) -> Done:
        restoring.mark(self._layout, findings[0].file)
        return Outcome.RESTORED, "it is there again", ""

    def origin(self, _: list[Finding]) -> Done:
        """The record forgets which context it was made in, so that whoever chooses it notes what he knows."""
        record = self._known()
        if record.made_in != NOT_KNOWN:
            restoring.write(self._layout, f"{self._record}/record.json", record_bytes(record, NOT_KNOWN))
        return Outcome.LEFT, _HINTS[Kind.ORIGIN], ""


_WHOLE = (Kind.RECORD, Kind.ARTIFACTS, Kind.MODE)
"""Kinds of which all findings of a realization are seen to at once."""

_MEND: dict[Kind, Callable[[_Realization, list[Finding]], Done]] = {
    Kind.RIGHTS: _Realization.rights,
    Kind.NEWER: _Realization.newer,
    Kind.RECORD: _Realization.record,
    Kind.ARTIFACTS: _Realization.artifacts,
    Kind.MODE: _Realization.mode,
    Kind.MANIFEST: _Realization.manifest,
    Kind.KEPT: _Realization.kept,
    Kind.RUN: _Realization.run,
    Kind.CONTEXT: _Realization.context,
    Kind.INDEX: _Realization.index,
    Kind.ORIGIN: _Realization.origin,
}
