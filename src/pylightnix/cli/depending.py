"""`why-depends`: the shortest ways from a realization to one that it was made from. Unaware of roots."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import click

from pylightnix.cli.ancestry import node_of
from pylightnix.cli.loading import parse_place
from pylightnix.cli.options import (
    json_option,
    other_argument,
    read_assignments,
    set_option,
    store_option,
    target_argument,
)
from pylightnix.cli.output import out, out_json, remark
from pylightnix.cli.targets import found, realizations
from pylightnix.errors import PylightnixError, StoreError, TargetError
from pylightnix.model.inputs import inputs_of, realizations_of
from pylightnix.model.realization import Realization
from pylightnix.names import is_prefix, printable
from pylightnix.session.location import as_store
from pylightnix.store.store import Store

NOT_SO = 1


class _Way(NamedTuple):
    """A realization in an ancestry, and by which input one comes to it from the one before."""

    realization: Realization[Any]
    label: str = ""
    before: _Way | None = None

    def steps(self) -> list[_Way]:
        """From the beginning to here."""
        steps: list[_Way] = [self]
        while steps[-1].before is not None:
            steps.append(steps[-1].before)
        return steps[::-1]

    def line(self) -> str:
        return " → ".join(
            f"{f'{way.label}: ' if way.label else ''}{way.realization.name} {way.realization.ref.short}"
            for way in self.steps()
        )

    def document(self) -> list[dict[str, Any]]:
        return [
            {"ref": str(way.realization.ref), "name": way.realization.name, "input": way.label or None}
            for way in self.steps()
        ]


@click.command("why-depends")
@target_argument
@other_argument
@set_option
@store_option
@json_option
def why_depends_command(target: str, other: str, assignments: tuple[str, ...], store: str | None, as_json: bool) -> int:
    """Name the shortest way from TARGET to OTHER, which it was made from.

    OTHER is a target too, or the name of a stage: one line for each realization of it. Exits with 1 if TARGET was not
    made from any.
    """
    where = as_store(store)
    given = read_assignments(assignments)
    starts = [one.realization for one in found(target, given, where)]
    fits, name = _meant(other, where)
    ways, unread = _ways(starts, fits)
    if as_json:
        out_json({"ways": [way.document() for way in ways], "unreadable": unread})
    for way in ways if not as_json else ():
        out(way.line())
    for problem in unread:
        remark(problem)
    if not ways:
        _tell_none(starts, other, name)
    return 0 if ways else NOT_SO


def _meant(other: str, store: Store) -> tuple[Callable[[Realization[Any]], bool], str]:
    """Which realizations are meant, and the name of their stage as far as it is known.

    Raises:
        TargetError: it names nothing that is there.
    """
    if parse_place(other) is not None:
        there = realizations([other], {}, store)
        refs = {one.ref for one in there}
        return (lambda one: one.ref in refs), there[0].name if there else ""
    if next(store.keeper.homes(other), None) is not None:
        return (lambda one: one.name == other), ""
    if not is_prefix(other):
        raise TargetError(
            f"{printable(other)!r} is neither a target nor the name of a stage that was realized",
            hint="give FILE.py:STAGE, MODULE:STAGE, the first digits of a reference, or a name that ls shows",
        )
    ref = store.realization(other).ref
    return (lambda one: one.ref == ref), ref.name


def _ways(starts: Sequence[Realization[Any]], fits: Callable[[Realization[Any]], bool]) -> tuple[list[_Way], list[str]]:
    """The shortest way to each realization that fits, and what could not be read. In breadth, without recursion."""
    waiting = deque(_Way(start) for start in starts)
    seen = {node_of(start) for start in starts}
    ways: dict[str, _Way] = {}
    unread: list[str] = []
    while waiting:
        way = waiting.popleft()
        if way.before is not None and fits(way.realization):
            ways.setdefault(way.realization.ref, way)
        try:
            for label, child in _below(way.realization, unread):
                if node_of(child) not in seen:
                    seen.add(node_of(child))
                    waiting.append(_Way(child, label, way))
        except (PylightnixError, LookupError) as error:
            unread.append(f"the inputs of {way.realization.name} {way.realization.ref.short} cannot be read: {error}")
    return list(ways.values()), unread


def _below(realization: Realization[Any], unread: list[str]) -> Iterator[tuple[str, Realization[Any]]]:
    """What stands in each input, by the input's name; what cannot be had of it is added to `unread`."""
    for one in inputs_of(realization):
        chosen = realizations_of(realization, one.choice)
        if isinstance(chosen, StoreError):
            unread.append(f"{realization.name} {realization.ref.short}, {one.label}: {chosen.what}")
            continue
        only = f" (only {one.promise})" if one.promise else ""
        for position, child in enumerate(chosen):
            yield f"{one.label}[{position}]" if one.choice.many else f"{one.label}{only}", child


def _tell_none(starts: Sequence[Realization[Any]], other: str, name: str) -> None:
    told = ", ".join(f"{one.name} {one.ref.short}" for one in starts)
    remark(f"{told} was not made from {printable(other)}")
    for way in _ways(starts, lambda one: one.name == name)[0]:
        remark(f"but from another {name}: {way.line()}")
