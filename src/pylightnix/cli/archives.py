"""`export` and `import`: results, with all that they were made from, in one file."""

from __future__ import annotations

import os

import click

from pylightnix.cli.amounts import count
from pylightnix.cli.copying import incomplete_option, tell
from pylightnix.cli.keeping import held, keep
from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, targets_argument
from pylightnix.cli.output import out_exact, out_json, remark
from pylightnix.cli.targets import realizations
from pylightnix.model.amounts import size
from pylightnix.session.archives import export, import_archive
from pylightnix.session.location import as_store


@click.command("export")
@targets_argument
@click.option(
    "-o", "--output", required=True, type=click.Path(), metavar="FILE",
    help="The archive; compressed if it ends in .gz or .zst. What is there is replaced.",
)  # fmt: skip
@incomplete_option
@set_option
@store_option
@json_option
def export_command(
    targets: tuple[str, ...], output: str, incomplete: bool, assignments: tuple[str, ...], store: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write what TARGETs name, and all that it was made from, into one file.

    `import` takes it into another store. The same results give the same bytes.
    """
    _see_file(output)
    where = as_store(store)
    named = realizations(targets, read_assignments(assignments), where)
    done = export(named, output, store=where, incomplete=incomplete)
    if as_json:
        out_json(done._asdict())
        return
    out_exact(output)
    remark(f"{count(done.realizations, 'realization')}, {size(done.content)}; the archive has {size(done.size)}")


@click.command("import")
@click.argument("archive", type=click.Path())
@click.option("--root", metavar="NAME", help="Keep what the archive is of under this name.")
@click.option("--most", metavar="SIZE", help="What may come out of a compressed one, such as 2T; default 200 times it.")
@store_option
@json_option
def import_command(archive: str, root: str | None, most: str | None, store: str | None, as_json: bool) -> None:
    """Take what is in an archive into the store: all of it, or nothing.

    Everything is checked before any of it becomes visible. It is kept from collections under --root, else under a name
    of its own, which `root` lists.
    """
    _see_file(archive)
    where = as_store(store)
    with held(where):
        done = import_archive(archive, store=where, root=root, most=most)
        refs = [ref for kept in done.selection.kept for ref in kept.choice.chosen]
        if root is None:
            keep(refs, os.path.abspath(archive), where)
    told = {"archive": archive, "store": str(where.path), "refs": [str(ref) for ref in refs]}
    tell(done.copied, told, as_json=as_json)


def _see_file(path: str) -> None:
    """An archive is whole or not there, which cannot be said of a pipe."""
    if path == "-":
        raise click.UsageError("an archive is a file, and none on a pipe: give its path; ./- is one of that name.")
