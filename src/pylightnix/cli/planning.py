"""`plan` and `instantiate`: what a realize would do, and the derivations of it in the store."""

from __future__ import annotations

from typing import Any

import click

from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import out, out_json
from pylightnix.cli.realizing import rebuild_option, remote_option
from pylightnix.cli.targets import asked
from pylightnix.session.location import as_store
from pylightnix.session.verbs import Plan, instantiate, plan
from pylightnix.store.store import Store

WORK_TO_DO = 2


@click.command("plan")
@targets_argument
@set_option
@rebuild_option
@remote_option
@click.option("--exit-code", is_flag=True, help="Exit with 0 if there is nothing to do, with 2 if there is.")
@store_option
@json_option
def plan_command(
    targets: tuple[str, ...],
    assignments: tuple[str, ...],
    rebuild: tuple[str, ...],
    remotes: tuple[str, ...],
    exit_code: bool,
    store: str | None,
    as_json: bool,
) -> int:
    """Say what realize would do, and why; reads only.

    A line for each derivation: reuse, fetch (from a remote, or the trash), build, or waiting (for an input, which must
    be made first).
    """
    where = as_store(store)
    thing = asked(targets, read_assignments(assignments), where)
    made = plan(thing, store=where, rebuild=rebuild, remotes=remotes or None)
    _tell(made, where, as_json=as_json)
    return WORK_TO_DO if exit_code and made.work else 0


@click.command("instantiate")
@targets_argument
@set_option
@store_option
@json_option
def instantiate_command(
    targets: tuple[str, ...], assignments: tuple[str, ...], store: str | None, as_json: bool
) -> None:
    """Write the derivations of a closure to the store; nothing is built.

    Says what realize would do, as plan does.

    A realize writes those of what it builds. This writes them all, also in the place of one that was lost or damaged.
    """
    where = as_store(store)
    thing = asked(targets, read_assignments(assignments), where)
    _tell(instantiate(thing, store=where), where, as_json=as_json)


def _tell(made: Plan[Any], store: Store, *, as_json: bool) -> None:
    if as_json:
        steps = [step._asdict() for step in made]
        out_json({"store": str(store.path), "work": made.work, "counts": made.counts(), "steps": steps})
        return
    for line in [*made.lines(), made.summary()]:
        out(line)
