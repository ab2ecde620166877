"""Operations on a store and what stands beside it: another store, a remote, an archive, what a person has."""

from __future__ import annotations

import contextlib
import os

from faults.neighbours import archive_of, mine_of, other_of, remote_of
from faults.operation import Operation
from faults.stages import build_all, build_data
from pylightnix import Realization, Store, copy, export, import_archive, pull, push
from pylightnix.errors import CollectedError, CollectionError
from pylightnix.store.collection.rooting import set_link, set_lock
from pylightnix.store.removal import remove_tree


def _reports(store: Store) -> list[Realization[object]]:
    return store.realizations(name="report")


def _beside_a_full_one(store: Store) -> None:
    build_all(other_of(store))


def _copy(store: Store) -> None:
    other = other_of(store)
    with contextlib.suppress(CollectedError):  # a collection was faster
        copy(_reports(other), to=store, store=other)


def _push(store: Store) -> None:
    with contextlib.suppress(CollectedError):
        push(_reports(store), remote_of(store), store=store, sign=False)


def _with_a_part_pushed(store: Store) -> None:
    build_data(store)
    push(store.realizations(name="data"), remote_of(store), store=store, sign=False)
    build_all(store)


def _beside_a_remote(store: Store) -> None:
    other = other_of(store)
    build_all(other)
    push(_reports(other), remote_of(store), store=other, sign=False)
    remove_tree(other.path)


def _pull(store: Store) -> object:
    (ref,) = [name for name in os.listdir(remote_of(store) / "refs") if name.endswith("-report")]
    pull(ref, remote_of(store), store=store, unsigned=True, root="kept")
    return store.realization(ref)


def _export(store: Store) -> None:
    with contextlib.suppress(CollectedError):
        export(_reports(store), archive_of(store), store=store)


def _beside_an_archive(store: Store) -> None:
    other = other_of(store)
    build_all(other)
    export(_reports(other), archive_of(store), store=other)
    remove_tree(other.path)


def _import(store: Store) -> object:
    import_archive(archive_of(store), store=store, root="kept")
    (there,) = _reports(store)
    return there


def _with_a_person(store: Store) -> None:
    build_all(store)
    mine_of(store).mkdir()


def _link(store: Store) -> None:
    with contextlib.suppress(CollectionError):  # a collection was faster
        set_link(store.keeper, str(mine_of(store) / "link"), _reports(store)[0])


def _lock(store: Store) -> None:
    with contextlib.suppress(CollectionError):
        set_lock(store.keeper, str(mine_of(store) / "lock"), _reports(store))


def _with_another_lock(store: Store) -> None:
    _with_a_person(store)
    set_lock(store.keeper, str(mine_of(store) / "lock"), store.realizations(name="model"))
    for root in store.roots():
        store.unroot(root.name)


BESIDE = (
    Operation("copy", _copy, _beside_a_full_one),
    Operation("push", _push, build_all),
    Operation("push the rest", _push, _with_a_part_pushed),
    Operation("pull", _pull, _beside_a_remote),
    Operation("export", _export, build_all),
    Operation("import", _import, _beside_an_archive),
    Operation("keep by a link", _link, _with_a_person),
    Operation("keep by a lock file", _lock, _with_another_lock),
)
