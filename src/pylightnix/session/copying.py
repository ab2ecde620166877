"""The verb `copy`: results, with all that they were made from, from one store into another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pylightnix.dsl.derivation import Derivation
from pylightnix.dsl.stage import Stage
from pylightnix.errors import ArgumentError, StoreError
from pylightnix.model.holding import Holding
from pylightnix.model.realization import Realization
from pylightnix.model.selection import Selection, selection_of
from pylightnix.session.location import StoreLike, as_store
from pylightnix.session.rooting import keep_selection, see_root
from pylightnix.store.closures import Place, closure_of, member
from pylightnix.store.copying import Copied, Moved, copy_closure
from pylightnix.store.reading import Reader
from pylightnix.store.store import Store

Refs = str | Realization[Any] | Iterable["str | Realization[Any]"]


def copy(
    refs: Refs, *, to: StoreLike, store: StoreLike = None, dry_run: bool = False, incomplete: bool = False,
    root: str | None = None, told: Callable[[Moved], None] = lambda _: None,
) -> Copied:  # fmt: skip
    """Copy realizations, and all that they were made from, into another store.

    Every byte is held against its hash before it becomes visible there, and a realization becomes visible after all
    that it was made from. A copy that was interrupted goes on the next time. What is there gets the runs that it lacks.

    Args:
        refs: realizations, or references or unique prefixes of some. What is given by reference is copied with what it
            was first made from, or, if something of that was removed, with what else it was made from.
        to: the other store, or its path; it is made if it is not there.
        store: the store that has them; None for the default one.
        dry_run: change nothing, only say what would be done.
        incomplete: copy also where something was removed that they were made from; else that is an error.
        root: a name that keeps alive there what is copied; without one, a collection there may take it.
        told: is called with what became of each realization.

    Returns:
        What became of each, inputs before what uses them.

    Raises:
        UnknownReferenceError: nothing, or more than one thing, is named so.
        DamageError: something is damaged; what came before it was copied, and it was not.
        StoreError: something was collected or removed, or a store cannot be read or written.
        ArgumentError: both stores are the same.
        BadNameError: this is no name for a root; nothing was copied.
    """
    see_root(root)
    source, target = as_store(store), as_store(to)
    if source.path == target.path or (target.path.exists() and os.path.samefile(source.path, target.path)):
        raise ArgumentError("both stores are the same", where="copy", hint="give the path of another one with --to")
    with held(source, refs) as (selection, holding), _held_there(target, dry=dry_run):
        done = copy_closure(
            source.keeper, target.keeper, selection, holding, dry=dry_run, incomplete=incomplete, told=told
        )
        if not dry_run:
            keep_selection(root, target, selection)
        return done


@contextmanager
def _held_there(target: Store, *, dry: bool) -> Iterator[None]:
    """What is copied stays held until the root is there."""
    holding = None if dry else target.keeper.holding()
    try:
        yield
    finally:
        if holding is not None:
            holding.release()


@contextmanager
def held(store: Store, refs: Refs) -> Iterator[tuple[Selection, Holding]]:
    """What is asked for as a selection, and what can keep all that belongs to it from being collected, while inside."""
    store.keeper.settle()
    given = given_refs(refs)
    holding = store.keeper.holding()
    try:
        yield selection_of(_standing(store, one) if isinstance(one, str) else one for one in given), holding
    finally:
        holding.release()


def given_refs(refs: Refs) -> list[str | Realization[Any]]:
    """What is named, each a reference or a realization; ArgumentError if it is neither, or nothing."""
    several = isinstance(refs, Iterable) and not isinstance(refs, (str, Realization, Derivation))
    given: list[Any] = list(refs) if several else [refs]
    if not given:
        raise ArgumentError("nothing is named", where="refs", hint="give at least one reference or realization")
    for one in given:
        if not isinstance(one, (str, Realization)):
            kind = {Derivation: "a derivation", Stage: "a stage"}.get(type(one), f"{one!r}")
            raise ArgumentError(
                f"{kind} is no realization", where="refs", hint="give what realize returned, or a reference"
            )
    return given


def _standing(store: Store, reference: str) -> Realization[Any]:
    """A realization as it was first made; where something of that was removed, in another context that is whole."""
    found = store.realization(reference)
    reader = store.keeper
    try:
        one = member(reader, Place(found.record.home, found.ref))
    except StoreError:
        return found  # whoever copies it tells what is damaged
    known = {context.hash: context for context in (*one.contexts.values(), *(run.context for run in one.runs.values()))}
    others = [known[digest] for digest in sorted(known) if digest != found.context.hash]
    if not others or _is_whole(reader, found):
        return found
    for context in others:
        other: Realization[Any] = Realization(found.record, reader, context)
        if _is_whole(reader, other):
            return other
    return found


def _is_whole(reader: Reader, one: Realization[Any]) -> bool:
    """Whether all is there that it was made from."""
    try:
        return not closure_of(reader, selection_of([one])).absent
    except StoreError:
        return False
