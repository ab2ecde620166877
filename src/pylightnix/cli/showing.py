"""`show`: everything about one realization, derivation or failed run, for people and for programs."""

from __future__ import annotations

from typing import Any

import click

from pylightnix.cli.describing import derivation_document, everything, failure_document
from pylightnix.cli.loading import parse_place
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, target_argument
from pylightnix.cli.output import out_json, out_safe
from pylightnix.cli.picturing import derivation_lines, failure_lines, realization_lines
from pylightnix.cli.targets import found, one_of
from pylightnix.errors import UnknownReferenceError
from pylightnix.names import is_prefix
from pylightnix.session.location import as_store
from pylightnix.store.failures import failures, find_failure
from pylightnix.store.store import Store

FAILED = "failed/"


@click.command("show")
@target_argument
@set_option
@store_option
@json_option
def show_command(target: str, assignments: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Show everything about one realization, derivation or failed run.

    TARGET is FILE.py:STAGE, MODULE:STAGE, the first digits of a reference, or failed/NAME as a failure named it.
    """
    given = read_assignments(assignments)
    kind, documents, lines = _look(target, given, as_store(store))
    if as_json:
        out_json({kind: documents})
        return
    for line in lines:
        out_safe(line)


def _look(target: str, given: dict[str, Any], store: Store) -> tuple[str, list[dict[str, Any]], list[str]]:
    """What kind of thing it is, its documents, and lines for people."""
    name = failed_name(target, store)
    if name is not None:
        failed = failure_document(find_failure(store.keeper.layout, name))
        return "failures", [failed], failure_lines(failed)
    try:
        realizations = found(target, given, store)
    except UnknownReferenceError as error:
        reference = None if error.fields.get("found") else _derivation(target, store)
        if reference is None:
            raise
        document = derivation_document(reference, store)
        return "derivations", [document], derivation_lines(document)
    documents = [everything(one.realization, store, one.label) for one in realizations]
    lines: list[str] = []
    for one, document in zip(realizations, documents, strict=True):
        lines += ["", *realization_lines(one.realization, document)]
    return "realizations", documents, lines[1:]


def failed_name(target: str, store: Store) -> str | None:
    """The name of a kept failed run, if the target is one: with `failed/` before it, or as it stands there."""
    if target.startswith(FAILED):
        return target.removeprefix(FAILED)
    named = parse_place(target) is None and not is_prefix(target) and target
    return target if named and any(name.startswith(target) for name in failures(store.keeper.layout)) else None


def _derivation(target: str, store: Store) -> Any:
    return one_of(store.derivations(), target, store)
