"""`du`: what takes how much space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.options import json_option, store_option
from pylightnix.cli.output import out, out_json, remark, table
from pylightnix.cli.rooting import unreadable
from pylightnix.model.amounts import size
from pylightnix.session.location import as_store
from pylightnix.store.collection.weighing import Weight


@click.command("du")
@click.option("--roots", "by_root", is_flag=True, help="A line for each root instead of each stage.")
@store_option
@json_option
def du_command(by_root: bool, store: str | None, as_json: bool) -> None:
    """Show what takes how much space, by stage or by root.

    Own: the artifacts of the stage; of a root, what no other root reaches. Closure: with all that it was made from,
    each counted once.
    """
    where = as_store(store)
    weights = where.du()
    if by_root and weights.unreadable:
        raise weights.unreadable[0]
    if as_json:
        stages, roots = ([one._asdict() for one in found] for found in (weights.stages, weights.roots))
        sums: dict[str, Any] = {"total": weights.total, "collected": weights.collected, "trash": weights.trash}
        sums["unreadable"] = [unreadable(one) for one in weights.unreadable]
        out_json({"store": str(where.path), "stages": stages, "roots": roots, **sums})
        return
    for line in _lines("root" if by_root else "stage", weights.roots if by_root else weights.stages):
        out(line)
    told = [f"{size(weights.total)} in {where.path}"]
    told += [f"{size(weights.trash)} in the trash"] if weights.trash else []
    told += [f"{count(weights.collected, 'realization')} of which only the record is here"] if weights.collected else []
    remark(", ".join(told))
    for one in weights.unreadable:
        remark(str(one))


def _lines(title: str, weights: Sequence[Weight]) -> list[str]:
    ordered = sorted(weights, key=lambda one: (not one.name, -one.own, one.name))
    rows = [(one.name or "(no root)", f"{one.realizations:,}", size(one.own), size(one.closure)) for one in ordered]
    return table([(title, "realizations", "own", "closure"), *rows], right=(1, 2, 3)) if rows else []
