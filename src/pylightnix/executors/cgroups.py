"""What a container or a service manager leaves to the processes in it, as Linux's control groups say. Unaware of runs.

Both versions of control groups are read. A container may show its own group as the top one, or a path that is only
there outside of it: so all groups above count too, and what is not there says nothing.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

GROUPS = "/proc/self/cgroup"
TOP = "/sys/fs/cgroup"


@functools.cache
def processors(groups: str = GROUPS, top: str = TOP) -> float | None:
    """How many processors' time these may take, which need not be a whole number; None if there is no limit."""
    found = []
    for folder in _folders("cpu", groups, top):
        said = _words(f"{folder}/cpu.max") or _words(f"{folder}/cpu.cfs_quota_us") + _words(
            f"{folder}/cpu.cfs_period_us"
        )
        quota, period = said if len(said) == 2 else ("max", "1")
        if quota.isdecimal() and period.isdecimal() and int(period):
            found.append(int(quota) / int(period))
    return min(found, default=None)


@functools.cache
def memory(groups: str = GROUPS, top: str = TOP) -> int | None:
    """How many bytes these may take together; None if there is no limit."""
    found = []
    for folder in _folders("memory", groups, top):
        for name in ("memory.max", "memory.limit_in_bytes"):
            found += [int(word) for word in _words(f"{folder}/{name}")[:1] if word.isdecimal()]
    return min(found, default=None)


def _folders(controller: str, groups: str, top: str) -> Iterator[str]:
    """Where the group of this process is described, and those above it."""
    with contextlib.suppress(OSError), open(groups, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root = f"{top}/{controller}" if controllers else top
            parts = path.strip("/").split("/") if path.strip("/") else []
            for count in range(len(parts), -1, -1):
                yield "/".join([root, *parts[:count]])


def _words(path: str) -> tuple[str, ...]:
    """The words of a file; none if it is not there."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return tuple(file.read().split())
    return ()
