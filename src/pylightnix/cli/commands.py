"""The commands by name, with one line each. Their modules are imported when they are used, so that help is quick."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "realize": ("realizing", "Bring targets into being: reuse what counts, build what is missing."),
    "plan": ("planning", "Say what realize would do, and why; reads only."),
    "instantiate": ("planning", "Write the derivations of a closure to the store; nothing is built."),
    "ls": ("listing", "List realizations: stage, age, size, runs, value."),
    "show": ("showing", "Show everything about one realization, derivation or failed run."),
    "log": ("reading", "Print what a run wrote to its standard output and error."),
    "tree": ("ancestry", "Show what a realization was made from, as a tree."),
    "path": ("reading", "Print where the artifacts are, or one promised artifact."),
    "check": ("checking", "Make a recorded run again, with its seed and inputs, and compare what it gives."),
    "verify": ("verifying", "Look whether the store is what it says, at every byte."),
    "root": ("rooting", "List roots; or keep what TARGET names, and all that it was made from, under NAME."),
    "why-alive": ("rooting", "Name the chain from each root to a realization; exits with 1 if no root reaches it."),
    "why-depends": ("depending", "Name the shortest way from TARGET to OTHER, which it was made from."),
    "gc": ("collecting", "Collect what no root reaches, no process uses, and all scopes that are given agree to."),
    "remove": ("collecting", "Remove realizations, artifacts and record, as if they had never been made."),
    "du": ("weighing", "Show what takes how much space, by stage or by root."),
    "doctor": ("examining", "Look whether the store is in a place where it can do its work."),
    "import-dir": ("adopting", "Take a directory that was made elsewhere into the store, with what is known about it."),
    "copy": ("copying", "Copy what TARGETs name, and all that it was made from, into the store at PATH."),
    "export": ("archives", "Write what TARGETs name, and all that it was made from, into one file."),
    "import": ("archives", "Take what is in an archive into the store: all of it, or nothing."),
    "push": ("remotes", "Send what TARGETs name, and all that it was made from, to the remote at URL."),
    "remote": ("noting", "Show, note and strike out remotes that a realize in the store looks at."),
    "pull": ("remotes", "Fetch what REFs name, and all that it was made from, from the remote at URL."),
    "serve": ("serving", "Serve the store as a remote that can be read, until interrupted."),
    "key": ("keying", "Your key, and the keys of those whom you trust."),
    "sign": ("keying", "Vouch with your key for what TARGETs name, though it was made elsewhere."),
    "init": ("starting", "Make a store, ./.pylightnix, for this directory and those below."),
    "completion": ("starting", "Print the script that completes commands in a shell."),
}
"""Module and first line of help for each command."""

_ELSEWHERE = {
    "build": "realize", "make": "realize", "repro": "realize", "run": "realize", "dry-run": "plan", "status": "plan",
    "list": "ls", "info": "show", "logs": "log", "clean": "gc", "prune": "gc", "delete": "remove", "rm": "remove",
    "fetch": "pull", "keygen": "key",
}  # fmt: skip
"""What commands of other tools may be called that do what one of ours does."""


class Commands(click.Group):
    """The group of all commands; it knows their names and their one line without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pylightnix.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; of a name that is none, it is told which one may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # slow to import

            known = _ELSEWHERE.get(args[0])
            meant = [known] if known else difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not meant:
                raise
            raise click.UsageError(f"{error.message} Did you mean {meant[0]!r}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from pylightnix import __version__

        click.echo(f"pylightnix {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, subcommand_metavar="COMMAND …")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Print the version."
)
def pylightnix() -> None:
    """Stages with luck in them: describe work, realize it into an immutable store, choose which results count.

    A target is FILE.py:STAGE, MODULE:STAGE or the first digits of a reference, as `pylightnix ls` shows them. Where no
    store is given, it is $PYLIGHTNIX_STORE, else a .pylightnix directory here or above, else the user's own.

    Exit codes: 0 done, 1 a builder failed or a check found something, 2 wrong use, 130 interrupted; `check` exits with
    3 for what is equal only within the tolerance.
    """
