"""`doctor`: whether a store is in a place where it can do its work."""

from __future__ import annotations

import sys

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.options import json_option, store_option
from pylightnix.cli.output import out_json, out_safe, remark, styled, table
from pylightnix.names import printable
from pylightnix.session.examining import examine
from pylightnix.session.location import locate
from pylightnix.store.examination.observations import Level, Observation

WRONG = 1
_STYLES = {Level.WRONG: "red", Level.NOTE: "yellow", Level.GOOD: "dim"}


@click.command("doctor")
@store_option
@json_option
def doctor_command(store: str | None, as_json: bool) -> int:
    """Look whether the store is in a place where it can do its work.

    File system, locks, links, room, rights, owners, format, versions, what dead processes left; and which isolations
    builders can have here. Exits with 1 if
    something is wrong; leaves everything as it is.
    """
    found = examine(store)
    bad = sum(one.level is Level.WRONG for one in found)
    if as_json:
        out_json({
            "store": str(store or locate()),
            "sound": not bad,
            "observations": [{**one._asdict(), "level": one.level.value} for one in found],
        })  # fmt: skip
    else:
        for line in _lines(found):
            out_safe(line)
        remark(f"{count(bad, 'thing')} wrong" if bad else "nothing is wrong")
    return WRONG if bad else 0


def _lines(found: tuple[Observation, ...]) -> list[str]:
    lines = []
    for one, row in zip(found, table([(one.level.value, one.topic, _told(one)) for one in found]), strict=True):
        lines.append(styled(row, _STYLES[one.level], sys.stdout))
        if one.hint:
            lines.append(f"       {printable(one.hint)}")
    return lines


def _told(one: Observation) -> str:
    return f"{one.where}: {one.what}" if one.where and one.level is not Level.GOOD else one.what
