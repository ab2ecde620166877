"""`init` and `completion`: what one does once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from pylightnix.cli.ending import COMPLETE, PROGRAM
from pylightnix.cli.options import json_option, store_option
from pylightnix.cli.output import out_exact, out_json, remark
from pylightnix.session.location import DIRECTORY, VARIABLE, as_store

_USE = {
    "bash": 'add to ~/.bashrc: eval "$(pylightnix completion bash)"',
    "zsh": 'add to ~/.zshrc: eval "$(pylightnix completion zsh)"',
    "fish": "pylightnix completion fish > ~/.config/fish/completions/pylightnix.fish",
}


@click.command("init")
@store_option
@json_option
def init_command(store: str | None, as_json: bool) -> None:
    """Make a store, ./.pylightnix, for this directory and those below.

    What is there already stays as it is.
    """
    path = Path(store) if store is not None else Path.cwd() / DIRECTORY
    made = as_store(path)
    there = (made.path / "format.json").exists()
    made.create()
    if as_json:
        out_json({"store": str(made.path), "created": not there})
    else:
        out_exact(str(made.path))
        remark(
            "it was there already, and stays as it is"
            if there
            else "made; it is used from this directory and from below"
        )
    named = os.environ.get(VARIABLE)
    if store is None and named and Path(named).expanduser().absolute() != made.path:
        remark(f"note: ${VARIABLE} is set and goes first: {named}", "yellow")


@click.command("completion")
@click.argument("shell", type=click.Choice(sorted(_USE)))
def completion_command(shell: str) -> None:
    r"""Print the script that completes commands in a shell.

    \b
    bash: eval "$(pylightnix completion bash)"     in ~/.bashrc
    zsh:  eval "$(pylightnix completion zsh)"      in ~/.zshrc
    fish: pylightnix completion fish > ~/.config/fish/completions/pylightnix.fish
    """
    from pylightnix.cli.commands import pylightnix

    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError("BUG: click knows these shells")
    click.echo(kind(pylightnix, {}, PROGRAM, COMPLETE).source())
    if sys.stdout.isatty():
        remark(_USE[shell])
