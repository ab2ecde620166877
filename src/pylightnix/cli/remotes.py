"""`push` and `pull`: results, with all that they were made from, to another place and from there."""

from __future__ import annotations

from typing import Any

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.copying import incomplete_option
from pylightnix.cli.keeping import held, keep
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import out, out_json, out_table, remark, table
from pylightnix.cli.targets import asked, realizations
from pylightnix.model.amounts import size
from pylightnix.remotes.pushing import Pushed
from pylightnix.remotes.remote import Remote
from pylightnix.session.location import as_store
from pylightnix.session.remotes import Arrived, pull, push

_dry_option = click.option("--dry-run", is_flag=True, help="Change nothing, only say what would be done.")


@click.command("push")
@targets_argument
@click.option("--to", required=True, metavar="URL", help="A directory, or s3:, gs:, az:, sftp:; made if not there.")
@_dry_option
@incomplete_option
@click.option("--sign/--no-sign", default=None, help="Sign what was made here; default: if you have a key.")
@click.option("--secrets", is_flag=True, help="Send also files that look like secrets.")
@click.option("--again", is_flag=True, help="Read what is there, and send anew what is missing or damaged.")
@set_option
@store_option
@json_option
def push_command(
    targets: tuple[str, ...], to: str, dry_run: bool, incomplete: bool, sign: bool | None, secrets: bool,
    again: bool, assignments: tuple[str, ...],
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Send what TARGETs name, and all that it was made from, to the remote at URL.

    What is there is not sent again; a push that was interrupted goes on.
    """
    where = as_store(store)
    named = realizations(targets, read_assignments(assignments), where)
    with Remote(to) as remote:
        done = push(
            named, remote, store=where, dry_run=dry_run, incomplete=incomplete, again=again, sign=sign, secrets=secrets
        )
        _tell(done, ("to send", "sent"), done.sent, {"to": remote.url}, as_json=as_json)


@click.command("pull")
@click.argument("references", nargs=-1, required=True, metavar="REF…")
@click.option("--from", "source", required=True, metavar="URL", help="A directory, or s3:, gs:, az:, sftp:, https:.")
@_dry_option
@click.option("--records", is_flag=True, help="Fetch what is known alone, without artifacts.")
@click.option("--only", multiple=True, metavar="PROMISE", help="Fetch this, and else what is known. May be repeated.")
@incomplete_option
@click.option("--unsigned", is_flag=True, help="Believe also what nobody has signed whom you trust.")
@click.option("--root", metavar="NAME", help="Keep what is fetched under this name.")
@click.option(
    "--for", "targets", multiple=True, metavar="TARGET",
    help="With --dry-run: say what would happen otherwise to FILE.py:STAGE. May be repeated.",
)  # fmt: skip
@store_option
@json_option
def pull_command(
    references: tuple[str, ...], source: str, dry_run: bool, records: bool, only: tuple[str, ...], incomplete: bool,
    unsigned: bool, root: str | None, targets: tuple[str, ...], store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Fetch what REFs name, and all that it was made from, from the remote at URL.

    Everything is held against its hash before it becomes visible.
    """
    where = as_store(store)
    if targets and not dry_run:
        raise click.UsageError("--for says what would happen: give --dry-run too.")
    thing = asked(targets, {}, where) if targets else None
    kept = only if only or records else None
    with Remote(source) as remote, held(where):
        done = pull(
            references, remote, store=where, dry_run=dry_run, only=kept, incomplete=incomplete,
            unsigned=unsigned, root=root, targets=thing,
        )  # fmt: skip
        if not dry_run and root is None:
            keep(done.refs, remote.address, where)  # before anything is told: the reader of that may be gone
        about = {"from": remote.url, **_merged(done)}
        _tell(done, ("to fetch", "fetched"), done.fetched, about, as_json=as_json)
    if dry_run and not as_json:
        _tell_merged(done)


def _merged(done: Arrived) -> dict[str, Any]:
    """What a dry run has found out, for programs."""
    if not done.dry:
        return {}
    return {
        "fresh": [{"ref": str(one.ref), "beside": one.beside} for one in done.fresh],
        "changes": [
            {"derivation": one.derivation, "before": one.before._asdict(), "after": one.after._asdict()}
            for one in done.changes
        ],
    }


def _tell_merged(done: Arrived) -> None:
    """What a dry run has found out, for people."""
    rows = [("new", one.ref.short, one.ref.name, f"beside {count(one.beside, 'candidate')}") for one in done.fresh]
    out_table(table(rows))
    for derivation, before, after in done.changes:
        was, will = (f"{step.action} {', '.join(ref.short for ref in step.chosen)}".strip() for step in (before, after))
        out(f"changes  {derivation.short}  {derivation.name}  {was} → {will}: {after.why}")


def _tell(done: Pushed | Arrived, verb: tuple[str, str], over: int, about: dict[str, Any], *, as_json: bool) -> None:
    """Print what became of each realization."""
    if as_json:
        moved = [{"ref": str(one.ref), "how": one.how, "size": one.size} for one in done.moved]
        sums = {"size": done.size, "transferred": over, "absent": [str(ref) for ref in done.absent]}
        out_json({**about, "dry_run": done.dry, "realizations": moved, **sums})
        return
    out_table(
        table(
            [(one.how, one.ref.short, one.ref.name, size(one.size) if one.size else "") for one in done.moved],
            right=(3,),
        )
    )
    new = sum(one.how in ("copied", "record") for one in done.moved)
    told = [f"{count(new, 'realization')} {verb[0] if done.dry else verb[1]}, {size(done.size)}"]
    told += [f"{size(over)} went over"] if over and not done.dry else []
    there = len(done.moved) - new
    told += [f"{there} {'was' if there == 1 else 'were'} there"] if there else []
    told += [f"{count(len(done.absent), 'realization')} left out, not to be had"] if done.absent else []
    remark("; ".join(told))
