"""`why-depends`: the shortest ways from a realization to what it was made from."""

from __future__ import annotations

from typing import Any

from tests.cli.test_ancestry import CHAIN


def test_the_shortest_way_is_told_for_each(full: Any) -> None:
    (line,) = full("why-depends", "flow.py:report", "flow.py:numbers").stdout.splitlines()
    assert line.split(" → ")[0].startswith("report ")
    assert line.split(" → ")[1].startswith("raw: numbers ")
    (line,) = full("why-depends", "flow.py:model", "numbers").stdout.splitlines()
    assert line.split(" → ")[1].startswith("data: numbers ")


def test_of_many_each_has_its_way(cli: Any) -> None:
    cli("realize", "flow.py:total")
    lines = cli("why-depends", "flow.py:total", "model").stdout.splitlines()
    assert [line.split(" → ")[1].split()[:2] for line in lines] == [["parts[0]:", "model"], ["parts[1]:", "model"]]


def test_the_document_names_each_step(full: Any) -> None:
    (way,) = full.json("why-depends", "flow.py:report", "model")["ways"]
    assert [(step["name"], step["input"]) for step in way] == [("report", None), ("model", "best")]


def test_what_it_was_not_made_from_is_said(full: Any) -> None:
    done = full("why-depends", "flow.py:model", "flow.py:report", code=1)
    assert done.stdout == ""
    assert "was not made from flow.py:report" in done.stderr
    # Itself is nothing that it was made from.
    assert "was not made from" in full("why-depends", "flow.py:report", "report", code=1).stderr


def test_another_realization_of_the_same_stage_is_named(full: Any) -> None:
    before = full.json("ls", "report")["realizations"][0]["ref"]
    chosen = full.json("why-depends", before, "model")["ways"][0][-1]["ref"]
    others = [one["ref"] for one in full.json("ls", "model")["realizations"] if one["ref"] != chosen]
    done = full("why-depends", before, others[0], code=1)
    assert f"but from another model: report {before[:8]} → best: model {chosen[:8]}" in done.stderr


def test_what_is_not_there_is_wrong_use(full: Any) -> None:
    assert "nothing is named ffff" in full("why-depends", "flow.py:report", "ffff", code=2).stderr
    assert "neither a target nor the name" in full("why-depends", "flow.py:report", "no such", code=2).stderr


def test_a_high_ladder_has_a_short_answer(cli: Any) -> None:
    (cli.directory / "chain.py").write_text(CHAIN)
    cli("realize", "chain.py:ladder", "--set", "height=40")
    (line,) = cli("why-depends", "chain.py:ladder", "start", "--set", "height=40").stdout.splitlines()
    assert line.count(" → ") == 40


def test_a_removed_ancestor_is_told(cli: Any) -> None:
    root = cli.json("realize", "flow.py:report")["realizations"][0]["ref"]
    (model,) = [step["ref"] for step in cli.json("why-depends", root, "model")["ways"][0] if step["name"] == "model"]
    (record,) = cli.store.glob(f"records/*/{model[:40]}")
    for file in record.iterdir():
        file.unlink()
    record.rmdir()
    done = cli("why-depends", root, "numbers")
    assert "was removed" in done.stderr
    assert "raw: numbers" in done.stdout
