"""What it takes to start: `import pylightnix` and `pylightnix --help`, over bare Python."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.processes import python, run
from bench.rows import Row, interleaved

TIMES = 15


def measure(times: int = TIMES) -> list[Row]:
    """The rows."""
    command = str(Path(sys.executable).with_name("pylightnix"))
    bare, imported, helped = interleaved(
        [
            lambda: python(["-c", "pass"]).outside,
            lambda: python(["-c", "import pylightnix"]).outside,
            lambda: run([command, "--help"]).outside,
        ],
        times,
    )
    return [_over("import pylightnix", imported, bare, 60), _over("pylightnix --help", helped, bare, 120)]


def _over(name: str, ours: float, bare: float, limit: float) -> Row:
    over = (ours - bare) * 1000
    return Row(
        name=f"{name}, over bare Python",
        ours=ours,
        floor=bare,
        ratio=over,
        limit=limit,
        unit="s",
        of="ms",
    )
