"""What a run costs on a Dask cluster, beside what Dask's own `client.map` takes for functions that do nothing."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from pathlib import Path

from bench.rows import Row, against
from pylightnix import Build, realize, stage

RUNS = 1000


@stage
def nothing(build: Build, number: int) -> int:
    return number


def idle(number: int) -> int:
    return number


def start_python(number: int) -> int:
    """A fresh interpreter, as each run has."""
    subprocess.run([sys.executable, "-c", "pass"], check=True, stdin=subprocess.DEVNULL)
    return number


def measure(scale: float, place: Path) -> list[Row]:
    """Rows for runs on a cluster of two workers; none, with the reason, where Dask is not installed."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        print("engines: skipped, distributed is not installed")
        return []
    count = max(10, round(RUNS * scale))
    with (
        warnings.catch_warnings(),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,  # type: ignore[no-untyped-call,unused-ignore]
        Client(cluster) as client,  # type: ignore[no-untyped-call,unused-ignore]
    ):
        warnings.simplefilter("ignore")
        client.gather(client.map(start_python, range(4), pure=False))
        took = []
        for function in (idle, start_python):
            began = time.perf_counter()
            client.gather(client.map(function, range(count), pure=False))
            took.append(time.perf_counter() - began)
        began = time.perf_counter()
        realize([nothing(number) for number in range(count)], store=place / "dask", executor=client, quiet=True)
        ours = time.perf_counter() - began
    return [
        against(f"{count} runs on Dask, against client.map of nothing", ours, took[0], None, per=count),
        against(f"{count} runs on Dask, against client.map of a bare Python", ours, took[1], None, per=count),
    ]
