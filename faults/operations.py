"""What is disturbed: each operation with the store that it begins with. One entry puts another one into all kinds."""

from __future__ import annotations

import contextlib
import gc
import os
from pathlib import Path

from faults.beside import BESIDE
from faults.operation import Operation
from faults.stages import (
    SECRET,
    build_all,
    data,
    discreet,
    drawn,
    failing,
    lucky,
    model,
    report,
    same_data,
    telling,
    using,
)
from pylightnix import Store, match, realize
from pylightnix.errors import BuildError, CollectionError, UnknownReferenceError
from pylightnix.store.collection.trash import Trash
from pylightnix.store.removal import remove_tree


def _init(store: Store) -> None:
    store.create()


def _in_process(store: Store) -> object:
    return realize(data(), store=store, executor="process", quiet=True)


def _three_runs(store: Store) -> object:
    return realize(lucky(), store=store, quiet=True)


def _one_model(store: Store) -> object:
    return realize(model().with_matcher(match.latest()), store=store, quiet=True)


def _second_model(store: Store) -> object:
    return realize(model(), store=store, quiet=True)


def _by_other_code(store: Store) -> object:
    return realize(report(best=model(source=same_data())), store=store, quiet=True)


def _first_key(store: Store) -> object:
    return realize(using(), store=store, quiet=True)


def _second_key(store: Store) -> object:
    """What it is made from is made anew, and is better."""
    return realize(using(drawn().with_matcher(match.best("later", of=2))), store=store, quiet=True)


def _has_two_keys(store: Store) -> None:
    found = store.realizations(name="using")
    derivations = {run.context.derivation for one in found for run in one.runs}
    if (len({one.record.key for one in found}), len(derivations)) != (2, 1):
        raise AssertionError(f"one derivation was to be built under two keys: {found}")


def _fail(store: Store) -> None:
    try:
        realize(failing(), store=store, quiet=True)
    except BuildError as error:
        if "on purpose" not in str(error):
            raise


def _hide(store: Store) -> object:
    """One run that tells its secret to the log alone, and one that gives it away, and is refused."""
    os.environ[SECRET] = HUSH
    try:
        realize(telling(), store=store, quiet=True)
    except BuildError as error:
        if f"secret {SECRET}" not in error.what and "whether a secret" not in error.what:
            raise
    else:
        raise AssertionError("a run that gave a secret away was taken")
    return realize(discreet(), store=store, quiet=True)


def _is_hidden(store: Store) -> None:
    """But for what killed runs left, which nobody sees and the next collection removes."""
    kept = [path for path in store.path.rglob("*") if path.is_file() and path.relative_to(store.path).parts[0] != "tmp"]
    kept += store.path.glob("tmp/checkpoints/*-left-*/**/*")
    told = [str(path) for path in kept if path.is_file() and HUSH.encode() in path.read_bytes()]
    if told:
        raise AssertionError(f"a secret stands in {told}")


def _without_artifacts(store: Store) -> None:
    """Those of the target are gone too: else nobody would need those of its input."""
    build_all(store)
    for name in ("model", "report"):
        for realization in store.realizations(name=name):
            remove_tree(realization.path)


def _without_record(store: Store) -> None:
    build_all(store)
    for realization in store.realizations(name="model"):
        remove_tree(store.keeper.place(realization.record))


def _half_made(store: Store) -> None:
    _without_record(store)
    for path in Path(store.keeper.layout.store).glob("*-model/out.txt"):
        path.chmod(0o644)
        path.write_text("half-made")


def _with_damaged_record(store: Store) -> None:
    build_all(store)
    for realization in store.realizations(name="data"):
        record = Path(store.keeper.place(realization.record)) / "record.json"
        record.unlink()
        record.write_text("{")


def _remove_model(store: Store) -> None:
    for realization in store.realizations(name="model"):
        with contextlib.suppress(CollectionError):  # another process uses it
            store.remove(realization)


def _is_removed(store: Store) -> None:
    """It is gone, and what it has used stays used."""
    left = [str(realization.ref) for realization in store.realizations(name="model")]
    used = list(Path(store.keeper.layout.records).glob("*-model/*.run"))
    if left or len(used) != 1:
        raise AssertionError(f"after a removal there is {left}, and {1 + len(used)} run indices are used")


def _verify(store: Store) -> None:
    if not store.verify().sound:
        raise AssertionError("verify finds damage in a store that has none")


def _with_a_stopped_verify(store: Store) -> None:
    build_all(store)
    cache = Path(store.keeper.layout.cache)
    cache.mkdir(exist_ok=True)
    (cache / "verified").write_text("of another one\n")


def _with_unneeded(store: Store) -> None:
    build_all(store)
    store.root("kept", store.realizations(name="report"))
    _three_runs(store)


def _collect(store: Store) -> None:
    store.gc(unreachable=True, trash="0d")


def _is_collected(store: Store) -> None:
    """Records stay, artifacts are gone."""
    found = store.realizations(name="lucky")
    left = [str(one.ref) for one in found if one.path.exists()]
    if left or len(found) != 3:
        raise AssertionError(f"after a collection there are {len(found)} records, and the artifacts of {left}")


def _forget(store: Store) -> None:
    store.gc(unreachable=True, forget=True, trash="1d")


def _forgotten(store: Store) -> None:
    _with_unneeded(store)
    _forget(store)


def _restore(store: Store) -> None:
    thin = {one.ref for one in store.realizations(name="lucky") if not one.path.exists()}
    for ref in sorted({*thin, *[one.ref for one in Trash(store.keeper.layout).all()]}):
        with contextlib.suppress(UnknownReferenceError):  # another collection was faster
            store.restore(ref)


def _with_trash(store: Store) -> None:
    _with_unneeded(store)
    gc.collect()  # what is in hand would not go
    store.gc(unreachable=True, trash="1d")


def _empty_the_trash(store: Store) -> None:
    store.gc(unreachable=True, trash="0d")


def _root(store: Store) -> None:
    with contextlib.suppress(CollectionError):  # a collection was faster
        store.root("kept", store.realizations(name="report"))


def _other_root(store: Store) -> None:
    build_all(store)
    store.root("kept", store.realizations(name="model"))


def _unroot(store: Store) -> None:
    if store.roots():
        store.unroot("kept")


def _rooted(store: Store) -> None:
    build_all(store)
    _root(store)


def _damaged(store: Store) -> None:
    build_all(store)
    for name in ("model", "report"):
        for path in Path(store.keeper.layout.store).glob(f"*-{name}/out.txt"):
            path.chmod(0o644)
            path.write_text("changed")
            path.chmod(0o444)
    for path in Path(store.keeper.layout.store).glob("*-data/table/deep/a.txt"):
        path.chmod(0o644)


def _repair(store: Store) -> None:
    """Some damage may have to be left, where the system refuses; then nothing is built upon it."""
    if not store.verify(repair=True).left:
        build_all(store)


HUSH = "hush-hush-hush"

OPERATIONS = (
    Operation("init", _init),
    Operation("realize", build_all),
    Operation("realize in a process", _in_process),
    Operation("realize three runs", _three_runs, differs=True),
    Operation("fold an equal result", _second_model, _one_model),
    Operation("reuse in a new context", _by_other_code, build_all),
    Operation("build under a second key", _second_key, _first_key, _has_two_keys),
    Operation("make again", build_all, _without_artifacts),
    Operation("adopt artifacts", build_all, _without_record),
    Operation("replace artifacts", build_all, _half_made),
    Operation("mend a record", build_all, _with_damaged_record, spare=1),
    Operation("keep a failure", _fail),
    Operation("hide a secret", _hide, holds=_is_hidden),
    Operation("remove", _remove_model, build_all, _is_removed, rival=build_all),
    Operation("collect", _collect, _with_unneeded, _is_collected, rival=build_all, thin=("lucky",), lasts=False),
    Operation("forget", _forget, _with_unneeded, rival=build_all, thin=("lucky",), lasts=False),
    Operation("restore", _restore, _forgotten, rival=build_all, thin=("lucky",), lasts=False),
    Operation("empty the trash", _empty_the_trash, _with_trash, rival=_three_runs, thin=("lucky",), lasts=False),
    Operation("root", _root, _other_root),
    Operation("unroot", _unroot, _rooted),
    Operation("repair", _repair, _damaged),
    Operation("verify", _verify, _with_a_stopped_verify),
    *BESIDE,
)
