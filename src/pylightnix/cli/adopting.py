"""`import-dir`: a result that was made elsewhere, taken into the store."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from pylightnix.cli.keeping import keep
from pylightnix.cli.options import json_option, read_assignments, store_option
from pylightnix.cli.output import out_exact, out_json
from pylightnix.session.location import as_store


@click.command("import-dir")
@click.argument("path", type=click.Path())
@click.argument("name")
@click.option(
    "--known",
    "facts",
    multiple=True,
    metavar="NAME=VALUE",
    help="What is known about it: VALUE is read as JSON, else taken as text. May be repeated.",
)
@click.option("--value", metavar="JSON", help="Its value, for matchers and people.")
@click.option(
    "--promise", "promised", multiple=True, metavar="NAME=PATH", help="A path below PATH, by name. May be repeated."
)
@click.option("--root", metavar="NAME", help="Keep it under this name.")
@store_option
@json_option
def import_dir_command(
    path: str, name: str, facts: tuple[str, ...], value: str | None, promised: tuple[str, ...], root: str | None,
    store: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Take a directory that was made elsewhere into the store, with what is known about it.

    What is in PATH is copied, and becomes a realization NAME:
    `import-dir old/model model --known made_by=train.py --value '{"accuracy": 0.91}' --promise weights=w.bin`
    """
    from pylightnix.session.adopting import import_dir

    where = as_store(store)
    made = import_dir(
        where, path, name, known=read_assignments(facts, "--known"), value=_read_value(value),
        promises=_read_promises(promised), root=root,
    )  # fmt: skip
    if root is None:
        keep([made.ref], os.path.abspath(path), where)
    if as_json:
        out_json({"ref": str(made.ref), "path": str(made.path)})
    else:
        out_exact(str(made.path))


def _read_value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"this is no JSON: {error}", param_hint="--value") from None


def _read_promises(given: tuple[str, ...]) -> dict[str, str]:
    promises: dict[str, str] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or not name.isidentifier() or name in promises:
            raise click.BadParameter(f"{one!r} is not NAME=PATH, or a name is given twice", param_hint="--promise")
        promises[name] = path
    return promises
