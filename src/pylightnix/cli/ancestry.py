"""`tree`: what a realization was made from, as a tree. What is shared is shown once and then referred to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from pylightnix.cli.options import json_option, read_assignments, set_option, store_option, target_argument
from pylightnix.cli.output import cut, out, out_json, width
from pylightnix.cli.targets import found
from pylightnix.cli.values import brief
from pylightnix.errors import PylightnixError, StoreError
from pylightnix.model.inputs import Input, inputs_of, realizations_of
from pylightnix.model.realization import Realization
from pylightnix.session.location import as_store

DEPTH = 50
"""Levels that are shown unless asked otherwise."""

VALUE_COLUMNS = 60

_Node = tuple[str, str]


class _Branch(NamedTuple):
    """Something in the tree: a realization, or why there is none; where it hangs, and what was drawn before it."""

    label: str
    realization: Realization[Any] | None
    missing: str
    before: str
    last: bool
    depth: int


@click.command("tree")
@target_argument
@click.option(
    "--depth", type=click.IntRange(min=0), default=DEPTH, metavar="N", help=f"Levels to show; 0: all. Default: {DEPTH}."
)
@set_option
@store_option
@json_option
def tree_command(target: str, depth: int, assignments: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Show what a realization was made from, as a tree.

    What several share is shown once, and then referred to with "…, above".
    """
    roots = [one.realization for one in found(target, read_assignments(assignments), as_store(store))]
    if as_json:
        out_json({"roots": [node_of(root) for root in roots], "realizations": list(_documents(roots))})
        return
    columns = width()
    for line in _lines(roots, depth):
        out(cut(line, columns))


def node_of(realization: Realization[Any]) -> _Node:
    """The same realization in other choices is another node."""
    return realization.ref, realization.context.hash


def _lines(roots: list[Realization[Any]], limit: int) -> Iterator[str]:
    """Depth first and without recursion: an ancestry may be deeper than any stack."""
    stack = [_Branch("", root, "", "", True, 0) for root in reversed(roots)]
    shown: set[_Node] = set()
    while stack:
        branch = stack.pop()
        joint = "" if branch.depth == 0 else "└─ " if branch.last else "├─ "
        start = f"{branch.before}{joint}{f'{branch.label}: ' if branch.label else ''}"
        if branch.realization is None:
            yield start + branch.missing
            continue
        below = branch.before + ("" if branch.depth == 0 else "   " if branch.last else "│  ")
        yield start + _line(branch.realization, again=node_of(branch.realization) in shown)
        if node_of(branch.realization) in shown:
            continue
        shown.add(node_of(branch.realization))
        children = _branches(branch.realization, below, branch.depth + 1)
        if children and limit and branch.depth + 1 >= limit:
            yield f"{below}└─ … deeper: --depth {limit * 2}, or 0 for all"
        else:
            stack += reversed(children)


def _line(realization: Realization[Any], *, again: bool) -> str:
    text = f"{realization.name} {realization.ref.short}"
    if again:
        return f"{text} …, above"
    value = realization.value
    return text if value is None else f"{text}  {brief(value, VALUE_COLUMNS)}"


def _branches(realization: Realization[Any], before: str, depth: int) -> list[_Branch]:
    try:
        inputs = inputs_of(realization)
    except (PylightnixError, LookupError) as error:
        return [_Branch("", None, f"(its inputs cannot be read: {error})".replace("\n", ";"), before, True, depth)]
    children = [child for one in inputs for child in _children(realization, one)]
    last = len(children) - 1
    return [
        _Branch(label, child, missing, before, position == last, depth)
        for position, (label, child, missing) in enumerate(children)
    ]


def _children(realization: Realization[Any], one: Input) -> list[tuple[str, Realization[Any] | None, str]]:
    label = one.label + (f" (only {one.promise})" if one.promise else "")
    chosen = realizations_of(realization, one.choice)
    if isinstance(chosen, StoreError):
        digits = ", ".join(ref.short for ref in one.choice.chosen)
        return [(label, None, f"{one.derivation.name} {digits}  ({chosen.what})")]
    if not one.choice.many:
        return [(label, chosen[0], "")]
    if not chosen:
        return [(label, None, f"{one.derivation.name}: none chosen")]
    return [(f"{label}[{position}]", child, "") for position, child in enumerate(chosen)]


def _documents(roots: list[Realization[Any]]) -> Iterator[dict[str, Any]]:
    """Every realization of the ancestry once, with its inputs as nodes."""
    stack = list(reversed(roots))
    seen: set[_Node] = set()
    while stack:
        realization = stack.pop()
        if node_of(realization) in seen:
            continue
        seen.add(node_of(realization))
        inputs: list[dict[str, Any]] = []
        below: list[Realization[Any]] = []
        for one in inputs_of(realization):
            chosen = realizations_of(realization, one.choice)
            there = () if isinstance(chosen, StoreError) else chosen
            below += there
            inputs.append(
                {
                    "label": one.label,
                    "promise": one.promise,
                    "matcher": one.choice.matcher,
                    "chosen": [str(ref) for ref in one.choice.chosen],
                    "nodes": [node_of(child) for child in there],
                    "problem": chosen.what if isinstance(chosen, StoreError) else None,
                }
            )
        stack += reversed(below)
        ref, context = node_of(realization)
        yield {
            "ref": ref,
            "context": context,
            "name": realization.name,
            "value": realization.record.value,
            "inputs": inputs,
        }
