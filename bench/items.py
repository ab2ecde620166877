"""Stages that write files. As a script: `items.py each|together COUNT BYTES`, into $PYLIGHTNIX_STORE.

Each file is a realization of its own, with a number as its value; or all are in one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pylightnix import promise, realize, stage


@stage
def item(i: int, size: int, out: Path = promise("data.bin")) -> dict[str, float]:
    """So many bytes that are not those of another item."""
    out.write_bytes(i.to_bytes(8, "big") * (size // 8))
    return {"score": i / 7}


@stage
def items(count: int, size: int, out: Path = promise("data", kind="directory")) -> None:
    """So many files, 200 of them in a directory."""
    for i in range(count):
        (out / f"{i // 200}").mkdir(exist_ok=True)
        (out / f"{i // 200}" / f"{i}.bin").write_bytes(i.to_bytes(8, "big") * (size // 8))


if __name__ == "__main__":
    count, size = map(int, sys.argv[2:])
    realize(items(count, size) if sys.argv[1] == "together" else [item(i, size) for i in range(count)], quiet=True)
