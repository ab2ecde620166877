"""What is told of a run that failed: why, what it was, what it wrote, where that is kept. Unaware of stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.hashing import canonical
from pylightnix.model.build import Failure
from pylightnix.model.keeping import Change
from pylightnix.names import printable

LOG_TAIL = 20
"""Lines of the log that stand in the message of a failure."""


class Kept(NamedTuple):
    """Where what a failed run left is kept, or why it is not."""

    place: Path | None
    problem: str = ""

    @property
    def told(self) -> str:
        """The same in words."""
        return f"kept: {printable(str(self.place))}" if self.place else f"nothing could be kept: {self.problem}"

    @property
    def fields(self) -> dict[str, object]:
        """The same for a program."""
        return {"kept": str(self.place)} if self.place else {"not_kept": self.problem}


def spoilt_by(changes: Sequence[Change]) -> Failure | None:
    """What a change of inputs means for the run that was given them."""
    if not changes:
        return None
    refs = list(dict.fromkeys(change.ref for change in changes))
    told = [f"{change.ref.name} {change.ref.short}: {change.what}" for change in changes]
    mend = " ".join(["pylightnix verify --repair", *(ref.short for ref in refs)])
    return Failure(
        "input",
        f"what it was given was changed while it ran: {'; '.join(told)}",
        fields={"inputs": refs, "changes": told},
        hint=f"inputs are for reading: let the builder change a copy in build.scratch; mend the store with: {mend}",
    )


def last_lines(text: str) -> str:
    """The end of a log, safe to be shown."""
    return "\n".join(printable(line) for line in text.splitlines()[-LOG_TAIL:])


def failure_text(about: Mapping[str, Any], failure: Failure, log: str, kept: Kept) -> str:
    """All that helps to find out why, below the one sentence that says what.

    Args:
        about: the run: stage, params, run, seed.
        failure: what went wrong.
        log: its last lines.
        kept: where what it left is.
    """
    params = canonical(about["params"]).decode()
    lines = [failure.hint] if failure.hint else []
    lines += [
        f"parameters: {printable(params if len(params) <= 400 else params[:397] + '…')}",
        f"run {about['run']}, seed {about['seed']}",
    ]
    if failure.traceback:
        lines += [
            "traceback of the builder:",
            *(f"  {printable(line)}" for line in failure.traceback.rstrip().splitlines()[-30:]),
        ]
    if log:
        lines += ["last lines of its log:", *(f"  {line}" for line in log.splitlines())]
    lines.append(kept.told)
    if kept.place is not None:
        lines.append(f"to look again: pylightnix show {kept.place.name}")
    return "\n  ".join(lines)
