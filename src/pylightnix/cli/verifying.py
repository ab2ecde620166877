"""`verify`: whether a store is what it says."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.options import json_option, references_argument, store_option
from pylightnix.cli.output import is_terminal, out, out_json, remark
from pylightnix.session.location import as_store
from pylightnix.store.verification.findings import Finding
from pylightnix.store.verification.verifying import Report

DAMAGED = 1
_EVERY = 0.2
"""Seconds between two lines of progress."""


@click.command("verify")
@references_argument
@click.option("--resume", is_flag=True, help="Go on where a verify that was stopped had come to.")
@store_option
@json_option
def verify_command(references: tuple[str, ...], resume: bool, store: str | None, as_json: bool) -> int:
    """Look whether the store is what it says, at every byte.

    All of it is looked at, or only the realizations that are named.

    Prints a line for each damage and exits with 1 if there is any. Changes nothing.
    """
    where = as_store(store)
    shown = _Shown()
    try:
        report = where.verify(references or None, resume=resume, progress=shown)
    finally:
        shown.clear()
    if as_json:
        out_json({"store": str(where.path), **_document(report)})
    else:
        for finding in report.findings:
            out(finding.line())
        remark(_sum(report))
    return 0 if report.sound else DAMAGED


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
        "leftovers": list(report.leftovers),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {**finding._asdict(), "kind": finding.kind.value}


def _sum(report: Report) -> str:
    told = [f"{count(report.checked, 'realization')} verified"]
    if report.skipped:
        told.append(f"{report.skipped:,} were verified before")
    told.append("no damage" if report.sound else f"{len(report.findings):,} damaged")
    if report.leftovers:
        told.append(f"{count(len(report.leftovers), 'leftover')} without a record")
    return ", ".join(told)
