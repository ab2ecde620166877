"""Runs builders as jobs of Slurm. A job goes on when whoever waits for it is gone, and the next realize finds it again.

Each run has a place of its own in the store, `tmp/slurm/<key>-<run>-<id>`: the job builds there, and not in the
workspace of the realize that submitted it, which ends with that. Whoever waits for a job has its place locked. A
run apart, as of a check, is of no use to others: its job ends with whoever waits, and its place is `tmp/<id>.slurm`.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from pylightnix.errors import ExecutorError
from pylightnix.executors.desk import Desk
from pylightnix.executors.futures import TAKEN_BACK, FuturesExecutor
from pylightnix.executors.jobs import Place
from pylightnix.executors.queue import JobLostError, SlurmQueue
from pylightnix.model.build import BuildRequest, BuildResult, Failure, Progress

SLOTS = 500
_PLACE = re.compile(r"[0-9a-z]+-(?P<run>[0-9]{1,9})-[0-9]{1,10}-[0-9a-f]{12}")


class SlurmExecutor(FuturesExecutor):
    """Gives each run to Slurm as a job of its own, by `sbatch`; needs the extra `slurm`.

    What a stage wants is asked of Slurm: cpus (`--cpus-per-task`), gpus (`--gres=gpu:N`), memory (`--mem`), other names
    (`--licenses`), and its timeout (`--time`, rounded up, with a minute more).

    Args:
        slots: how many jobs there are at a time, queued ones included.
        leave: whether jobs go on when the realize is interrupted, for the next one to take over. However it dies
            otherwise, they go on.
        **options: for sbatch, such as partition="gpu", account="lab"; setup=[…] are lines of shell before the job.

    Raises:
        ExecutorError: there is no Slurm here, or no submitit.
    """

    def __init__(self, *, slots: int = SLOTS, leave: bool = False, **options: Any) -> None:
        if shutil.which("sbatch") is None:
            raise ExecutorError("there is no sbatch here", hint="realize where jobs can be submitted", executor="slurm")
        try:
            import submitit  # noqa: F401
        except ImportError:
            hint = 'pip install "pylightnix[slurm]"'
            raise ExecutorError("submitit is not installed", hint=hint, executor="slurm") from None
        self._queue = SlurmQueue(options)
        self._leave = leave
        self._places: dict[tuple[str, int], Place] = {}
        self._given_up: dict[str, list[Place]] = {}
        super().__init__(self._queue, name="slurm", slots=slots, options=_asked)

    def resume(self, store: str, key: str) -> int | None:
        """Take over a run of this key that nobody waits for any more: its index, None if there is none.

        What is submitted with this key and index is then not submitted again: if its job is queued or runs, it is
        waited for; if it has ended, its result is taken; if it is gone without one, there is a new job in its place.
        """
        above = f"{store}/tmp/slurm"
        try:
            names = sorted(os.listdir(above))
        except OSError:
            return None
        for name in names:
            form = _PLACE.fullmatch(name)
            if form is None or not name.startswith(f"{_digits(key)}-"):
                continue
            with contextlib.suppress(OSError):  # somebody has it, or it was just removed
                place = Place.take(f"{above}/{name}")
                if self._was_given_up(place):
                    self._given_up.setdefault(key, []).append(place)
                    continue
                self._places[key, int(form["run"])] = place
                return int(form["run"])
        return None

    def _was_given_up(self, place: Place) -> bool:
        """Whether whoever waited wanted the job to end, and did not stay to see that it did."""
        desks = [Desk(f"{place.path}/{name}") for name in os.listdir(place.path) if name.endswith(".desk")]
        if not any(desk.taken_by() == TAKEN_BACK or desk.wanted() in ("stop", "now") for desk in desks):
            return False
        result = self._queue.result(place.path)
        return not isinstance(result, BuildResult) or result.failure is not None

    def _inherit(self, key: str, heir: Place) -> None:
        """See to what was given up of a key: its job ends, and what it left in its checkpoint is for this run."""
        for place in self._given_up.pop(key, ()):
            if self._queue.cancel(place.path):
                place.release()  # it still writes
            else:
                place.bequeath(heir)

    def submit(self, request: BuildRequest, progress: Progress | None = None) -> Future[BuildResult]:
        """Submit a job, or wait for the one that there is.

        Raises:
            ExecutorError: the executor was stopped, or Slurm refuses the job.
        """
        self._refuse_if_stopped()
        place = self._places.pop((request.key, request.run), None)
        if place is None:
            place = Place.make(_new_place(request))
        if os.path.lexists(request.checkpoint):
            os.rename(request.checkpoint, f"{place.path}/checkpoint")
        self._inherit(request.key, place)
        os.makedirs(f"{place.path}/out", exist_ok=True)
        there = request._replace(
            out=f"{place.path}/out",
            scratch=f"{place.path}/scratch",
            checkpoint=f"{place.path}/checkpoint",
            log=f"{place.path}/log",
        )
        told = None if progress is None else lambda _, done, total: progress(request, done, total)
        outer: Future[BuildResult] = Future()
        outer.set_running_or_notify_cancel()
        try:
            inner = super().submit(there, told)
        except BaseException:
            place.give_up(request)
            raise
        inner.add_done_callback(functools.partial(self._bring, request, place, outer))
        return outer

    def stop(self) -> None:
        """End all jobs, or leave them, as was said when this was made."""
        if self._leave:
            self._leave_jobs()
        super().stop()
        for place in (*self._places.values(), *(one for given_up in self._given_up.values() for one in given_up)):
            place.release()
        self._queue.shutdown()

    def _leave_jobs(self) -> None:
        with self._lock:
            self._stopped = True
            left = [order for order in self._open if not order.settled and self._outlasts(order.request)]
            self._open.difference_update(left)
        for order in left:
            order.settled = True
            failure = Failure("killed", "nobody waits any more; the job goes on", fields={"stopped": True})
            order.future.set_result(self._without_run(failure))

    def _outlasts(self, request: BuildRequest) -> bool:
        return not request.apart

    def _bring(
        self, request: BuildRequest, place: Place, outer: Future[BuildResult], inner: Future[BuildResult]
    ) -> None:
        result = inner.result()
        stopped = self._stopped and result.failure is not None and result.failure.fields.get("stopped")
        if stopped and self._leave and self._outlasts(request):
            place.release()
        else:
            place.give_up(request)
        outer.set_result(result)

    def _desk(self, request: BuildRequest) -> Desk:
        """The one at which the job listens, if there is a job."""
        place = os.path.dirname(request.scratch)
        desks = [name for name in os.listdir(place) if name.endswith(".desk")]
        if desks and self._queue.is_known(place):
            return Desk(f"{place}/{desks[0]}")
        for name in desks:
            shutil.rmtree(f"{place}/{name}", ignore_errors=True)
        return super()._desk(request)

    def _lost(self, error: BaseException, begun: str) -> Failure:
        if not isinstance(error, JobLostError):
            return super()._lost(error, begun)
        state = str(error)
        fields = {"job": error.job, "state": state}
        if state == "TO":
            return Failure("timeout", f"job {error.job} took longer than Slurm allowed", fields=fields)
        hint = 'ask for more: resources={"memory": …}' if state == "OOM" else f"sacct -j {error.job} may tell why"
        return Failure("killed", f"job {error.job} ended without a result: {state}", fields=fields, hint=hint)


def _new_place(request: BuildRequest) -> str:
    """Where the next realize looks for it; or beside what ends with whoever waits, and is swept with that."""
    unique, beside = f"{os.getpid()}-{secrets.token_hex(6)}", os.path.dirname(request.scratch)
    if request.apart:
        return f"{beside}/{unique}.slurm"
    above = f"{request.store}/tmp/slurm" if request.store else f"{beside}/slurm"
    return f"{above}/{_digits(request.key)}-{request.run}-{unique}"


def _digits(key: str) -> str:
    return key.partition("-")[0]


def _asked(request: BuildRequest) -> Mapping[str, Any]:
    """What is asked of Slurm for a run."""
    return {"place": os.path.dirname(request.scratch), "stage": request.stage, "asked": dict(_flags(request))}


def _flags(request: BuildRequest) -> Iterator[tuple[str, object]]:
    conditions = request.conditions
    licenses = []
    for name, amount in conditions.resources.items():
        if name == "cpus":
            yield "cpus-per-task", max(1, math.ceil(amount))
        elif name == "memory":
            yield "mem", f"{math.ceil(amount / 2**20)}M"
        elif name == "gpus":
            if amount:
                yield "gres", f"gpu:{math.ceil(amount)}"
        elif amount:
            licenses.append(f"{name}:{math.ceil(amount)}")
    if licenses:
        yield "licenses", ",".join(licenses)
    if conditions.timeout is not None:
        yield "time", math.ceil(conditions.timeout / 60) + 1
