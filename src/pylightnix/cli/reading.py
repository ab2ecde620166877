"""`log` and `path`: what a run wrote, and where artifacts are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, target_argument
from pylightnix.cli.output import out, out_exact, out_json, remark
from pylightnix.cli.showing import failed_name
from pylightnix.cli.targets import found
from pylightnix.dsl.derivation import unknown_promise
from pylightnix.errors import TargetError
from pylightnix.model.realization import Realization
from pylightnix.model.records import Run
from pylightnix.session.location import as_store
from pylightnix.store.failures import find_failure
from pylightnix.store.store import Store


@click.command("log")
@target_argument
@click.option("--run", "index", type=int, metavar="N", help="Which run, as show lists them; default: the newest.")
@click.option(
    "-f", "--follow", is_flag=True,
    help="Follow a run under way until it ends; exits with 1 if it fails. Where none is, print the newest that was.",
)  # fmt: skip
@set_option
@store_option
@json_option
def log_command(
    target: str, index: int | None, follow: bool, assignments: tuple[str, ...], store: str | None, as_json: bool
) -> int:
    """Print what a run wrote to its standard output and error.

    Control characters are escaped. TARGET may also be failed/NAME, as a failure named it; with --follow also the name
    of a stage, or the first digits of a key or derivation.
    """
    where = as_store(store)
    name = failed_name(target, where)
    if name is not None:
        failed = find_failure(where.keeper.layout, name)
        documents: list[dict[str, Any]] = [{"failed": failed.name, "run": failed.facts.get("run"), "log": failed.log}]
    elif follow:
        if as_json:
            raise click.UsageError(
                "--follow prints lines as they come, and --json gives one document: give one of them"
            )
        return _follow(target, index, read_assignments(assignments), where)
    else:
        documents = [_log(one.realization, index) for one in found(target, read_assignments(assignments), where)]
    if as_json:
        out_json({"logs": documents})
        return 0
    _print(documents)
    return 0


def _follow(target: str, index: int | None, given: Mapping[str, Any], where: Store) -> int:
    from pylightnix.cli import following  # few follow

    run = following.running(target, index, given, where)
    if run is not None:
        return following.follow(run, where)
    documents = [_log(one, index) for one in following.recorded(target, given, where)]
    if not documents:
        return following.tell_nothing(target, where)
    remark("nothing of it is running; this was written before", "dim")
    _print(documents)
    return 0


def _print(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        if len(documents) > 1:
            remark(f"{document['ref']} run {document['run']}:", "bold")
        if not document["log"]:
            remark("nothing was written")
        for line in document["log"].splitlines():
            out(line.expandtabs())


def _log(realization: Realization[Any], index: int | None) -> dict[str, Any]:
    run = _run(realization, index)
    text = realization.shelf.log(realization.record, run)
    return {"ref": str(realization.ref), "run": run.index, "log": text}


def _run(realization: Realization[Any], index: int | None) -> Run:
    runs = realization.runs
    for run in reversed(runs):
        if index is None or run.index == index:
            return run
    known = ", ".join(str(run.index) for run in runs) or "none"
    raise TargetError(
        f"no run {index if index is not None else ''} gave this".replace("  ", " "),
        where=realization.ref,
        hint=f"runs: {known}",
    )


@click.command("path")
@target_argument
@click.argument("promise", required=False)
@set_option
@store_option
@json_option
def path_command(
    target: str, promise: str | None, assignments: tuple[str, ...], store: str | None, as_json: bool
) -> None:
    """Print where the artifacts are, or one promised artifact.

    One line for each realization that TARGET names.
    """
    documents = []
    where = as_store(store)
    for one in found(target, read_assignments(assignments), where):
        path = _path(one.realization, promise, where)
        documents.append({"ref": str(one.realization.ref), "path": path})
    if as_json:
        out_json({"paths": documents})
        return
    for document in documents:
        out_exact(document["path"])


def _path(realization: Realization[Any], promise: str | None, store: Store) -> str:
    known = realization.promises
    if promise is not None and promise not in known:
        raise unknown_promise(realization.name, promise, known)
    if store.keeper.present(realization.record):
        return str(realization.path if promise is None else known[promise])
    alone = store.keeper.kept(realization.record, promise) if promise is not None else None
    if alone is None:
        raise TargetError(
            "its artifacts are not here", where=realization.ref,
            hint="realize its stage, or pull it from where it is: that has them back",
        )  # fmt: skip
    return str(alone)
