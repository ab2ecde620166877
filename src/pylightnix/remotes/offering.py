"""What a store has to offer of a realization: what is known of it in bytes, claims with their signatures, secrets told.

Unaware of where it goes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence

from pylightnix.errors import SecretError
from pylightnix.model.claims import Claim, Signature
from pylightnix.model.hidden import TAG, Hidden, found_in, hidden_of, secrets_in
from pylightnix.model.records import Context
from pylightnix.names import printable
from pylightnix.remotes.format import Offer
from pylightnix.remotes.notes import INLINE, notes_bytes
from pylightnix.remotes.pieces import PIECE, Blob
from pylightnix.store.closures import Member, derivation_bytes, environment_bytes, open_recorded
from pylightnix.store.documents import record_bytes
from pylightnix.store.manifests import EMPTY
from pylightnix.store.reading import Reader
from pylightnix.store.signed import signed_of, together

Sign = Callable[[Claim], Signature]
Suspect = Callable[[str, bytes], str | None]
"""Is given the name and the beginning of a file; says why it looks like a secret, None if it does not."""

Describe = Callable[[bytes], Blob]
"""The blob that some content is where it goes."""


class Offering:
    """What a store offers.

    Args:
        source: of the store.
        describe: says how content is stored there.
        sign: signs claims of what was made here; None if nobody does.
        suspect: tells secrets; None if they may be offered.
    """

    def __init__(self, source: Reader, describe: Describe, sign: Sign | None, suspect: Suspect | None) -> None:
        self._source = source
        self._describe = describe
        self._sign = sign
        self._suspect = suspect
        self._hidden: dict[str, Hidden] = {}

    @property
    def hidden(self) -> tuple[Hidden, ...]:
        """The secrets that derivations name which were offered so far, as far as they are set here."""
        return tuple(self._hidden.values())

    def notes(self, one: Member) -> list[bytes]:
        """What is known of a realization, in pieces; long logs stand in blobs of their own.

        Raises:
            DamageError: something of it is damaged.
            SecretError: something in it looks like a secret.
        """
        long = long_logs(one)
        logs = {name: self.described(f"{one.directory}/{name}") for name in long}
        derivations = {ref: derivation_bytes(self._source, ref) for ref in one.derivations}
        self._note_secrets(derivations.values())
        documents = dict(one.documents)
        for name in (run.log for run in one.runs.values() if run.log is not None and run.log not in logs):
            with open_recorded(f"{one.directory}/{name}") as file:
                documents[name] = file.read()
        record = record_bytes(one.record, one.record.made_in)
        for name, known in {"record.json": record, **documents}.items():
            self.look(name, f"{one.directory}/{name}", known)
        for ref, known in derivations.items():  # a token that is given as a parameter stands there
            self.look(f"{ref}.json", f"{self._source.layout.derivations}/{ref}.json", known)
        data = notes_bytes(
            record,
            derivations,
            {digest: environment_bytes(self._source, digest) for digest in one.environments},
            documents, logs,
        )  # fmt: skip
        return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]

    def described(self, path: str) -> tuple[Blob, ...]:
        """The blobs that the content of a file is."""
        blobs: list[Blob] = []
        with open_recorded(path) as file:
            while data := file.read(PIECE):
                self.look(os.path.basename(path), path, data)
                blobs.append(self._describe(data))
        return tuple(blobs)

    def offers(self, one: Member, contexts: Iterable[Context], notes: Sequence[Blob]) -> list[Offer]:
        """The offers of a realization, one for each context; `notes` are the blobs of what is known of it."""
        manifest = self.described(manifest_of(one)) if has_manifest(one) else ()
        claims = [Claim.of(one.record, context) for context in contexts]
        return [
            Offer(claim, tuple(sorted(self._signatures(one, claim))), tuple(notes), manifest, one.present)
            for claim in claims
        ]

    def _signatures(self, one: Member, claim: Claim) -> frozenset[Signature]:
        """Those that came with it; and ours, where it was made here."""
        signed = signed_of(self._source, one.record)
        known = together(signed).get(claim, frozenset())
        if self._sign is None or any(other.source for other in signed):
            return known
        return known | {self._sign(claim)}

    def _note_secrets(self, derivations: Iterable[bytes]) -> None:
        """Note what the secrets say that these name; in a sound store no file of theirs has it."""
        if self._suspect is None:
            return
        for data in derivations:
            if TAG.encode() in data:
                names = set(secrets_in(json.loads(data)))
                found = hidden_of({name: os.environ.get(name, "") for name in names})
                self._hidden.update((one.name, one) for one in found)

    def search(self, where: str, data: bytes) -> None:
        """See that no declared secret stands in a part of a file; SecretError if one does."""
        if name := found_in(data, self.hidden):
            raise SecretError(
                f"the secret {name} stands in it", where=printable(where), path=where,
                hint="nothing of this result was published: set another value for it where it is used, and remove this",
            )  # fmt: skip

    def look(self, name: str, where: str, data: bytes) -> None:
        """Look at something before it goes; SecretError if it looks like a secret, or has one in it."""
        self.search(where, data)
        if self._suspect is not None and (why := self._suspect(name, data)):
            raise SecretError(
                f"it looks like a secret: {why}", where=printable(where), path=where,
                hint="nothing of this result was published; if it may be seen by all who read the remote: --secrets",
            )  # fmt: skip


def long_logs(one: Member) -> list[str]:
    """The names of logs that do not stand in the notes of a realization."""
    names = [run.log for run in one.runs.values() if run.log is not None]
    return [name for name in names if os.lstat(f"{one.directory}/{name}").st_size > INLINE]


def manifest_of(one: Member) -> str:
    """The path of the manifest."""
    return f"{one.directory}/manifest.jsonl"


def has_manifest(one: Member) -> bool:
    """Whether there is one: an empty tree has none."""
    return one.record.tree != EMPTY
