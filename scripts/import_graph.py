"""Draws which rooms import which, as Mermaid text in docs/architecture.md; with --check says whether it is up to date.

An edge that follows from others is left out of the drawing: it is there by transitivity.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

PAGE = Path(__file__).parent.parent / "docs" / "architecture.md"
BEGIN = "<!-- import graph: made by scripts/import_graph.py -->"
END = "<!-- end of import graph -->"

Edges = Mapping[str, frozenset[str]]


def room_edges(package: str) -> Edges:
    """For each room (a direct child of the package) the rooms that its modules import."""
    graph = grimp.build_graph(package)
    rooms = sorted(graph.find_children(package))
    return {
        _short(room): frozenset(
            _short(other)
            for other in rooms
            if other != room and graph.direct_import_exists(importer=room, imported=other, as_packages=True)
        )
        for room in rooms
    }


def _short(module: str) -> str:
    return module.rpartition(".")[2]


def reduced(edges: Edges) -> Edges:
    """The same reachability with the fewest edges. The rooms must have no cycle."""
    below: dict[str, frozenset[str]] = {}
    for room in TopologicalSorter(edges).static_order():
        below[room] = edges[room].union(*(below[other] for other in edges[room]))
    return {
        room: frozenset(other for other in others if not any(other in below[between] for between in others))
        for room, others in edges.items()
    }


def mermaid(edges: Edges) -> str:
    """The drawing."""
    lines = [f"    {room} --> {other}" for room in sorted(edges) for other in sorted(edges[room])]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def renewed(page: str, drawing: str) -> str:
    """The page with this drawing between its marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the marks {BEGIN} and {END}: put them where the drawing belongs")
    return f"{head}{BEGIN}\n{drawing}\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Write the drawing, or with --check compare it."""
    page = PAGE.read_text(encoding="utf-8")
    new = renewed(page, mermaid(reduced(room_edges("pylightnix"))))
    if "--check" not in arguments:
        PAGE.write_text(new, encoding="utf-8")
    elif new != page:
        print(f"{PAGE.name}: the import graph is out of date; run python scripts/import_graph.py")
        return 1
    else:
        print("graph: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
