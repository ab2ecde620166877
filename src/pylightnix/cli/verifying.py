"""`verify`: whether a store is what it says, and mending what is not."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import Any

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.options import json_option, references_argument, store_option
from pylightnix.cli.output import is_terminal, out, out_json, remark
from pylightnix.errors import StoreError
from pylightnix.names import printable
from pylightnix.session.location import as_store
from pylightnix.store.verification.findings import Finding
from pylightnix.store.verification.verifying import Report

DAMAGED = 1
_EVERY = 0.2
"""Seconds between two lines of progress."""


@click.command("verify")
@references_argument
@click.option("--resume", is_flag=True, help="Go on where a verify that was stopped had come to.")
@click.option("--repair", is_flag=True, help="Restore what can be, and move the rest to quarantine.")
@store_option
@json_option
def verify_command(references: tuple[str, ...], resume: bool, repair: bool, store: str | None, as_json: bool) -> int:
    """Look whether the store is what it says, at every byte.

    All of it is looked at, or only the realizations that are named.

    Prints a line for each damage and exits with 1 if there is any. Changes nothing without --repair; with it, prints
    what was done about each, and exits with 1 if something is still damaged.
    """
    where = as_store(store)
    if not os.path.lexists(f"{where.keeper.layout.root}/format.json"):
        raise StoreError(
            "no store is here, so nothing was verified", where=printable(where.keeper.layout.root),
            hint="is its disk mounted? give the path of a store with --store or $PYLIGHTNIX_STORE; realize makes one",
        )  # fmt: skip
    shown = _Shown()
    try:
        report = where.verify(references or None, resume=resume, repair=repair, progress=shown)
    finally:
        shown.clear()
    if as_json:
        out_json({"store": str(where.path), **_document(report)})
    else:
        for line in _lines(report, repaired=repair):
            out(line)
        remark(_sum(report, repaired=repair))
    return DAMAGED if report.left else 0


def _lines(report: Report, *, repaired: bool) -> list[str]:
    """A line for each damage, or for what was done about each."""
    return [one.line() for one in (report.repairs if repaired else report.findings)]


class _Shown:
    """A line of progress that is written over, where somebody looks."""

    def __init__(self) -> None:
        self._visible = is_terminal(sys.stderr)
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        if self._visible and (done == total or time.monotonic() - self._last > _EVERY):
            self._last = time.monotonic()
            sys.stderr.write(f"\r{done:,} of {total:,} verified\x1b[K")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _document(report: Report) -> dict[str, Any]:
    return {
        "sound": report.sound,
        "checked": report.checked,
        "skipped": report.skipped,
        "findings": [_finding(finding) for finding in report.findings],
        "repairs": [{**one._asdict(), "finding": _finding(one.finding)} for one in report.repairs],
        "left": len(report.left),
        "leftovers": list(report.leftovers),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {**finding._asdict(), "kind": finding.kind.value}


def _sum(report: Report, *, repaired: bool) -> str:
    told = [f"{count(report.checked, 'realization')} verified"]
    if report.skipped:
        told.append(f"{report.skipped:,} were verified before")
    told.append("no damage" if report.sound else f"{count(len(report.findings), 'thing')} damaged")
    if repaired and not report.sound:
        told += [f"{number:,} {outcome}" for outcome, number in _outcomes(report).items()]
    if report.leftovers:
        told.append(f"{count(len(report.leftovers), 'leftover')} without a record")
    return ", ".join(told)


def _outcomes(report: Report) -> Counter[str]:
    return Counter(str(one.outcome) for one in report.repairs)
