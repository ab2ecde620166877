"""`ls`: the realizations of a store, a line each; or its stages."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import click

from pylightnix.cli.amounts import age, count, this_moment
from pylightnix.cli.dividing import divided
from pylightnix.cli.options import json_option, names_argument, store_option
from pylightnix.cli.output import cut, out_json, out_table, remark, table, width
from pylightnix.cli.values import brief
from pylightnix.model.allocation import collector_paused
from pylightnix.model.amounts import size
from pylightnix.model.config import decode
from pylightnix.session.location import as_store
from pylightnix.store.overview import Glance, glances
from pylightnix.store.store import Store

LEAST_DIGITS = 8
VALUE_COLUMNS = 60
"""Characters of a value where the output is no terminal."""


@click.command("ls")
@names_argument
@click.option("--stages", "by_stage", is_flag=True, help="A line for each stage instead of each realization.")
@store_option
@json_option
def ls_command(stages: tuple[str, ...], by_stage: bool, store: str | None, as_json: bool) -> None:
    """List realizations: stage, age, size, runs, value.

    The newest of each stage come first. STAGE is the name of a stage, or a pattern such as 'model*'.
    """
    where = as_store(store)
    with collector_paused():
        homes = [home for home in where.keeper.homes() if _wanted(home.name, stages)]
        found = divided(lambda some: list(glances(where.keeper, some)), homes)
        found.sort(key=lambda glance: (glance.started, glance.record.ref), reverse=True)
        found.sort(key=lambda glance: glance.record.ref.name)
        if as_json:
            rows = _stages(found) if by_stage else [_document(glance) for glance in found]
            out_json({"store": str(where.path), "stages" if by_stage else "realizations": rows})
            return
        out_table(_stage_lines(found) if by_stage else _lines(found))
    remark(_sum(found, where, stages))


def _wanted(name: str, stages: tuple[str, ...]) -> bool:
    return not stages or any(fnmatch.fnmatchcase(name, pattern) for pattern in stages)


def _lines(found: list[Glance]) -> list[str]:
    digits = _digits_needed(glance.record.ref.digits for glance in found)
    limit, now = width(), this_moment()
    rows = [
        (
            glance.record.ref[:digits],
            glance.record.ref.name,
            age(glance.started, now),
            size(glance.record.size) if glance.present else "not here",
            f"{glance.runs}",
            _value(glance.record.value, limit),
        )
        for glance in found
    ]
    if not rows:
        return []
    return [
        cut(line, limit) for line in table([("ref", "stage", "age", "size", "runs", "value"), *rows], right=(2, 3, 4))
    ]


def _value(tree: Any, limit: int) -> str:
    return "" if tree is None else brief(decode(tree, {}), limit or VALUE_COLUMNS)


def _digits_needed(digits: Iterable[str]) -> int:
    """So many digits of each reference that no two look alike, but at least eight."""
    ordered = sorted(digits)
    needed = LEAST_DIGITS
    for one, other in itertools.pairwise(ordered):
        if one[:needed] == other[:needed] and one != other:
            needed = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b) + 1
    return needed


class _Stage(NamedTuple):
    realizations: int
    runs: int
    size: int
    newest: str


def _by_stage(found: list[Glance]) -> Mapping[str, _Stage]:
    stages: dict[str, _Stage] = {}
    for glance in found:
        before = stages.get(glance.record.ref.name, _Stage(0, 0, 0, ""))
        kept = glance.record.size if glance.present else 0
        stages[glance.record.ref.name] = _Stage(
            before.realizations + 1, before.runs + glance.runs, before.size + kept, max(before.newest, glance.started)
        )
    return stages


def _stages(found: list[Glance]) -> list[dict[str, Any]]:
    return [{"name": name, **stage._asdict()} for name, stage in _by_stage(found).items()]


def _stage_lines(found: list[Glance]) -> list[str]:
    rows = [
        (name, f"{stage.realizations:,}", f"{stage.runs:,}", size(stage.size), age(stage.newest))
        for name, stage in _by_stage(found).items()
    ]
    if not rows:
        return []
    lines = table([("stage", "realizations", "runs", "size", "newest"), *rows], right=(1, 2, 3))
    return [cut(line, width()) for line in lines]


def _document(glance: Glance) -> dict[str, Any]:
    record = glance.record
    return {
        "ref": str(record.ref),
        "name": record.ref.name,
        "value": record.value,
        "size": record.size,
        "files": record.files,
        "runs": glance.runs,
        "started": glance.started,
        "present": glance.present,
    }


def _sum(found: list[Glance], store: Store, stages: tuple[str, ...]) -> str:
    if not found:
        there = (store.path / "format.json").exists()
        what = f"of {', '.join(stages)} " if stages else ""
        empty = f"nothing {what}in the store" if stages else "the store is empty"
        return f"{empty}: {store.path}{'' if there else ' (it is made at the first write)'}"
    kept = sum(glance.record.size for glance in found if glance.present)
    names = len({glance.record.ref.name for glance in found})
    return f"{count(len(found), 'realization')} of {count(names, 'stage')}, {size(kept)}, in {store.path}"
