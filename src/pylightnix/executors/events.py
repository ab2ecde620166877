"""What the process of a run tells by its pipe of events, and what its silence means. Unaware of pipes and processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pylightnix.model.build import Failure

_SHOWN = 10

_SHELL = 128
"""A fence tells a signal as shells do, by an exit code of so much more; the supervisor itself has none above."""


@dataclass(slots=True)
class Told:
    """What came so far.

    Attributes:
        worker: the process of the user's code, once it was started.
        result: what the worker says came of the run.
        end: what the supervisor says when all processes have ended: status (negative: a signal), maxrss, swept (how
            many the worker left), left (the numbers of those that could not be ended), told (None, or who told it to
            end the run: a signal's number, 0 because nobody seemed to wait for it).
    """

    worker: int | None = None
    result: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    _rest: bytearray = field(default_factory=bytearray)

    def hear(self, data: bytes) -> Iterator[tuple[float, float | None]]:
        """Take some bytes; gives the messages of progress among them."""
        self._rest += data
        if b"\n" not in data:
            return
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:  # empty, or cut off by the worker's death
                continue
            if "progress" in message:
                done, total = message["progress"]
                yield done, total
            elif "result" in message:
                self.result = message["result"]
            elif "worker" in message:
                self.worker = message["worker"]
            elif "status" in message:
                self.end = message


def why_lost(
    told: Told, code: int, *, stopped: bool, late: float | None = None, starved: int | None = None
) -> Failure | None:
    """Why there is no result, or none that counts; None if there is one.

    A result counts when all processes of the run have ended: what is left could write into the artifacts yet.

    Args:
        told: what was told.
        code: the supervisor's exit code, negative for a signal.
        stopped: whether the run was ended from here.
        late: the seconds that it might take, if it was ended because it took longer.
        starved: how many processes the system killed for want of memory meanwhile; None where it does not tell.
    """
    if told.result is not None and told.end is not None:
        if told.end["left"]:
            return _left(told.end["left"])
        if late is None or not told.result["failure"]:
            return None
    if late is not None:
        hint = "what it left in build.checkpoint is there for the next attempt; timeout= of the stage gives it longer"
        return Failure("timeout", f"the run took longer than {late:g} s, and was ended", "", {"timeout": late}, hint)
    if stopped:
        return Failure("killed", "the run was ended because the executor was stopped", fields={"stopped": True})
    if told.worker is None:
        return Failure(
            "transport",
            f"the process for the run did not come up: it {_ending(code)}",
            hint=_killer(-code, starved)
            if code < 0
            else "the log of the run has what it said; see whether this Python can import pylightnix",
        )
    if told.end is None:
        code = _SHELL - code if code > _SHELL else code
        hint = "whatever the builder left may still run, so nothing of the run is kept" if told.result else ""
        hint = hint or _killer(-code, starved)
        return Failure("killed", f"the process that watched over the run {_ending(code)}", hint=hint)
    status = told.end["status"]
    if status >= 0:
        return Failure("exit", f"the process {_ending(status)} before the builder returned", fields={"code": status})
    if told.end.get("told") is not None:
        return _told_to(told.end["told"])
    hint = _killer(-status, starved)
    return Failure("killed", f"the process {_ending(status)}", fields={"signal": _signal_name(-status)}, hint=hint)


def _told_to(number: int) -> Failure:
    """It was the supervisor that ended the run, and not this process that told it to."""
    if not number:
        return Failure("killed", "the run was ended because nobody seemed to wait for it any more")
    name = _signal_name(number)
    what = f"the run was ended because {name} came to the process that watched over it"
    return Failure(
        "killed", what, fields={"signal": name}, hint="somebody sent it, or the process that had started it was killed"
    )


def _killer(number: int, starved: int | None) -> str:
    """What is known of who killed a process: the kernel counts what it kills for want of memory."""
    if number != signal.SIGKILL:
        return ""
    if starved is None:
        return "somebody sent that signal, or the kernel did for want of memory, which it does not tell here"
    if not starved:
        return "somebody sent that signal: the kernel killed nothing for want of memory meanwhile"
    return "meanwhile the kernel killed for want of memory; resources={'memory': …} lets fewer such runs go at once"


def _left(pids: list[int]) -> Failure:
    numbers = ", ".join(map(str, pids[:_SHOWN])) + (f" and {len(pids) - _SHOWN} more" if len(pids) > _SHOWN else "")
    return Failure(
        "killed",
        f"the builder left processes that could not be ended ({numbers})",
        fields={"left": pids},
        hint="they could write into the artifacts yet; let the builder end them, and start none as another user",
    )


def _ending(status: int) -> str:
    return f"was killed by {_signal_name(-status)}" if status < 0 else f"exited with code {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
