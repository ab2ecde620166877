"""Measures tree hashes against floors of the same run, on files that the system holds in memory.

`python -m bench.trees [SCALE]` prints a table; a scale of 0.1 takes a tenth of the bytes and files.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from bench.rows import Row, table
from pylightnix.store.removal import remove_tree
from pylightnix.store.sealing import seal_top
from pylightnix.store.trees import hash_tree

BIG = 2_000_000_000
MANY = 20_000
SMALL = 3_000
MIB = 1 << 20

PEAK = """
import re, sys
from pathlib import Path
from pylightnix.store.trees import hash_tree
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
small, big = map(Path, sys.argv[1:])
hash_tree(small)
before = peak()
hash_tree(big)
print((peak() - before) * 1024)
"""


def measure(scale: float = 1.0) -> list[Row]:
    """One row for each measurement.

    Args:
        scale: multiplies bytes and numbers of files.
    """
    with tempfile.TemporaryDirectory(prefix="bench-trees-") as place:
        root = Path(place)
        return [*_big(root, scale), *_many(root, scale), _tiny(root, scale)]


def _times(name: str, ours: float, floor: float, limit: float) -> Row:
    """A row of two times, given in seconds, shown in milliseconds."""
    return Row(name=name, unit="ms", ours=ours * 1e3, floor=floor * 1e3, ratio=ours / floor, limit=limit)


def _best(rounds: int, *contenders: tuple[Callable[[], object], Callable[[], object]]) -> list[float]:
    """The best time of each (prepare, run), in seconds; they take turns, so that they share the machine's moods."""
    best = [float("inf")] * len(contenders)
    for _ in range(rounds):
        for index, (prepare, run) in enumerate(contenders):
            prepare()
            start = time.perf_counter()
            run()
            best[index] = min(best[index], time.perf_counter() - start)
    return best


def _nothing() -> None:
    """Prepare nothing."""


def _big(root: Path, scale: float) -> list[Row]:
    """One big file: speed against the library's own best, which maps the file; and memory."""
    size = int(BIG * scale)
    big, small = root / "big", root / "small"
    for directory in (big, small):
        directory.mkdir()
    block = os.urandom(MIB)
    with open(big / "data", "wb") as file:
        for start in range(0, size, MIB):
            file.write(block[: size - start])
    (small / "data").write_bytes(block[:SMALL])
    ours, floor = _best(
        7,
        (_nothing, lambda: hash_tree(big)),
        (_nothing, lambda: blake3(max_threads=blake3.AUTO).update_mmap(big / "data").hexdigest()),
    )
    what = f"one file of {size / 1e9:.3g} GB"
    rows = [_times(f"{what}, against blake3's update_mmap", ours, floor, 1 / 0.9)]
    if sys.platform == "linux":
        peak = subprocess.run([sys.executable, "-c", PEAK, small, big], capture_output=True, text=True, check=True)
        grown = int(peak.stdout) / MIB
        rows.append(
            Row(name=f"peak memory for {what}, against 1 MiB", unit="MiB", ours=grown, floor=1, ratio=grown, limit=16)
        )
    remove_tree(big)
    return rows


def _many(root: Path, scale: float) -> list[Row]:
    """Many small files, against a loop that opens and reads them, and one that makes them read-only too."""
    many = root / "many"
    count = max(100, int(MANY * scale))
    paths = [str(many / f"{index // 1000}" / f"file-{index}.bin") for index in range(count)]
    data = os.urandom(SMALL + count)
    for index, path in enumerate(paths):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data[index : index + SMALL])

    def read() -> None:
        for path in paths:
            with open(path, "rb") as file:
                file.read()

    def read_and_seal() -> None:
        for path in paths:
            with open(path, "rb") as file:
                file.read()
                os.fchmod(file.fileno(), 0o444)

    def unseal() -> None:
        for path in paths:
            os.chmod(os.path.dirname(path), 0o755)
            os.chmod(path, 0o644)

    hashed, floor, sealed, sealed_floor = _best(
        5,
        (_nothing, lambda: hash_tree(many)),
        (_nothing, read),
        (unseal, lambda: hash_tree(many, seal=True)),
        (unseal, read_and_seal),
    )
    remove_tree(many)
    return [
        _times(f"{count} files of {SMALL} bytes, against open and read", hashed, floor, 2.0),
        _times(f"{count} files hashed and sealed, against open, read and chmod", sealed, sealed_floor, 2.0),
    ]


def _tiny(root: Path, scale: float) -> Row:
    """A tree of one file that is a promise, as most builds make it, against the bare system calls."""
    count = max(100, int(2000 * scale))
    trees = [root / f"tiny-{index}" for index in range(count)]
    for tree in trees:
        tree.mkdir()
        (tree / "model.bin").write_bytes(b"weights" * 16)

    def unseal() -> None:
        for tree in trees:
            tree.chmod(0o755)
            (tree / "model.bin").chmod(0o644)

    def hash_and_seal() -> None:
        for tree in trees:
            hash_tree(tree, ("model.bin",), io.BytesIO(), seal=True)
            seal_top(tree)

    def system_calls() -> None:
        for tree in trees:
            top = os.open(tree, os.O_RDONLY)
            os.listdir(top)
            file = os.open("model.bin", os.O_RDONLY, dir_fd=top)
            os.fstat(file)
            os.fchmod(file, 0o444)
            os.read(file, 200)
            os.close(file)
            os.fchmod(top, 0o555)
            os.close(top)

    ours, floor = _best(5, (unseal, hash_and_seal), (unseal, system_calls))
    unseal()
    name = f"{count} trees of one file, hashed and sealed, against the system calls"
    return _times(name, ours, floor, 4.0)


def main() -> None:
    """Print a table."""
    print(table(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)))


if __name__ == "__main__":
    main()
