"""What this machine has for runs to take. Unaware of runs."""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence

from pylightnix.executors import cgroups
from pylightnix.executors.telling import host_facts
from pylightnix.hashing import digest_bytes
from pylightnix.model.conditions import Conditions

_GPU = re.compile(r"nvidia[0-9]+")


def machine_capacity() -> Mapping[str, float]:
    """cpus, gpus, and memory in bytes where the system tells it; the system is asked at the first look."""
    return _Capacity()


class _Capacity(Mapping[str, float]):
    """Asking takes a millisecond, and most realizes have no stage that says what it takes."""

    @functools.cached_property
    def _found(self) -> Mapping[str, float]:
        memory = _memory()
        return {"cpus": cpus(), "gpus": len(gpus()), **({"memory": memory} if memory else {})}

    def __getitem__(self, name: str) -> float:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def scope() -> str:
    """Which part of which machine this process may use, as a word: who may use the same one gets the same one."""
    may = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    job = os.environ.get("SLURM_JOB_ID", "")
    part = [host_facts()["host"], may, cgroups.processors(), cgroups.memory(), gpus(), job]
    return digest_bytes(repr(part).encode())[:16]


def cpus() -> int:
    """The processors that this process may use; in a container those that it was given."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = cgroups.processors()
    return there if given is None else max(1, min(there, int(given)))


def gpus() -> tuple[str, ...]:
    """The names of the graphics processors that this process may use, as `CUDA_VISIBLE_DEVICES` has them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name for name in (part.strip() for part in visible.split(",")) if name and name != "-1")
    try:
        found = [name for name in os.listdir("/dev") if _GPU.fullmatch(name)]
    except OSError:
        return ()
    return tuple(str(number) for number in sorted(int(name[6:]) for name in found))


def _memory() -> int:
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    given = cgroups.memory()
    return there if given is None else min(there, given)


class Devices:
    """Hands the graphics processors of this machine out to runs, each to one at a time.

    Args:
        count: how many there are, as far as runs may take them.
    """

    def __init__(self, count: float) -> None:
        names = gpus()
        self._names = list(names[: int(count)]) + [str(number) for number in range(len(names), int(count))]
        self._free = list(self._names)
        self._lock = threading.Lock()

    def take(self, conditions: Conditions) -> list[str] | None:
        """Those that a run may use; None if it did not say how many, or wants a part of one, and sees them all."""
        wanted = conditions.resources.get("gpus")
        if wanted is None or wanted != int(wanted):
            return None
        with self._lock:
            taken, self._free = self._free[: int(wanted)], self._free[int(wanted) :]
        return taken

    def named(self, devices: Sequence[int]) -> list[str]:
        """Those that were settled before, by their numbers."""
        return [self._names[device] for device in devices]

    def give(self, taken: list[str] | None) -> None:
        """The run has ended."""
        with self._lock:
            self._free = sorted([*self._free, *(taken or ())])
