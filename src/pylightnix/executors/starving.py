"""How often the kernel has killed for want of memory, as far as it tells. Unaware of runs."""

from __future__ import annotations

COUNTERS = "/proc/vmstat"
_NAME = b"oom_kill "


def starved(counters: str = COUNTERS) -> int | None:
    """How many processes were killed so since the machine came up, in control groups too; None if that is not told."""
    try:
        with open(counters, "rb") as file:
            return next((int(line[len(_NAME) :]) for line in file if line.startswith(_NAME)), None)
    except (OSError, ValueError):
        return None
