"""Who runs the builders of a call, and on what terms: the keywords of `realize` that say so, read. Unaware of plans."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pylightnix.errors import ArgumentError, ConfigError
from pylightnix.executors import InlineExecutor, LocalExecutor, ProcessExecutor
from pylightnix.executors.machine import cpus, machine_capacity
from pylightnix.model.build import Executor
from pylightnix.model.conditions import Call, Isolation, check_isolation, read_resources

ExecutorLike = Executor | Literal["inline", "process"] | Any | None
"""Any: an engine that the user has, or its name, such as "slurm"; see `pylightnix.executors.engines`."""

Jobs = int | Literal["auto"]

ISOLATION = "PYLIGHTNIX_ISOLATION"
LIMITS = "PYLIGHTNIX_LIMITS"


@contextlib.contextmanager
def executor_for(executor: ExecutorLike, jobs: Jobs, limits: Mapping[str, float | str] | None) -> Iterator[Executor]:
    """The executor that is meant; one that is made here is stopped, one that was given is its owner's to stop.

    Args:
        executor: "inline", "process", "slurm", "dask:ADDRESS", an executor, an engine, or None: by `jobs`.
        jobs: how many runs at a time; "auto": as many as there are processors.
        limits: what runs may take together, over what the machine has and `$PYLIGHTNIX_LIMITS` says.

    Raises:
        ArgumentError: these do not go together.
        ConfigError: one of them is unknown.
    """
    count = _count(jobs)
    if executor is not None and not isinstance(executor, str):
        if limits is not None:
            raise ArgumentError(
                "limits are those of this machine, and the executor was given", where="realize",
                hint="say to that executor what its workers have",
            )  # fmt: skip
        if hasattr(executor, "slots"):
            yield executor
            return
        from pylightnix.executors.engines import adapt

        engine = adapt(executor)
        try:
            yield engine
        finally:
            engine.stop()
        return
    if executor is not None and executor.partition(":")[0] in ("dask", "slurm"):
        from pylightnix.executors.engines import named

        with named(executor) as engine_executor:
            yield engine_executor
        return
    made = _make(executor, count, _capacity(limits))
    try:
        yield made
    finally:
        made.stop()


def call_for(isolation: Isolation | None, *, strict: bool) -> Call:
    """What holds for all runs of a call.

    Raises:
        ConfigError: there is no such isolation.
    """
    default = check_isolation(f"${ISOLATION}", os.environ.get(ISOLATION) or "none")
    return Call(check_isolation("realize", isolation), default or "none", strict)


def _count(jobs: object) -> int:
    if jobs == "auto":
        return cpus()
    if type(jobs) is not int or jobs < 1:
        raise ArgumentError(f"jobs={jobs!r} is no positive number", where="realize", hint='such as 4, or "auto"')
    return jobs


def _make(name: str | None, jobs: int, capacity: Mapping[str, float]) -> Executor:
    if name == "process" or (name is None and jobs > 1):
        return ProcessExecutor(jobs, capacity)
    if name is None:
        return LocalExecutor(capacity)
    if name != "inline":
        raise ConfigError(
            f"executor={name!r} is unknown",
            where="realize",
            hint='"inline", "process", "slurm", "dask:ADDRESS", or an engine',
        )
    if jobs > 1:
        raise ArgumentError(
            f"jobs={jobs} with the inline executor, which runs one builder at a time",
            where="realize",
            hint='use executor="process"',
        )
    return InlineExecutor(capacity)


def _capacity(limits: Mapping[str, float | str] | None) -> Mapping[str, float]:
    said = _from_environment()
    if limits is None and not said:
        return machine_capacity()
    return {**machine_capacity(), **said, **read_resources("realize: limits", limits or {})}


def _from_environment() -> Mapping[str, float]:
    """`$PYLIGHTNIX_LIMITS`, such as `gpus=2,memory=16G`."""
    text = os.environ.get(LIMITS, "")
    if not text.strip():
        return {}
    given: dict[str, float | str] = {}
    for part in text.split(","):
        name, _, amount = (side.strip() for side in part.partition("="))
        try:
            given[name] = float(amount)
        except ValueError:
            given[name] = amount
    return read_resources(f"${LIMITS}", given)
