"""Vouching for what is in a store, and looking again who vouches for what came from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pylightnix.errors import TrustError
from pylightnix.model.claims import Claim, Signature
from pylightnix.model.trust import Keyring, Verdict
from pylightnix.names import RealizationRef
from pylightnix.remotes.finding import Doubt
from pylightnix.remotes.keyring import Keys
from pylightnix.remotes.keys import SecretKey, is_right
from pylightnix.remotes.remote import Remote
from pylightnix.session.copying import Refs, held
from pylightnix.session.location import StoreLike, as_store
from pylightnix.store.closures import member
from pylightnix.store.copying import whole_closure
from pylightnix.store.signed import Signed, note_signed, signed_of, together


class Doubted(NamedTuple):
    """A realization that came from elsewhere, and that nobody vouches for any more who is trusted."""

    ref: RealizationRef
    source: str
    why: str


def sign(refs: Refs, *, store: StoreLike = None, incomplete: bool = False) -> tuple[RealizationRef, ...]:
    """Vouch, with your key, for realizations in a store and for all that they were made from.

    What was made here is signed when it is pushed, so this is for what came from elsewhere. The signatures go along
    with the next push.

    Args:
        refs: realizations, or references or unique prefixes of some.
        store: the store that has them; None for the default one.
        incomplete: also where something was removed that they were made from; else that is an error.

    Returns:
        What was signed, inputs before what uses them.

    Raises:
        TrustError: you have no key, or it cannot be used.
        UnknownReferenceError: nothing, or more than one thing, is named so.
        StoreError: something was collected or removed, or the store cannot be written.
    """
    key = own_key()
    found = as_store(store)
    with held(found, refs) as (selection, holding):
        closure = whole_closure(found.keeper, selection, holding, incomplete=incomplete)
        for place in closure.order:
            one = member(found.keeper, place)
            known = together(signed_of(found.keeper, one.record))
            for context in closure.contexts_of(place, one):
                claim = Claim.of(one.record, context)
                signatures = known.get(claim, frozenset()) | {key.sign(claim)}
                if signatures != known.get(claim):
                    note_signed(found.keeper, one.record, Signed(claim, signatures, ""))
    return tuple(place.ref for place in closure.order)


def own_key() -> SecretKey:
    """Your key; TrustError if you have none, or it cannot be used."""
    key = Keys().own()
    if key is None:
        raise TrustError("you have no key to sign with", hint="pylightnix key generate")
    return key


def verdict_of(ring: Keyring, claim: Claim, signatures: frozenset[Signature], url: str) -> Verdict:
    """What somebody with this keyring thinks of a claim that was found at an address."""
    return ring.judge((one.key for one in signatures if is_right(claim, one)), url)


def doubt_at(remote: Remote, *, unsigned: bool = False) -> Doubt:
    """What this user thinks of claims in a remote.

    Args:
        remote: which.
        unsigned: whether all is believed, for this time.
    """
    if unsigned:
        return lambda *_: ""
    ring = Keys().believed()

    def doubt(claim: Claim, signatures: frozenset[Signature]) -> str:
        return verdict_of(ring, claim, signatures, remote.address).doubt

    return doubt


def doubted(store: StoreLike = None) -> Iterator[Doubted]:
    """What is in a store, came from elsewhere, and would not be believed now: after a key was revoked, say."""
    found, ring = as_store(store), Keys().believed()
    for record in found.keeper.records():
        signed = signed_of(found.keeper, record)
        known = together(signed)
        found_at = sorted({(one.source, one.claim) for one in signed if one.source})
        verdicts = [(source, verdict_of(ring, claim, known[claim], source)) for source, claim in found_at]
        if verdicts and all(verdict.doubt for _, verdict in verdicts):
            source, verdict = verdicts[0]
            yield Doubted(record.ref, source, verdict.doubt)
