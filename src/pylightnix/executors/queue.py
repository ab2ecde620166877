"""The queue of Slurm as a pool: jobs are submitted by submitit, and looked for until they have ended.

Unaware of runs. Works without Slurm's accounting: `squeue` is asked what there is, never `sacct`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from pylightnix.clock import now
from pylightnix.errors import ExecutorError

POLL = 0.5
"""Seconds between two looks for results."""

ASK = 3.0
"""Seconds between two questions to Slurm, each about all jobs of this user."""

_ENDED = ("BF", "CA", "CD", "DL", "F", "NF", "OOM", "PR", "RV", "TO")
_OURS = ("setup", "teardown", "srun_args", "use_srun")


class JobLostError(Exception):
    """A job that ended without a result; the text is the state that Slurm gave last."""

    def __init__(self, job: str, state: str) -> None:
        super().__init__(state)
        self.job = job


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """In a job: call a function; what submitit does before the time is over is not for us."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    return function(*arguments)


class _Job(Future[Any]):
    """A job that is waited for."""

    def __init__(self, number: str, place: str) -> None:
        super().__init__()
        self.number = number
        self.place = place
        self.missed = 0

    def cancel(self) -> bool:
        subprocess.run(["scancel", self.number], check=False, capture_output=True)
        return False


class SlurmQueue(Executor):
    """Submits functions as jobs.

    Args:
        options: for sbatch, by name.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        named = {name.removeprefix("slurm_"): value for name, value in options.items()}
        self._own = {name: value for name, value in named.items() if name in _OURS}
        self._flags = {name.replace("_", "-"): value for name, value in named.items() if name not in _OURS}
        self._jobs: set[_Job] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(  # type: ignore[override]
        self,
        function: Callable[..., Any],
        /,
        *arguments: Any,
        place: str,
        stage: str,
        asked: Mapping[str, object],
    ) -> Future[Any]:
        """The future of a job; if there is one at that place already, of that.

        Args:
            function: importable where jobs run.
            *arguments: for it.
            place: a directory that jobs see.
            stage: for the name of the job.
            asked: flags for this job.

        Raises:
            ExecutorError: Slurm refuses it.
        """
        number = self._known(place)
        if number is None:
            number = self._new(place, stage, {**self._flags, **asked}, function, arguments)
        job = _Job(number, place)
        job.set_running_or_notify_cancel()
        with self._lock:
            self._jobs.add(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="pylightnix-slurm", daemon=True)
                self._thread.start()
        return job

    def is_known(self, place: str) -> bool:
        """Whether there is a job at a place that is queued, runs, or has left a result."""
        return self._known(place) is not None

    def result(self, place: str) -> Any:
        """What the job of a place has left; None if there is nothing that can be read."""
        import pickle

        number = self._noted(place)
        with contextlib.suppress(Exception), open(_result(place, number or ""), "rb") as file:
            return pickle.load(file)[1]
        return None

    def cancel(self, place: str) -> bool:
        """End the job of a place; whether there is one that is queued or runs.

        Raises:
            ExecutorError: Slurm does not tell.
        """
        number = self._known(place)
        if number is None or os.path.exists(_result(place, number)):
            return False
        subprocess.run(["scancel", number], check=False, capture_output=True)
        return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Look for nothing any more."""
        self._closed = True

    def _known(self, place: str) -> str | None:
        number = self._noted(place)
        if number is not None and os.path.exists(_result(place, number)):
            return number
        queue = _queue() if number is not None or os.path.exists(f"{place}/submitit") else {}
        if queue is None:
            raise ExecutorError("Slurm does not say what is queued", hint="see what squeue says", executor="slurm")
        for known, (state, comment) in queue.items():
            if state not in _ENDED and (known == number or comment == os.path.basename(place)):
                return known
        return None

    @staticmethod
    def _noted(place: str) -> str | None:
        with contextlib.suppress(OSError, ValueError, KeyError), open(f"{place}/job.json", encoding="utf-8") as file:
            return str(json.load(file)["job"])
        return None

    def _new(
        self, place: str, stage: str, flags: Mapping[str, Any], function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> str:
        import submitit

        executor = submitit.SlurmExecutor(folder=f"{place}/submitit")
        asked = {"no-requeue": True, "wckey": "", "comment": os.path.basename(place), **flags}
        executor.update_parameters(
            **self._own, time=None, job_name=asked.pop("job-name", stage), additional_parameters=asked
        )
        try:
            number = str(executor.submit(call, function, *arguments).job_id)
        except Exception as error:
            raise ExecutorError(f"Slurm refuses the job: {error}", where=stage, executor="slurm") from error
        with open(f"{place}/job.new", "w", encoding="utf-8") as file:
            json.dump({"job": number, "stage": stage, "submitted": int(now())}, file)
        os.replace(f"{place}/job.new", f"{place}/job.json")
        return number

    def _watch(self) -> None:
        asked = time.monotonic()
        while True:
            time.sleep(POLL)
            with self._lock:
                jobs = list(self._jobs)
                if not jobs or self._closed:
                    self._thread = None
                    return
            queue = None
            if time.monotonic() - asked > ASK:
                queue, asked = _queue(), time.monotonic()
            for job in jobs:
                if self._look(job, queue):
                    with self._lock:
                        self._jobs.discard(job)

    @staticmethod
    def _look(job: _Job, queue: Mapping[str, tuple[str, str]] | None) -> bool:
        """Whether a job has ended; if so its future is done."""
        path = _result(job.place, job.number)
        if os.path.exists(path):
            import pickle

            try:
                with open(path, "rb") as file:
                    outcome, value = pickle.load(file)
            except Exception as error:
                job.set_exception(error)
                return True
            if outcome == "success":
                job.set_result(value)
            else:
                job.set_exception(RuntimeError(str(value).strip().rpartition("\n")[2]))
            return True
        if queue is None:
            return False
        state = queue.get(job.number, ("gone from the queue", ""))[0]
        job.missed = job.missed + 1 if job.number not in queue or state in _ENDED else 0
        if job.missed < 2:  # what it wrote may not be seen here yet
            return False
        job.set_exception(JobLostError(job.number, state))
        return True


def _result(place: str, number: str) -> str:
    return f"{place}/submitit/{number}_0_result.pkl"


def _queue() -> dict[str, tuple[str, str]] | None:
    """State and comment of the jobs of this user that Slurm knows of; None if it does not tell."""
    done = subprocess.run(
        ["squeue", "--noheader", "--me", "--states=all", "--format=%A|%t|%k"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        return None
    rows = (line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2)
    return {number: (state, comment) for number, state, comment in rows}
