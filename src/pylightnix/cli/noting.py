"""`remote`: which remotes a store looks at by itself."""

from __future__ import annotations

import click

from pylightnix.cli.options import json_option, store_option
from pylightnix.cli.output import out, out_json
from pylightnix.remotes.remote import Remote
from pylightnix.session.location import as_store


@click.command("remote")
@click.option("--add", multiple=True, metavar="URL", help="Note this one; nobody asks it now. May be repeated.")
@click.option("--remove", multiple=True, metavar="URL", help="Strike this one out. May be repeated.")
@store_option
@json_option
def remote_command(add: tuple[str, ...], remove: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Show, note and strike out remotes that a realize in the store looks at.

    They are asked beside those of $PYLIGHTNIX_REMOTES, if a realize or plan names none itself.
    """
    where = as_store(store)
    noted = list(where.remotes)
    gone = [_address(url) for url in remove]
    strange = [one for one in gone if one not in noted]
    if strange:
        raise click.UsageError(f"{strange[0]} is not noted: {', '.join(noted) or 'none is'}.")
    wanted = [one for one in dict.fromkeys([*noted, *map(_address, add)]) if one not in gone]
    if wanted != noted:
        where.remotes = wanted
    if as_json:
        out_json({"remotes": wanted})
        return
    for one in wanted:
        out(one)


def _address(url: str) -> str:
    """The address, if it is one that a remote can have; a directory's means the same wherever one is."""
    with Remote(url) as remote:
        return remote.address
