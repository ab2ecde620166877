"""What takes how much space: by stage and by root, alone and with all that it was made from. Reads only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pylightnix.errors import CollectionError
from pylightnix.names import RealizationRef
from pylightnix.store.collection.edges import Node, nodes
from pylightnix.store.collection.reach import reach
from pylightnix.store.collection.roots import Root, Roots
from pylightnix.store.reading import Reader, see_fault


class Weight(NamedTuple):
    """The space of some realizations.

    Attributes:
        name: of a stage, or of a root.
        realizations: how many there are.
        own: bytes that only they take: of a stage its artifacts, of a root what no other root reaches.
        closure: bytes of these and of all that they were made from, each counted once.
    """

    name: str
    realizations: int
    own: int
    closure: int


class Weights(NamedTuple):
    """The space of a store.

    Attributes:
        stages, roots: by name; what no root reaches is the last of the roots, without a name.
        total: bytes of all artifacts.
        collected: how many realizations have no artifacts any more.
        trash: bytes in the trash.
        unreadable: what is wrong with each root that cannot be read: what it reaches is not among the weights of roots.
    """

    stages: tuple[Weight, ...]
    roots: tuple[Weight, ...]
    total: int
    collected: int
    trash: int
    unreadable: tuple[CollectionError, ...] = ()


def weigh(reader: Reader) -> Weights:
    """Weigh everything.

    Raises:
        CollectionError: whether what a root needs still stands cannot be told.
        StoreError: the store cannot be read.
    """
    graph = nodes(reader)
    size = {ref: node.size for ref, node in graph.items()}
    legible, unreadable = Roots(reader.layout).legible()
    roots = [root for root in legible if root.stands]
    return Weights(
        tuple(_stages(graph, size)),
        tuple(_roots(reader, graph, size, roots)),
        sum(size.values()),
        sum(not node.present for node in graph.values()),
        _on_disk(reader.layout.trash),
        tuple(unreadable),
    )


def _stages(graph: Mapping[str, Node], size: Mapping[str, int]) -> Iterator[Weight]:
    names: dict[str, list[str]] = {}
    for ref in graph:
        names.setdefault(RealizationRef(ref).name, []).append(ref)
    for name, refs in sorted(names.items()):
        yield Weight(name, len(refs), _sum(refs, size), _sum(closure(graph, refs), size))


def _roots(
    reader: Reader, graph: Mapping[str, Node], size: Mapping[str, int], roots: Sequence[Root]
) -> Iterator[Weight]:
    reached = {name: refs & graph.keys() for name, refs in _reached(reader, graph, roots).items()}
    times: dict[str, int] = {}
    for refs in reached.values():
        for ref in refs:
            times[ref] = times.get(ref, 0) + 1
    for name, refs in reached.items():
        yield Weight(name, len(refs), _sum((ref for ref in refs if times[ref] == 1), size), _sum(refs, size))
    left = [ref for ref in graph if ref not in times]
    yield Weight("", len(left), _sum(left, size), _sum(left, size))


def _reached(reader: Reader, graph: Mapping[str, Node], roots: Sequence[Root]) -> dict[str, AbstractSet[str]]:
    """What each root reaches, as a collection sees it; where that would refuse, whatever it may reach."""
    found: dict[str, AbstractSet[str]] = {root.name: set[str]() for root in roots}
    try:
        found.update(reach(reader, roots).by_root)
    except CollectionError:
        for root in roots:
            found[root.name] = found[root.name] | closure(graph, root.refs)
    return found


def closure(graph: Mapping[str, Node], refs: Iterable[str]) -> set[str]:
    """These and all that they were made from or used with, as far as it is in the store."""
    seen = {ref for ref in refs if ref in graph}
    waiting = list(seen)
    while waiting:
        new = [ref for ref in graph[waiting.pop()].inputs if ref not in seen and ref in graph]
        seen.update(new)
        waiting += new
    return seen


def _sum(refs: Iterable[str], size: Mapping[str, int]) -> int:
    return sum(size[ref] for ref in refs)


def _on_disk(directory: str) -> int:
    """Bytes in all files below a directory."""
    total, waiting = 0, [directory]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(above) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError as error:
            see_fault(above, error)
            continue
    return total
