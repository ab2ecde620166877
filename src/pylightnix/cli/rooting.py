"""`root` and `why-alive`: what is kept from being collected, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pylightnix.cli.amounts import age
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, target_argument
from pylightnix.cli.output import out, out_json, out_table, remark, table
from pylightnix.cli.targets import found, realizations
from pylightnix.errors import CollectionError
from pylightnix.names import RealizationRef, printable
from pylightnix.session.location import as_store
from pylightnix.store.collection.rooting import set_link, set_lock
from pylightnix.store.collection.roots import Root, Roots
from pylightnix.store.store import Store

NOT_ALIVE = 1
MOST_NAMED = 3


@click.command("root")
@click.argument("name", required=False)
@click.argument("targets", nargs=-1, metavar="[TARGET]…")
@click.option("--remove", "removed", multiple=True, metavar="NAME", help="Take a root away. May be repeated.")
@click.option(
    "--link", type=click.Path(), metavar="PATH",
    help="Make a link to the artifacts of the one TARGET, and keep it until the link vanishes.",
)  # fmt: skip
@click.option(
    "--lock", type=click.Path(), metavar="PATH",
    help="Write what the TARGETs name into a file, and keep it until the file vanishes.",
)  # fmt: skip
@set_option
@store_option
@json_option
def root_command(
    name: str | None, targets: tuple[str, ...], removed: tuple[str, ...], link: str | None, lock: str | None,
    assignments: tuple[str, ...], store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List roots; or keep what TARGET names, and all that it was made from, under NAME.

    `root paper digits.py:report` keeps what is realized of that, `root --remove paper` lets go of it, and
    `root --link result digits.py:report` keeps it for as long as the link ./result stands;
    `root --lock paper.lock digits.py:report` for as long as that file does, which can stand beside the code.
    """
    where = as_store(store)
    for one in removed:
        where.unroot(one)
    named = (name, *targets) if name is not None else ()
    given = read_assignments(assignments)
    if link is not None and lock is not None:
        raise click.UsageError("--link and --lock are two things: give one.")
    if link is not None:
        _link(link, named, given, where)
    elif lock is not None:
        if not named:
            raise click.UsageError("Missing argument 'TARGET…': what shall be kept by this file?")
        set_lock(where.keeper, lock, realizations(named, given, where))
    elif named:
        if not targets:
            raise click.UsageError("Missing argument 'TARGET…': what shall be kept under this name?")
        where.root(named[0], realizations(targets, given, where))
    if as_json:
        roots, wrong = Roots(where.keeper.layout).legible()
        bad = [unreadable(one) for one in wrong]
        out_json({"store": str(where.path), "roots": [_document(root) for root in roots], "unreadable": bad})
    elif not named and not removed:
        _list(where)


def _link(link: str, targets: tuple[str, ...], given: Mapping[str, Any], store: Store) -> None:
    if len(targets) != 1:
        raise click.UsageError("--link takes one TARGET, and no NAME.")
    named = realizations(targets, given, store)
    if len(named) != 1:
        raise click.UsageError(f"a link leads to one realization, and {targets[0]} names {len(named)}.")
    set_link(store.keeper, link, named[0])


def _list(store: Store) -> None:
    roots, wrong = Roots(store.keeper.layout).legible()
    rows = [(root.name, _kind(root), age(root.since), _refs(root.refs)) for root in roots]
    out_table(table([("root", "kind", "set", "keeps"), *rows], right=(2,)) if rows else ())
    for one in wrong:
        remark(str(one))
    if not rows and not wrong:
        remark("no roots: a collection takes whatever it is asked for")


def _kind(root: Root) -> str:
    if not root.link:
        return root.kind
    return f"{root.kind} {printable(root.link)}{'' if root.stands else ' (vanished)'}"


def _refs(refs: tuple[RealizationRef, ...]) -> str:
    shown = ", ".join(f"{ref.name} {ref.short}" for ref in refs[:MOST_NAMED])
    return f"{shown} and {len(refs) - MOST_NAMED} more" if len(refs) > MOST_NAMED else shown


def unreadable(error: CollectionError) -> dict[str, Any]:
    """For JSON: a root that cannot be read."""
    return {"path": error.where, "what": error.what}


def _document(root: Root) -> dict[str, Any]:
    return {
        "name": root.name,
        "kind": root.kind,
        "link": root.link or None,
        "since": root.since,
        "stands": root.stands,
        "keeps": [str(ref) for ref in root.refs],
    }


@click.command("why-alive")
@target_argument
@set_option
@store_option
@json_option
def why_alive_command(target: str, assignments: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Name the chain from each root to a realization; exits with 1 if no root reaches it."""
    where = as_store(store)
    records = [one.realization.record for one in found(target, read_assignments(assignments), where)]
    chains = {record.ref: where.why_alive(record.ref) for record in records}
    absent = {record.ref for record in records if not where.keeper.present(record)}
    if as_json:
        out_json({"chains": [{"ref": str(ref), "chains": found} for ref, found in chains.items()]})
    for ref, told in chains.items() if not as_json else ():
        for root, *below in told:
            steps = [f"{RealizationRef(one).name} {one[:8]}" for one in below]
            out(" → ".join([f"root {printable(root)}", *steps]))
        if not told:
            what = "its artifacts are not here" if ref in absent else "pylightnix gc --unreachable takes it"
            remark(f"no root reaches {ref.name} {ref.short}: {what}")
    return 0 if all(chains.values()) else NOT_ALIVE
