"""Upkeep of a store with many small realizations: collecting, verifying, listing, weighing, against floors."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.chain import discard
from bench.processes import HERE, python
from bench.rows import Row, against, interleaved
from pylightnix.store.store import Store
from pylightnix.store.trees import hash_tree

COUNT = 10_000
SMALL = 3_000
BIG_COUNT = 8
BIG = 64_000_000
SECOND = 1.0
COPIES = 3
WARM = 7


def measure(scale: float, place: Path) -> list[Row]:
    """The rows; `scale` is a factor on numbers and sizes, `place` a directory to work in."""
    count = max(20, round(COUNT * scale))
    many, big, one = place / "many", place / "big", place / "one"
    print(f"realizing {count:,} for upkeep …", file=sys.stderr)
    _fill(many, "each", count, SMALL)
    _fill(big, "each", BIG_COUNT, int(BIG * scale))
    _fill(one, "together", 2 * count, SMALL)
    name = f"{count:,} realizations"
    rows = [_list(f"ls of {name}", ["ls"], many), _list(f"du of {name}", ["du"], many)]
    rows.append(_verify(f"verifying {BIG_COUNT * BIG * scale / 1e6:,.0f} MB in big files", big, 1 / 0.8))
    rows.append(_verify(f"verifying {2 * count:,} small files in one realization", one, 1 / 0.8))
    rows.append(_verify(f"verifying {name} of one small file", many, None))
    rows.append(_collect(f"collecting {name}, against rmtree", many, place / "trashed", "7d"))
    rows.append(_collect("the same with --now, against rmtree", many, place / "removed", "0d"))
    discard(many)
    discard(big)
    discard(one)
    rows.append(_hold(count, place / "held"))
    return rows


def _fill(store: Path, shape: str, count: int, size: int) -> None:
    """So many files of a size, each a realization or all together one."""
    python([str(HERE / "items.py"), shape, str(count), str(size)], {"PYLIGHTNIX_STORE": str(store)})


def _hold(count: int, store: Path) -> Row:
    """A warm realize in a new process, against one that keeps nothing from being collected."""
    environment = {"PYLIGHTNIX_STORE": str(store), "PYTHONPATH": str(HERE.parent), "PYLIGHTNIX_DURABILITY": "none"}

    def took(kind: str) -> float:
        return python([str(HERE / "holding.py"), kind, str(count)], environment).inside

    took("held")
    ours, floor = interleaved([lambda: took("held"), lambda: took("loose")], WARM)
    return against(f"warm realize of {count:,} stages with locks and a root, against without", ours, floor, 1.1)


def _list(name: str, command: list[str], store: Path) -> Row:
    """A command as people start it, against a second."""
    arguments = ["-m", "pylightnix", *command, "--store", str(store)]
    return against(name, min(python(arguments).outside for _ in range(3)), SECOND, 1.0)


def _verify(name: str, store: Path, limit: float | None) -> Row:
    """Verifying, against hashing the same trees."""
    trees = sorted(store.joinpath("store").iterdir())

    def hash_all() -> None:
        for tree in trees:
            hash_tree(tree)

    ours, floor = _in_turn(lambda: Store(store).verify(), hash_all, 3)
    return against(f"{name}, against hashing them", ours, floor, limit)


def _collect(name: str, store: Path, place: Path, trash: str) -> Row:
    """Collecting all at once, against `shutil.rmtree` of the same files, made writable; copies of it, in turn."""
    turns = iter(range(COPIES * 2))

    def collect() -> float:
        copy = shutil.copytree(store, place / str(next(turns)), symlinks=True)
        began = time.perf_counter()
        collected = Store(copy).gc(unreachable=True, trash=trash)
        took = time.perf_counter() - began
        if not collected.victims or any((copy / "store").iterdir()):
            raise SystemExit("the collection has not collected all")
        return took

    def remove() -> float:
        copy = shutil.copytree(store / "store", place / str(next(turns)), symlinks=True)
        for directory, _, _ in os.walk(copy):
            os.chmod(directory, 0o755)
        began = time.perf_counter()
        shutil.rmtree(copy)
        return time.perf_counter() - began

    ours, floor = interleaved([collect, remove], COPIES)
    discard(place)
    return against(name, ours, floor, 3.0)


def _in_turn(ours: Callable[[], object], floor: Callable[[], object], times: int) -> tuple[float, float]:
    """The best of each, taken in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(times):
        for index, side in enumerate((ours, floor)):
            began = time.perf_counter()
            side()
            best[index] = min(best[index], time.perf_counter() - began)
    return best[0], best[1]
