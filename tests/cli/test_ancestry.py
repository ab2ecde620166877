"""`tree`: shared nodes once, any depth, removed ancestors."""

from __future__ import annotations

from typing import Any

CHAIN = """
from pylightnix import Dep, stage

@stage(code="ignore")
def start() -> int:
    return 0

@stage(code="ignore")
def link(n: int, before: Dep) -> int:
    return n

def chain(length):
    last = start()
    for n in range(length):
        last = link(n, last)
    return last

@stage(code="ignore")
def pair(left: Dep, right: Dep) -> None: ...

def ladder(height):
    last = start()
    for _ in range(height):
        last = pair(last, last)
    return last
"""


def test_what_is_shared_is_shown_once(full: Any) -> None:
    lines = full("tree", "flow.py:report").stdout.splitlines()
    assert lines[0].startswith("report ")
    assert lines[1].startswith("├─ best: model ")
    assert "score=" in lines[1]
    assert lines[2].startswith("│  └─ data: numbers ")
    assert lines[3] == f"└─ raw: {lines[2].split(': ')[1]} …, above"
    assert len(lines) == 4


def test_many_are_numbered(cli: Any) -> None:
    cli("realize", "flow.py:total")
    lines = cli("tree", "flow.py:total").stdout.splitlines()
    assert lines[0].endswith("  nan")
    assert lines[1].startswith("├─ parts[0]: model ")
    assert lines[3].startswith("└─ parts[1]: model ")
    assert lines[4].startswith("   └─ data: numbers ")


def test_the_document_has_each_once(full: Any) -> None:
    document = full.json("tree", "flow.py:report")
    names = [one["name"] for one in document["realizations"]]
    assert names == ["report", "model", "numbers"]
    nodes = {(one["ref"], one["context"]) for one in document["realizations"]}
    assert {tuple(root) for root in document["roots"]} <= nodes
    assert all(tuple(node) in nodes for one in document["realizations"] for i in one["inputs"] for node in i["nodes"])


def test_depth_is_bounded_and_can_be_chosen(cli: Any) -> None:
    (cli.directory / "chain.py").write_text(CHAIN)
    target = ["chain.py:chain", "--set", "length=300"]
    cli("realize", *target)
    lines = cli("tree", *target).stdout.splitlines()
    assert len(lines) == 51
    assert "--depth 100" in lines[-1]
    assert len(cli("tree", *target, "--depth", "3").stdout.splitlines()) == 4
    assert len(cli("tree", *target, "--depth", "0").stdout.splitlines()) == 301
    assert len(cli.json("tree", *target)["realizations"]) == 301


def test_a_ladder_is_as_long_as_it_is_high(cli: Any) -> None:
    (cli.directory / "chain.py").write_text(CHAIN)
    cli("realize", "chain.py:ladder", "--set", "height=40")
    lines = cli("tree", "chain.py:ladder", "--set", "height=40").stdout.splitlines()
    assert len(lines) == 1 + 2 * 40


def test_a_removed_ancestor_is_said_to_be_gone(cli: Any) -> None:
    root = cli.json("realize", "flow.py:report")["realizations"][0]["ref"]
    (numbers,) = cli.json("ls", "numbers")["realizations"]
    (record,) = cli.store.glob(f"records/*/{numbers['ref'][:40]}")
    for file in record.iterdir():
        file.unlink()
    record.rmdir()
    lines = cli("tree", root).stdout.splitlines()
    assert len(lines) == 4
    assert "was removed" in lines[2]
    assert "was removed" in lines[3]
    assert "was removed" in cli.json("tree", root)["realizations"][0]["inputs"][1]["problem"]
