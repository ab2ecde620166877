"""`realize`, for people and for programs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import click

from pylightnix.cli.describing import summary
from pylightnix.cli.keeping import rootless
from pylightnix.cli.loading import parse_place
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import out_exact, out_json
from pylightnix.cli.targets import Found, asked, flatten
from pylightnix.cli.telling import choose_listener
from pylightnix.cli.values import brief
from pylightnix.errors import PylightnixError
from pylightnix.hashing import digest_document
from pylightnix.model.realization import Realization
from pylightnix.model.selection import selection_of
from pylightnix.names import printable
from pylightnix.session.executing import Jobs
from pylightnix.session.location import as_store
from pylightnix.session.standing import finished
from pylightnix.session.verbs import realize_many
from pylightnix.store.collection.gate import Gate
from pylightnix.store.collection.rooting import set_automatic_root
from pylightnix.store.collection.roots import Root, Roots
from pylightnix.store.store import Store

VALUE_COLUMNS = 200

remote_option = click.option(
    "--remote", "remotes", multiple=True, metavar="URL",
    help="Ask there before anything is built; may be repeated. Default: $PYLIGHTNIX_REMOTES, and the store's own.",
)  # fmt: skip
rebuild_option = click.option(
    "--rebuild", multiple=True, metavar="STAGE",
    help="One more run of this stage of the closure, or of this derivation as plan shows it. May be repeated.",
)  # fmt: skip


def read_jobs(_: click.Context, __: click.Parameter, value: str) -> Jobs:
    """What stands behind -j: a positive number, or auto."""
    if value == "auto":
        return "auto"
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise click.BadParameter(f"{value!r} is neither a positive number nor auto")
    return number


def read_limits(given: Sequence[str]) -> dict[str, float | str] | None:
    """What stands behind --limit, by name."""
    found: dict[str, float | str] = {}
    for text in given:
        name, equals, amount = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not NAME=AMOUNT, such as gpus=2", param_hint="--limit")
        try:
            found[name] = float(amount)
        except ValueError:
            found[name] = amount
    return found or None


@click.command("realize")
@targets_argument
@set_option
@click.option(
    "-j",
    "--jobs",
    callback=read_jobs,
    default="1",
    metavar="N",
    help="How many builders run at a time; auto: as many as there are processors; default: 1.",
)
@click.option(
    "--executor", metavar="WHERE",
    help="Where builders run: inline (in this process), process (each in its own), dask:ADDRESS, slurm, or "
    "slurm:partition=NAME,…; default: as jobs and isolation want it.",
)  # fmt: skip
@click.option(
    "--isolation", type=click.Choice(["none", "process", "sandbox"]),
    help="What all builders may see, whatever their stages say; default: what those say, else $PYLIGHTNIX_ISOLATION.",
)  # fmt: skip
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=AMOUNT",
    help="What runs may take of this machine together, such as gpus=2 or memory=16G. May be repeated.",
)
@click.option("--tail", is_flag=True, help="At a terminal: show the last line of its log below each run.")
@click.option("-k", "--keep-going", is_flag=True, help="Make all that does not depend on a failure, then fail.")
@rebuild_option
@click.option("--strict", is_flag=True, help="A builder fails that uses what its stage did not declare.")
@click.option("--root", metavar="NAME", help="Keep alive under this name what is realized.")
@remote_option
@click.option(
    "--through", metavar="URL", help="For workers that do not see the store: inputs and results go through this remote."
)
@click.option("--push", "push_to", metavar="URL", help="Send what is realized, with all it was made from, to a remote.")
@store_option
@json_option
def realize_command(
    targets: tuple[str, ...], assignments: tuple[str, ...], jobs: Jobs, executor: str | None,
    isolation: str | None, limits: tuple[str, ...], tail: bool, keep_going: bool, rebuild: tuple[str, ...],
    strict: bool, root: str | None, remotes: tuple[str, ...], push_to: str | None,
    through: str | None, store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Bring targets into being: reuse what counts, build what is missing.

    Prints a line for each realization: reference, path and value, between them a tab. What was done, and why, goes to
    standard error. With --json that is a line of JSON for each event. Several targets are realized as one closure.

    What a target gave stays alive until it is realized again: it has an automatic root, which `root` lists. Where
    something fails, what was finished stays alive in the same way.
    """
    where = as_store(store)
    thing = asked(targets, read_assignments(assignments), where)
    inline = executor == "inline" or (executor is None and jobs == 1 and isolation in (None, "none"))
    listener = choose_listener(as_json=as_json, inline=inline, tail=tail)
    with _quiet_builders() if as_json else contextlib.nullcontext():
        try:
            made = realize_many(
                thing, store=where, rebuild=rebuild, jobs=jobs, executor=executor, limits=read_limits(limits),
                isolation=isolation, strict=strict, keep_going=keep_going, listener=listener, root=root,  # type: ignore[arg-type]
                remotes=remotes or None, push_to=push_to, through=through,
            )  # fmt: skip
        except PylightnixError:
            _keep_finished(targets, assignments, thing, where)
            raise
        except KeyboardInterrupt:
            if Gate(where.keeper.layout.locks).opens():  # else whoever wants to end would wait for a collector
                _keep_finished(targets, assignments, thing, where)
            raise
    keep_alive(targets, assignments, made, where)
    results = flatten(made)
    if as_json:
        out_json({"store": str(where.path), "realizations": [summary(one.realization, one.label) for one in results]})
        return
    for one in results:
        out_exact(*_cells(one))


def keep_alive(targets: Sequence[str], assignments: Sequence[str], made: Any, store: Store) -> None:
    """Give each target an automatic root, under a name that it has wherever it is called from."""
    for target in targets:
        results = flatten(made if len(targets) == 1 else made[target])
        with rootless(target):
            _keep_whole(store, _name(target, assignments), [one.realization for one in results])


def _keep_finished(targets: Sequence[str], assignments: Sequence[str], thing: Any, store: Store) -> None:
    """As `keep_alive`, where something has failed: of each target what there is of it, or of what it needs."""
    for target in targets:
        name = _name(target, assignments)
        with (
            contextlib.suppress(PylightnixError),
            rootless(target),
            finished(thing if len(targets) == 1 else thing[target], store) as found,
        ):
            if found.whole:
                _keep_whole(store, name, found.realizations)
            elif found.realizations:
                root = Root(_unfinished(name), "auto", selection_of(found.realizations))
                Roots(store.keeper.layout).set(root)


def _keep_whole(store: Store, name: str, realizations: Sequence[Realization[Any]]) -> None:
    set_automatic_root(store.keeper, name, realizations)
    Roots(store.keeper.layout).remove(_unfinished(name))


def _name(target: str, assignments: Sequence[str]) -> str:
    return " ".join([_anywhere(target), *sorted(assignments)])


def _unfinished(name: str) -> str:
    """The name of the root of what there is of a target that failed; beside that of what it gave before."""
    return f"auto-unfinished-{digest_document('target', {'target': name})[:8]}"


def _anywhere(target: str) -> str:
    """The target as it is named from any directory."""
    place = parse_place(target)
    if place is None or not place.is_file:
        return target
    return f"{os.path.abspath(place.source)}:{place.attribute}"


def _cells(one: Found) -> list[str]:
    value = one.realization.value
    cells = [str(one.realization.ref), str(one.realization.path)]
    if value is not None or one.label:
        cells.append("" if value is None else printable(brief(value, VALUE_COLUMNS)))
    return [*cells, printable(one.label)] if one.label else cells


@contextlib.contextmanager
def _quiet_builders() -> Iterator[None]:
    """What inline builders print is kept in their logs, and stays out of the lines of JSON."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        yield
