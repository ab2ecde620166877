"""`log --follow`: what a run under way writes, as it comes, from whatever process. Disturbs nobody: it only reads."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from pylightnix.cli.loading import parse_place
from pylightnix.cli.output import out, remark
from pylightnix.cli.targets import asked, found, one_of, realization
from pylightnix.errors import TargetError, UnknownReferenceError
from pylightnix.executors.runlog import HEAD
from pylightnix.model.realization import Realization
from pylightnix.names import KeyRef, is_prefix, printable
from pylightnix.session.verbs import plan
from pylightnix.store.growing import GrowingFile
from pylightnix.store.overview import glances
from pylightnix.store.store import Store
from pylightnix.store.underway import UnderWay, failure_of, is_made, registered, runs_under_way

PAUSE = 0.1
"""Seconds between two looks whether more was written."""

BETWEEN = 1.0
"""Seconds between two looks whether the process of the run is still there."""

LONGEST_LINE = 1 << 16
"""Characters after which a line is shown that has no end yet."""

_FAILED = 1


def running(target: str, index: int | None, given: Mapping[str, Any], store: Store) -> UnderWay | None:
    """The newest run under way of what a target names: of its key, of its stage's name; None if there is none.

    Args:
        target: `FILE.py:STAGE`, the first digits of a key or derivation as events and plans have them, or a name.
        index: which run; default the newest.
        given: parameters to set.
        store: where it runs.
    """
    under_way = runs_under_way(store.keeper.layout, _meant(target, given, store))
    matching = [one for one in under_way if index in (None, one.run)]
    if not matching:
        return None
    chosen = matching[-1]
    others = sorted({f"{_key(one, chosen)}run {one.run}" for one in under_way if one != chosen})
    also = f"; also running: {', '.join(others)}" if others else ""
    remark(f"{chosen.home.name}  run {chosen.run}  is under way{also}", "bold")
    return chosen


def _key(one: UnderWay, chosen: UnderWay) -> str:
    return "" if one.home == chosen.home else f"{one.home.short} "


def _meant(target: str, given: Mapping[str, Any], store: Store) -> Callable[[KeyRef], bool]:
    if parse_place(target) is not None:
        made = plan(asked([target], given, store), store=store)
        wanted = set(made.closure.targets)
        keys = {step.key for step in made if step.derivation in wanted}
        return keys.__contains__
    name = target
    if is_prefix(target) and (derivation := one_of(store.derivations(), target, store)) is not None:
        name = derivation.partition("-")[2]
    return lambda home: home.name == name or (is_prefix(target) and home.startswith(target))


def recorded(target: str, given: Mapping[str, Any], store: Store) -> list[Realization[Any]]:
    """What a target names that is there already, of a stage's name the realization of its newest run; maybe nothing."""
    with contextlib.suppress(TargetError, UnknownReferenceError):
        if parse_place(target) is not None:
            return [one.realization for one in found(target, given, store)]
        if is_prefix(target):
            return [realization(target, store)]
    newest = max(glances(store.keeper, store.keeper.homes(target)), key=lambda one: one.started, default=None)
    return [] if newest is None else [Realization(newest.record, store.keeper)]


def tell_nothing(target: str, store: Store) -> int:
    """Say that nothing of a target is running or there, and what is running instead; the exit code of that."""
    under_way = sorted({f"{one.home.name} run {one.run}" for one in runs_under_way(store.keeper.layout)})
    remark(f"{printable(target)}: nothing of it is running, and nothing of it was made", "red")
    remark(f"  running in this store: {printable(', '.join(under_way)) or 'nothing'}")
    return _FAILED


def follow(run: UnderWay, store: Store) -> int:
    """Print what a run has written and goes on to write, until it ends; 0 if it gave a realization, else 1."""
    log, lines, full = GrowingFile(run.log), Lines(), False
    try:
        ended = False
        looked = time.monotonic()
        while not ended:
            ended = not run.is_there
            if not ended and time.monotonic() - looked >= BETWEEN:
                ended, looked = not is_made(store.keeper.layout, run), time.monotonic()
            if ended and not log.open():
                _open_kept(run, log, store)
            while data := log.more():
                lines.add(data)
            if not ended and not full and log.size >= HEAD:
                full = True
                remark("the log is full: what comes now is held back, and its end follows when the run ends", "yellow")
            if not ended:
                time.sleep(PAUSE)
        lines.end()
    finally:
        log.close()
    return _tell_end(run, store)


def _open_kept(run: UnderWay, log: GrowingFile, store: Store) -> None:
    """Open what was written first after the last look, where it is by now."""
    place = registered(store.keeper.layout, run)
    failed = failure_of(store.keeper.layout, run) if place is None else None
    if failed is not None:
        place = str(failed.path / "log")
    if place is not None:
        log.open(place)


def _tell_end(run: UnderWay, store: Store) -> int:
    if registered(store.keeper.layout, run) is not None:
        return 0
    failed = failure_of(store.keeper.layout, run)
    if failed is not None:
        remark(f"failed: {failed.facts.get('what')}", "red")
        remark(f"  pylightnix show failed/{failed.name}")
    else:
        remark("the run was ended, and nothing of it was kept", "red")
    return _FAILED


class Lines:
    """Prints text that comes in portions, by lines, control characters escaped; what is not UTF-8 is replaced."""

    def __init__(self) -> None:
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
        self._rest = ""

    def add(self, data: bytes) -> None:
        """One more portion; its last line is held back until it has an end."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        for line in lines:
            out(line.expandtabs())
        if len(self._rest) > LONGEST_LINE:
            out(self._rest.expandtabs())
            self._rest = ""
        if lines and sys.stdout is not None:
            sys.stdout.flush()

    def end(self) -> None:
        """Print what was held back."""
        self._rest += self._decoder.decode(b"", final=True)
        if self._rest:
            self.add(b"\n")
