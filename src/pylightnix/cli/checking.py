"""`check`: whether a run gives the same again."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import click

from pylightnix.cli.loading import parse_place
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import is_terminal, out, out_json, out_safe, styled
from pylightnix.cli.targets import asked, flatten
from pylightnix.cli.telling import WatchedTelling
from pylightnix.comparison.differences import Tolerance, Verdict, worst
from pylightnix.engine.events import Listener, Silent
from pylightnix.model.conditions import Isolation
from pylightnix.names import printable
from pylightnix.session.check import Check, CheckTelling, Wanted, checking, to_check
from pylightnix.session.executing import call_for, executor_for
from pylightnix.session.location import as_store
from pylightnix.session.standing import standing
from pylightnix.store.store import Store

CODES = {Verdict.EQUAL: 0, Verdict.DIFFERENT: 1, Verdict.CLOSE: 3}
MOST_DIFFERENCES = 40
_STYLES = {Verdict.EQUAL: "dim", Verdict.CLOSE: "yellow", Verdict.DIFFERENT: "red"}


class _Watched(WatchedTelling):
    """Tells each run as it starts, every few seconds how far it is, and as it ends."""

    def end(self) -> None:
        """Tell nothing: the verdicts are the end."""


@click.command("check")
@targets_argument
@click.option(
    "--of", "code", metavar="TARGET", help="For references: a stage in whose closure is the code that made them."
)
@click.option(
    "--run", "index", type=click.IntRange(min=0), metavar="N", help="Which run; default: that which first gave it."
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0, max=math.inf, max_open=True), metavar="X",
    help="The same for --rtol and --atol. Default: none, every byte counts.",
)  # fmt: skip
@click.option(
    "--rtol", type=click.FloatRange(min=0, max=math.inf, max_open=True), metavar="X",
    help="How far a number may be off, relative to what was recorded.",
)  # fmt: skip
@click.option(
    "--atol", type=click.FloatRange(min=0, max=math.inf, max_open=True), metavar="X",
    help="How far a number may be off in any case: |now - recorded| <= atol + rtol * |recorded|.",
)  # fmt: skip
@click.option("--closure", is_flag=True, help="Check everything that it was made from, too.")
@click.option("--register", is_flag=True, help="Register what differs, under the index and seed of the run.")
@click.option("--keep", is_flag=True, help="Keep what differs in the failed/ of the store, for examination.")
@click.option(
    "--executor", type=click.Choice(["inline", "process"]),
    help="Run builders in this process or each in its own; default: inline, unless a stage says otherwise.",
)  # fmt: skip
@click.option(
    "--isolation", type=click.Choice(["none", "process", "sandbox"]),
    help="What all builders may see, whatever their stages say; default: what those say, else $PYLIGHTNIX_ISOLATION.",
)  # fmt: skip
@set_option
@store_option
@json_option
def check_command(
    targets: tuple[str, ...], code: str | None, closure: bool, executor: str | None, assignments: tuple[str, ...],
    store: str | None, as_json: bool, **wanted: Any,
) -> int:  # fmt: skip
    """Make a recorded run again, with its seed and inputs, and compare what it gives.

    TARGET is a stage that is realized, FILE.py:STAGE or MODULE:STAGE; or a reference, and --of names the code. Prints
    a line for each run, and below it what differs, file by file; what was recorded stands before the arrow.

    Exits with 0 if all is equal byte for byte, with 3 if all is equal within the tolerance, and with 1 if something is
    different or a builder failed. Nothing is registered unless --register is given.
    """
    where = as_store(store)
    given = read_assignments(assignments)
    how = _wanted(**wanted)
    things = _meant(targets, given if code is None else {}, where)
    found = to_check(things, None if code is None else asked([code], given, where), where, closure=closure)
    checks: list[Check] = []
    with executor_for(executor, 1, None) as runner:
        for check in checking(found, where, how, runner, _listener(as_json=as_json)):
            checks.append(check)
            if not as_json:
                _tell(check)
    verdict = worst(check.verdict for check in checks)
    if as_json:
        out_json({
            "store": str(where.path),
            "verdict": verdict.value,
            "tolerance": how.tolerance._asdict(),
            "checks": [_document(check) for check in checks],
        })  # fmt: skip
    return CODES[verdict]


def _wanted(
    *, index: int | None, tolerance: float | None, rtol: float | None, atol: float | None, register: bool, keep: bool,
    isolation: Isolation | None,
) -> Wanted:  # fmt: skip
    """How to check, as the options say it."""
    same = tolerance or 0.0
    allowed = Tolerance.parse(same if rtol is None else rtol, same if atol is None else atol)
    return Wanted(allowed, index, register, keep, call_for(isolation, strict=False))


def _meant(targets: Sequence[str], given: dict[str, Any], store: Store) -> list[Any]:
    """The realizations that targets name, and the references among them as they are."""
    found: list[Any] = []
    for target in targets:
        thing = asked([target], given if len(targets) == 1 else {}, store)
        found += (
            [thing] if parse_place(target) is None else [one.realization for one in flatten(standing(thing, store))]
        )
    return found


def _listener(*, as_json: bool) -> Listener:
    if as_json:
        return Silent()
    return _Watched() if is_terminal(sys.stderr) else CheckTelling()


def _tell(check: Check) -> None:
    head, *rest = check.lines(MOST_DIFFERENCES)
    out_safe(styled(printable(head), _STYLES[check.verdict], sys.stdout))
    for line in rest:
        out(line)


def _document(check: Check) -> dict[str, Any]:
    return {
        "ref": check.ref,
        "run": check.run,
        "seed": check.seed,
        "verdict": check.verdict.value,
        "now": check.now,
        "duration": check.duration,
        "duration_recorded": check.before,
        "registered": check.registered,
        "kept": check.kept,
        "differences": [
            {**difference._asdict(), "verdict": difference.verdict.value} for difference in check.differences
        ],
    }
