"""Stages that write one file and return a number. As a script: `items.py COUNT BYTES`, into $PYLIGHTNIX_STORE."""

from __future__ import annotations

import sys
from pathlib import Path

from pylightnix import promise, realize, stage


@stage
def item(i: int, size: int, out: Path = promise("data.bin")) -> dict[str, float]:
    """So many bytes that are not those of another item."""
    out.write_bytes(i.to_bytes(8, "big") * (size // 8))
    return {"score": i / 7}


if __name__ == "__main__":
    realize([item(i, int(sys.argv[2])) for i in range(int(sys.argv[1]))], quiet=True)
