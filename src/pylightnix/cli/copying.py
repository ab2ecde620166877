"""`copy`: results, with all that they were made from, into another store."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.keeping import held, keep
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import out_json, out_table, remark, table
from pylightnix.cli.targets import realizations
from pylightnix.model.amounts import size
from pylightnix.session.copying import copy
from pylightnix.session.location import as_store
from pylightnix.store.copying import Copied

incomplete_option = click.option(
    "--incomplete", is_flag=True, help="Also where something was removed that they were made from."
)


@click.command("copy")
@targets_argument
@click.option("--to", required=True, type=click.Path(), metavar="PATH", help="The other store; made if not there.")
@click.option("--dry-run", is_flag=True, help="Change nothing, only say what would be done.")
@incomplete_option
@click.option("--root", metavar="NAME", help="Keep what is copied under this name there.")
@set_option
@store_option
@json_option
def copy_command(
    targets: tuple[str, ...], to: str, dry_run: bool, incomplete: bool, root: str | None, assignments: tuple[str, ...],
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Copy what TARGETs name, and all that it was made from, into the store at PATH.

    Every byte is held against its hash first. What is there already is left as it is, and gets the runs that it lacks.
    It is kept there from collections under --root, else under a name of its own, which `root` lists.
    """
    where, target = as_store(store), as_store(to)
    named = realizations(targets, read_assignments(assignments), where)
    with contextlib.nullcontext() if dry_run else held(target):
        done = copy(named, to=target, store=where, dry_run=dry_run, incomplete=incomplete, root=root)
        if not dry_run and root is None:
            keep([one.ref for one in named], str(where.path), target)  # before anything is told
    tell(done, {"to": str(target.path)}, as_json=as_json)


def tell(done: Copied, about: dict[str, Any], *, as_json: bool) -> None:
    """Print what became of each realization."""
    if as_json:
        moved = [{**one._asdict(), "ref": str(one.ref)} for one in done.moved]
        sums = {"size": done.size, "shared": done.shared, "absent": [str(ref) for ref in done.absent]}
        out_json({**about, "dry_run": done.dry, "realizations": moved, **sums})
        return
    rows = [(one.how, one.ref.short, one.ref.name, size(one.size) if one.size else "") for one in done.moved]
    out_table(table(rows, right=(3,)))
    new = sum(one.how in ("copied", "record") for one in done.moved)
    told = [f"{count(new, 'realization')} {'to copy' if done.dry else 'copied'}, {size(done.size)}"]
    told += [f"{size(done.shared)} of it share their blocks"] if done.shared else []
    there = len(done.moved) - new
    told += [f"{there} {'was' if there == 1 else 'were'} there"] if there else []
    told += [f"{count(len(done.absent), 'realization')} left out, removed before"] if done.absent else []
    remark("; ".join(told))
