"""Many processes that do at random all that can be done with a store, and what stands beside it, for some seconds.

No enumeration: what it meets depends on the machine. It finds what nobody has thought of stopping at.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import random
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faults.children import Child
from faults.kinds import Row
from faults.neighbours import archive_of, other_of, remote_of
from faults.soundness import debris, gone, problems, told
from faults.stages import STAGES, data, drawn, lucky, model, report, same_data, using
from faults.stand import collect
from pylightnix import PylightnixError, Realization, Store, copy, export, import_archive, match, pull, push, realize
from pylightnix.store.collection import debris as debris_
from pylightnix.store.collection.trash import Trash
from pylightnix.store.verification.findings import Kind

Chance = random.Random
Act = Callable[[Store, Chance], object]

TARGETS = (
    report(), report(best=model(source=same_data())), lucky(), data(), using(),
    using(drawn().with_matcher(match.best("later", of=2))),
)  # fmt: skip


REMOVED = "what was made from this names it"
"""Ends what verify says where something was removed, and made again in another context: that is no fault here."""


def _some(store: Store, chance: Chance) -> Realization[object] | None:
    """One that is there at this moment."""
    found = [one for one in store.realizations() if one.path.exists()]
    return chance.choice(found) if found else None


def _realize(store: Store, chance: Chance) -> None:
    done = realize(chance.choice(TARGETS), store=store, quiet=True)
    if missing := gone(done, alone=True):
        raise AssertionError(f"in hand, and not there: {missing}")
    if "out" in done.promises and not done.promises["out"].exists():
        raise AssertionError(f"in hand, and not whole: {done.ref}")


def _verify(store: Store, chance: Chance) -> None:
    findings = store.verify(repair=chance.random() < 0.5).findings
    if wrong := [one for one in findings if one.kind is not Kind.NEEDED]:
        raise AssertionError(f"named, and not damaged: {wrong[:3]}")


def _with_one(act: Callable[[Store, Chance, Realization[object]], object]) -> Act:
    def do(store: Store, chance: Chance) -> None:
        if (one := _some(store, chance)) is not None:
            act(store, chance, one)

    return do


def _pull(store: Store, chance: Chance) -> None:
    with contextlib.suppress(FileNotFoundError):
        ref = chance.choice(os.listdir(remote_of(store) / "refs") or [""])
        pull(ref, remote_of(store), store=store, unsigned=True, root=chance.choice((None, "b")))


def _import(store: Store, chance: Chance) -> None:
    if os.path.lexists(archive_of(store)):
        import_archive(archive_of(store), store=store, root=chance.choice((None, "b")))


def _restore(store: Store, chance: Chance) -> None:
    if trashed := Trash(store.keeper.layout).all():
        store.restore(chance.choice(trashed).ref)


ACTS: tuple[Act, ...] = (
    *[_realize] * 4,
    lambda store, chance: store.gc(unreachable=True, trash=chance.choice(("0d", "1d")), forget=chance.random() < 0.3),
    _verify,
    _pull,
    _import,
    _restore,
    _with_one(lambda store, chance, one: push(one, remote_of(store), store=store, sign=False)),
    _with_one(lambda store, chance, one: export(one, archive_of(store), store=store)),
    _with_one(lambda store, chance, one: copy(one, to=other_of(store), store=store)),
    _with_one(lambda store, chance, one: store.root("a", one)),
    _with_one(lambda store, chance, one: store.remove(one)),
    lambda store, chance: store.unroot(chance.choice("ab")),
    lambda store, chance: store.du(),
)


def storm(place: Path, seconds: float, processes: int = 8, seed: int = 0, *, deaths: bool = True) -> Row:
    """Let them, in an empty place; what any of them met that was no error of ours, and what is wrong afterwards.

    Args:
        place: where.
        seconds: for how long.
        processes: how many at once.
        seed: of what each of them chooses.
        deaths: whether one of them is killed now and then, and another one comes in its place.
    """
    row = Row("storm", "all at once", 0)
    path = place / "store"
    place.mkdir()
    numbers, until, chance = itertools.count(seed), time.monotonic() + seconds, Chance(seed)

    def start() -> Child:
        return Child(partial(_live, path, until, next(numbers)))

    children = [start() for _ in range(processes)]
    while deaths and time.monotonic() < until - 1:
        time.sleep(chance.random() / 2)
        dead = children.pop(chance.randrange(processes))
        os.kill(dead.pid, signal.SIGKILL)
        if problem := dead.join().problem.replace("it was ended by signal 9", ""):
            row.add("a death", problem)
        children.append(start())
    for child in children:
        ended = child.join(seconds + 60)
        count, failures = ended.told or (0, [ended.problem])
        row.merge(count, [f"storm: {failure}" for failure in failures])
    row.add("the end", told(one for one in problems(path, STAGES) if not one.what.endswith(REMOVED)))
    ended = Child(lambda: _sweep(path)).join()
    row.add("the end", ended.problem or ", ".join(debris(path)))
    return row


def _live(path: Path, until: float, seed: int) -> tuple[int, list[str]]:
    warnings.simplefilter("error")
    chance, count, failures = Chance(seed), 0, []
    while time.monotonic() < until:
        store = Store(path if chance.random() < 0.8 else other_of(Store(path)).path)
        try:
            chance.choice(ACTS)(store, chance)
        except PylightnixError as error:  # such as for what another one has removed
            if not error.what:
                failures.append(f"an error that says nothing: {error!r}")
        except BaseException:
            failures.append(traceback.format_exc())
        gc.collect()  # what a program has no more in hand, it holds no more
        count += 1
    return count, failures[:5]


def _sweep(path: Path) -> None:
    debris_.ABANDONED = -1.0
    collect(Store(path))
