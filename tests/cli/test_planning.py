"""`plan` and `instantiate`: what a realize would do, and the descriptions of it in the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])


def test_instantiate_writes_derivations_and_builds_nothing(cli: Any) -> None:
    planned = cli("plan", "flow.py:report").stdout
    assert cli("instantiate", "flow.py:report").stdout == planned
    assert sorted(path.name[41:] for path in (cli.store / "derivations").iterdir()) == [
        "model.json", "numbers.json", "report.json",
    ]  # fmt: skip
    assert list((cli.store / "records").iterdir()) == []
    assert cli.json("instantiate", "flow.py:numbers", "--set", "count=5")["counts"] == {"build": 1}
    assert len(list((cli.store / "derivations").iterdir())) == 4


@pytest.mark.parametrize("harm", [Path.unlink, cut, flip])
def test_a_derivation_that_is_lost_is_told_with_what_brings_it_back(cli: Any, harm: Callable[[Path], None]) -> None:
    cli("realize", "flow.py:report")
    (path,) = (cli.store / "derivations").glob("*-model.json")
    before = path.read_bytes()
    ref = cli.json("ls", "model")["realizations"][0]["ref"]
    harm(path)
    cure = "pylightnix instantiate FILE.py:model"
    assert cure in cli("show", ref, code=1).stderr
    assert "3 of 3 reused" in cli("realize", "flow.py:report").stderr
    assert "derivations/" in cli("verify", code=1).stdout
    cli("instantiate", "flow.py:report")
    assert path.read_bytes() == before
    assert cli("verify").stdout == ""
    harm(path)
    assert "pylightnix instantiate FILE.py:STAGE" in cli("verify", "--repair", code=1).stdout
    cli("instantiate", "flow.py:model")
    assert cli("verify").stdout == ""
    assert "score" in cli("show", ref).stdout
