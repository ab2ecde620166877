"""The arguments and options that several commands share, and how they are completed in a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

_DIGITS = 600
"""Of an integer, which Python reads at once, however it is configured."""


def _complete_target(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from pylightnix.cli.completing import complete_target

    return complete_target(incomplete, ctx.params.get("store"))


def _complete_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from pylightnix.cli.completing import complete_name

    return complete_name(incomplete, ctx.params.get("store"))


def _note_json(ctx: click.Context, _: click.Parameter, wanted: bool) -> bool:
    ctx.meta["pylightnix.json"] = wanted
    return wanted


store_option = click.option(
    "--store",
    type=click.Path(),
    metavar="PATH",
    help="The store; default: $PYLIGHTNIX_STORE, .pylightnix here or above, the user's.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, is_eager=True, callback=_note_json, help="One JSON document on standard output."
)
target_argument = click.argument("target", shell_complete=_complete_target)
other_argument = click.argument("other", shell_complete=_complete_target)
targets_argument = click.argument(
    "targets", nargs=-1, required=True, metavar="TARGET…", shell_complete=_complete_target
)
references_argument = click.argument("references", nargs=-1, metavar="[REF]…", shell_complete=_complete_target)
names_argument = click.argument("stages", nargs=-1, metavar="[STAGE]…", shell_complete=_complete_name)
set_option = click.option(
    "--set", "assignments", multiple=True, metavar="NAME=VALUE",
    help="A parameter of the stage: VALUE is read as JSON, else taken as text. May be repeated.",
)  # fmt: skip


def read_assignments(assignments: tuple[str, ...], option: str = "--set") -> dict[str, Any]:
    """The parameters in `--set name=value …`, or the like of another option.

    Raises:
        click.BadParameter: one has no `=` or no name, or a name is given twice.
    """
    given: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{assignment!r} is not NAME=VALUE", param_hint=option)
        if name in given:
            raise click.BadParameter(f"{name!r} is given twice", param_hint=option)
        given[name] = _read_value(text)
    return given


def _read_value(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return text


def _integer(text: str) -> int:
    """Of any size, as configurations have them: `int` alone refuses what has more than 4300 digits."""
    digits = text.lstrip("-")
    value = 0
    for start in range(0, len(digits), _DIGITS):
        part = digits[start : start + _DIGITS]
        value = value * 10 ** len(part) + int(part)
    return -value if text != digits else value
