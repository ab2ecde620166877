"""A quick look at every realization: how big, whether it is there, what it was made from. Believes what it reads.

For sums that people look at; what decides whether something is removed checks everything (`reach`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS
from pylightnix.names import is_prefix
from pylightnix.store.files import read_small
from pylightnix.store.reading import Reader, see_fault

_SIZE = re.compile(rb'","size":([0-9]{1,18}),"tree":"')
_CONTEXT = re.compile(
    rb'\{(?:"context":)?\{?"derivation":"[^"]*","inputs":\{(.*?)\},"pylightnix":"context/1"\}', re.DOTALL
)
_CHOSEN = re.compile(rb'"chosen":\[([^\]]*)\]')
_REF = re.compile(rf'"([0-9a-f]{{{DIGITS}}}-[A-Za-z0-9_.+-]+)"'.encode())


class Node(NamedTuple):
    """A realization: bytes of its artifacts (0 if they are not there), and what it was made from or used with."""

    size: int
    present: bool
    inputs: frozenset[str]


def nodes(reader: Reader) -> dict[str, Node]:
    """All realizations, by reference.

    Raises:
        StoreError: the system has nothing left to read with.
    """
    layout = reader.layout
    try:
        there = set(os.listdir(layout.store))
    except FileNotFoundError:
        there = set()
    found: dict[str, Node] = {}
    for home in _listed(layout.records):
        if not is_prefix(home):
            continue
        name = home[DIGITS:]
        for digits in _listed(f"{layout.records}/{home}"):
            if len(digits) == DIGITS:
                ref = f"{digits}{name}"
                node = _node(f"{layout.records}/{home}/{digits}", ref in there)
                if node is not None:
                    found[ref] = node
    return found


def _node(place: str, present: bool) -> Node | None:
    try:
        form = _SIZE.search(read_small(f"{place}/record.json"))
    except (OSError, DamageError) as error:
        see_fault(place, error)
        return None
    if form is None:
        return None
    return Node(int(form[1]) if present else 0, present, frozenset(_inputs(place)))


def _inputs(place: str) -> Iterator[str]:
    for name in _listed(place):
        if name.endswith(".json") and name.startswith(("run-", "context-")):
            try:
                form = _CONTEXT.match(read_small(f"{place}/{name}"))
            except (OSError, DamageError) as error:
                see_fault(f"{place}/{name}", error)
                continue
            for chosen in _CHOSEN.findall(form[1]) if form is not None else ():
                yield from (ref.decode() for ref in _REF.findall(chosen))


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError as error:
        see_fault(directory, error)
        return []
