"""Which engine it is that a user gives, and what it wants to be told. Each is imported only where it is in use already.

Unaware of how runs are carried there.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pylightnix.errors import ConfigError, ExecutorError
from pylightnix.executors.futures import FuturesExecutor
from pylightnix.executors.machine import cpus, machine_capacity
from pylightnix.model.build import BuildRequest, Executor

DASK_SLOTS = 256
_DASK_NAMES = {"cpus": "CPU", "gpus": "GPU", "memory": "MEMORY"}
_YES_NO = {"yes": True, "true": True, "1": True, "": True, "no": False, "false": False, "0": False}
_FRESH = 10.0
"""Seconds for which we believe what a Dask cluster said of its workers."""


def adapt(given: object) -> FuturesExecutor:
    """The executor for an engine: a `concurrent.futures.Executor`, or the client of a Dask cluster.

    Raises:
        ConfigError: it is nothing of that kind.
    """
    from concurrent.futures import Executor as Pool

    distributed = sys.modules.get("distributed")
    if distributed is not None and isinstance(given, distributed.Client):
        return dask(given)
    if not isinstance(given, Pool):
        raise ConfigError(
            f"executor={given!r} runs no builders", where="realize",
            hint='"inline", "process", "slurm", "dask:ADDRESS", an Executor of pylightnix, a '
            "concurrent.futures.Executor, or the Client of a Dask cluster",
        )  # fmt: skip
    module = type(given).__module__.partition(".")[0]
    if module == "distributed":
        return dask(given._client, given)  # type: ignore[attr-defined]
    if module in ("concurrent", "loky", "joblib"):  # on this machine
        name = "loky" if module != "concurrent" else "threads" if "Thread" in type(given).__name__ else "pool"
        workers = getattr(given, "_max_workers", None) or cpus()
        return FuturesExecutor(given, name=name, slots=workers, capacity=machine_capacity())
    return FuturesExecutor(given)


def dask(client: Any, pool: Any = None) -> FuturesExecutor:
    """The executor for a Dask cluster.

    Args:
        client: of the cluster.
        pool: `client.get_executor(…)`, if there is one already.
    """
    workers = _Workers(client)

    def options(request: BuildRequest) -> Mapping[str, Any]:
        resources = workers.names(request) if request.conditions.resources else {}
        return {"pure": False, "retries": 0, **({"resources": resources} if resources else {})}

    pool = client.get_executor() if pool is None else pool
    return FuturesExecutor(pool, name="dask", slots=DASK_SLOTS, options=options)


class _Workers:
    """What the workers of a Dask cluster said that they have."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._until = 0.0
        self._declared: list[Mapping[str, float]] = []

    def names(self, request: BuildRequest) -> dict[str, float]:
        """What a run takes, under the names that the cluster has for it.

        Raises:
            ExecutorError: no worker has that, or so much of it: the run would wait for ever.
        """
        if time.monotonic() > self._until:
            found = self._client.scheduler_info(n_workers=-1)["workers"].values()
            self._declared = [worker.get("resources") or {} for worker in found]
            self._until = time.monotonic() + _FRESH
        asked = request.conditions.resources
        return {self._name(request, name): amount for name, amount in asked.items() if amount and _counts(name, amount)}

    def _name(self, request: BuildRequest, name: str) -> str:
        theirs = _DASK_NAMES.get(name, name)
        if not self._declared:  # workers may come yet
            return theirs
        amount = request.conditions.resources[name]
        for known in (name, theirs):
            most = max(worker.get(known, 0) for worker in self._declared)
            if most >= amount:
                return known
        most = max(worker.get(known, 0) for worker in self._declared for known in (name, theirs))
        raise ExecutorError(
            f"no worker of the Dask cluster has {name}={amount:g}; the most that one said to have is {most:g}",
            where=request.stage, executor="dask",
            hint=f'start workers that say so: dask worker … --resources "{theirs}={amount:g}"',
        )  # fmt: skip


def _counts(name: str, amount: float) -> bool:
    """One processor is a thread of a worker anyway."""
    return name != "cpus" or amount > 1


@contextlib.contextmanager
def named(name: str) -> Iterator[Executor]:
    """The executor for `dask:ADDRESS`, `slurm` or `slurm:partition=gpu,account=x`, for as long as it is needed.

    Raises:
        ExecutorError: there is no such cluster here, or what talks to it is not installed.
    """
    kind, _, rest = name.partition(":")
    if kind == "slurm":
        from pylightnix.executors.slurm import SlurmExecutor

        executor = SlurmExecutor(**_slurm_options(name, rest))
        try:
            yield executor
        finally:
            executor.stop()
        return
    with _client(name, rest or os.environ.get("DASK_SCHEDULER_ADDRESS", "")) as client:
        made = dask(client)
        try:
            yield made
        finally:
            made.stop()


def _slurm_options(name: str, text: str) -> dict[str, Any]:
    """Options for sbatch as texts, and those that are ours as what they are.

    Raises:
        ConfigError: one of ours says something that it cannot.
    """
    options: dict[str, Any] = dict(part.partition("=")[::2] for part in text.split(",") if part)
    if "slots" in options:
        if not options["slots"].isdecimal() or not int(options["slots"]):
            raise ConfigError(
                f"slots={options['slots']} is no number of jobs", where=name, hint="such as slurm:slots=20"
            )
        options["slots"] = int(options["slots"])
    if "leave" in options:
        if options["leave"] not in _YES_NO:
            raise ConfigError(
                f"leave={options['leave']} is neither yes nor no", where=name, hint="such as slurm:leave=yes"
            )
        options["leave"] = _YES_NO[options["leave"]]
    return options


def _client(name: str, address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise ExecutorError(
            "Dask is not installed", where=name, hint='pip install "pylightnix[dask]"', executor="dask"
        ) from None
    if not address:
        raise ExecutorError("which scheduler?", where=name, hint="such as dask:tcp://host:8786", executor="dask")
    try:
        return Client(address, timeout=10)  # type: ignore[no-untyped-call,unused-ignore]
    except (OSError, ValueError) as error:
        raise ExecutorError(
            f"there is no Dask scheduler: {error}", where=name, hint="such as dask:tcp://host:8786", executor="dask"
        ) from error
