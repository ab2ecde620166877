"""The verbs `push` and `pull`: results, with all that they were made from, to another place and from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.errors import DamageError, RemoteError
from pylightnix.model.named import unknown_promise
from pylightnix.model.realization import Realization
from pylightnix.names import RealizationRef
from pylightnix.remotes.fetching import Fetcher
from pylightnix.remotes.finding import Finder, Wanted
from pylightnix.remotes.keyring import Keys
from pylightnix.remotes.keys import SecretKey
from pylightnix.remotes.memory import Memory
from pylightnix.remotes.picking import fetch_promise
from pylightnix.remotes.pulling import pull_closure
from pylightnix.remotes.pushing import Manner, Pushed, push_closure
from pylightnix.remotes.remote import Remote, opened
from pylightnix.remotes.secrets import looks_secret
from pylightnix.session.copying import Refs, given_refs, held
from pylightnix.session.location import StoreLike, as_store
from pylightnix.session.merging import Change, Fresh, changes, fresh
from pylightnix.session.rooting import see_root
from pylightnix.session.signing import doubt_at, own_key
from pylightnix.store.copying import Moved, whole_closure
from pylightnix.store.store import Store

RemoteLike = Remote | str | Path


def push(
    refs: Refs, remote: RemoteLike, *, store: StoreLike = None, dry_run: bool = False, incomplete: bool = False,
    again: bool = False, sign: bool | None = None, secrets: bool = False,
    told: Callable[[Moved], None] = lambda _: None,
) -> Pushed:  # fmt: skip
    """Send realizations, and all that they were made from, to a remote.

    Every file is held against its hash on the way. A realization is there when all it was made from is, or it is not
    there; a push that was interrupted goes on the next time, and what is there is not sent again.

    Args:
        refs: realizations, or references or unique prefixes of some.
        remote: where to: a `Remote`, or the address of one, which is made if it is not there.
        store: the store that has them; None for the default one.
        dry_run: send nothing, only say what would be sent.
        incomplete: also where something was removed that they were made from; else that is an error.
        again: look at all that the remote has of this, byte for byte, and send anew what is not there or damaged.
        sign: whether what was made here is signed with your key; None: if you have one.
        secrets: send also files that look like secrets.
        told: is called with what became of each realization.

    Returns:
        What became of each, inputs before what uses them.

    Raises:
        UnknownReferenceError: nothing, or more than one thing, is named so.
        DamageError: something is damaged; what came before it was sent, and it was not.
        StoreError: something was collected or removed.
        SecretError: a file looks like a secret; what came before it was sent.
        TrustError: you have no key, or it cannot be used.
        RemoteError: the remote cannot be reached or written.
    """
    key = _key(sign)
    source = as_store(store)
    with opened(remote) as there, held(source, refs) as (selection, holding):
        there.see_writable()
        closure = whole_closure(source.keeper, selection, holding, incomplete=incomplete)
        known = there.find_identity() if dry_run else there.identity(make=True)
        memory = Memory(source.keeper.layout, known or "none")
        if again:
            memory.forget(place.ref for place in closure.order)
        manner = Manner(
            memory, sign=key.sign if key else None, signer=key.public if key else "",
            suspect=None if secrets else looks_secret, fresh=not known, again=again,
            dry=dry_run,
        )  # fmt: skip
        return push_closure(source.keeper, there, closure, manner, told)


def pull(  # noqa: PLR0913  (what people type at a prompt is completed from here)
    refs: str | Realization[Any] | Iterable[str | Realization[Any]], remote: RemoteLike, *, store: StoreLike = None,
    dry_run: bool = False, only: Iterable[str] | None = None, incomplete: bool = False, unsigned: bool = False,
    root: str | None = None, targets: object = None, told: Callable[[Moved], None] = lambda _: None,
) -> Arrived:  # fmt: skip
    """Fetch realizations, and all that they were made from, from a remote.

    Every byte is held against its hash before it becomes visible, and a realization becomes visible after all that it
    was made from. A pull that was interrupted goes on the next time. What is there gets the runs that it lacks.

    Args:
        refs: references or unique prefixes of some.
        remote: where from: a `Remote`, or the address of one.
        store: the store that takes them; None for the default one. It is made if it is not there.
        dry_run: take nothing in, only say what would be taken.
        only: these promises of what is named, and of all else what is known alone: that counts, and is judged by its
            value; `Realization.fetch` has the rest later. Empty: not even these.
        incomplete: also where something is not there that they were made from; else that is an error.
        unsigned: believe also what nobody has signed whom you trust.
        root: a name that keeps alive what is fetched.
        targets: with `dry_run`: derivations or stages, as for `realize`, of which to say what would happen otherwise.
        told: is called with what became of each realization.

    Returns:
        What became of each, inputs before what uses them. A dry run tells in `fresh` what would be a new candidate, and
        in `changes` what a plan of `targets` would say otherwise.

    Raises:
        UnknownReferenceError: nothing, or more than one thing, is named so.
        UnknownPromiseError: something of what is named has no such promise; nothing was taken in.
        TrustError: nobody who is trusted has signed something of it.
        DamageError: something in the remote is damaged; what came before it was taken in, and it was not.
        RemoteError: the remote cannot be reached, or something is not there.
        StoreError: the store cannot be written.
        BadNameError: this is no name for a root; nothing was fetched.
    """
    see_root(root)
    target = as_store(store)
    only = None if only is None else [only] if isinstance(only, str) else list(only)
    names = given_refs(refs)
    holding = target.keeper.holding()
    try:
        with opened(remote) as there, closing(Fetcher(there.backend, address=there.address)) as fetcher:
            doubt = doubt_at(there, unsigned=unsigned)
            with _damage_in(there):
                there.identity()
                finder = Finder(there, target.keeper, fetcher, doubt)
                wanted = finder.closure(finder.place(str(getattr(one, "ref", one))) for one in names)
                if wanted.absent and not incomplete:
                    raise _missing(there, wanted)
                _see_promises(target, wanted, only or ())
                done = pull_closure(
                    target.keeper, fetcher, wanted, whole=lambda _: only is None, dry=dry_run, told=told
                )
                if only and not dry_run:
                    _fetch(target, fetcher, wanted, only)
        if root is not None and not dry_run:
            _set_root(target, root, wanted)
    finally:
        holding.release()
    arrived = Arrived(*done, refs=tuple(dict.fromkeys(place.ref for place, _ in wanted.targets)))
    return arrived._replace(**_outlook(target, wanted, targets)) if dry_run else arrived


def _outlook(store: Store, wanted: Wanted, targets: object) -> dict[str, Any]:
    """What a pull would change."""
    others = () if targets is None else changes(store, wanted, targets)
    return {"fresh": fresh(store, wanted), "changes": others}


class Arrived(NamedTuple):
    """What a pull did, or would do.

    Attributes:
        moved: each realization, inputs before what uses them.
        absent: realizations that something was made from, and that neither has.
        fetched: bytes that came over.
        dry: whether nothing was taken in.
        fresh: what would be a new candidate; of a dry run.
        changes: what would happen otherwise to the targets that were named; of a dry run.
        refs: what was asked for.
    """

    moved: tuple[Moved, ...]
    absent: tuple[RealizationRef, ...]
    fetched: int
    dry: bool = False
    fresh: tuple[Fresh, ...] = ()
    changes: tuple[Change, ...] = ()
    refs: tuple[RealizationRef, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of the artifacts that came."""
        return sum(one.size for one in self.moved)


@contextmanager
def _damage_in(remote: Remote) -> Iterator[None]:
    """Errors for damage say in which remote it is, and what can be done."""
    try:
        yield
    except DamageError as error:
        told = error.where.startswith((f"{remote.url}: ", f"{remote.url}/"))
        where = error.where if told else f"{remote.url}: {error.where}".rstrip(": ")
        hint = error.hint or "whoever has it can send it anew: pylightnix push --again"
        raise DamageError(error.what, where=where, hint=hint, **error.fields) from error


def _key(sign: bool | None) -> SecretKey | None:
    return own_key() if sign else Keys().own() if sign is None else None


def _see_promises(store: Store, wanted: Wanted, only: Iterable[str]) -> None:
    """See that all that was asked for has these promises, before anything is taken in."""
    for place, _ in wanted.targets:
        offered = wanted.offered.get(place)
        record = offered.notes[0].record if offered is not None else store.realization(place.ref).record
        for name in only:
            if name not in record.promises:
                raise unknown_promise(f"{place.ref.name} {place.ref.short}", name, record.promises)


def _fetch(store: Store, fetcher: Fetcher, wanted: Wanted, only: Iterable[str]) -> None:
    """Have some promises of what was asked for."""
    for place, _ in wanted.targets:
        found = store.realization(place.ref)
        for name in only:
            fetch_promise(store.keeper, fetcher, found.record, found.record.promises[name])


def _missing(remote: Remote, wanted: Wanted) -> RemoteError:
    ref = wanted.absent[0].ref
    return RemoteError(
        f"{ref.name} {ref.short} is not there, and something that you ask for was made from it", where=remote.url,
        hint="push it there; or take the rest without it, with --incomplete", ref=ref,
    )  # fmt: skip


def _set_root(store: Store, root: str, wanted: Wanted) -> None:
    found = [(store.realization(place.ref).record, context) for place, context in wanted.targets]
    store.root(root, [Realization(record, store.keeper, context) for record, context in found])
