"""`verify`: silent and 0 where all is sound; else a line for each damage and 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_a_sound_store(full: Any) -> None:
    done = full("verify")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "4 realizations verified, no damage\n"
    assert full.json("verify")["sound"] is True


def test_a_store_that_is_not_there_is_not_sound(full: Any) -> None:
    """As when a disk is not mounted, or a path mistyped."""
    elsewhere = Path(f"{full.store}-elsewhere")
    for asked in (("verify",), ("verify", "--repair"), ("verify", "--json"), ("verify",)):
        done = full(*asked, "--store", str(elsewhere), code=1)
        assert "no store is here, so nothing was verified" in done.stdout + done.stderr
        assert "no damage" not in done.stderr
        if "--json" in asked:
            elsewhere.mkdir()  # nor is one that is empty
    assert list(elsewhere.iterdir()) == []


def test_damage_is_named_and_exits_with_1(full: Any) -> None:
    ref = full.json("ls", "numbers")["realizations"][0]["ref"]
    path = Path(full.store) / "store" / ref / "table.txt"
    path.chmod(0o644)
    path.write_text("0 1 3")
    path.chmod(0o444)
    done = full("verify", code=1)
    assert done.stdout == f"{ref[:8]} numbers: store/{ref}/table.txt: its bytes were changed\n"
    assert done.stderr == "4 realizations verified, 1 thing damaged\n"
    other = full.json("ls", "report")["realizations"][0]["ref"]
    assert full("verify", other).stderr == "1 realization verified, no damage\n"
    assert full("verify", "ffffffffff", code=2).stderr.count("nothing is named ffffffffff") == 1


def test_damage_is_repaired_and_made_again(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    ref = cli.json("ls", "numbers")["realizations"][0]["ref"]
    top = Path(cli.store) / "store" / ref
    top.chmod(0o755)
    (top / "more").write_text("")
    done = cli("verify", "--repair")
    assert done.stdout.startswith(f"quarantined: {ref[:8]} numbers: store/{ref}/more: this file does not belong here; ")
    assert done.stderr == "1 realization verified, 3 things damaged, 3 quarantined\n"
    assert cli("verify").stderr == "1 realization verified, no damage\n"
    assert "its artifacts are not here" in cli("realize", "flow.py:numbers").stderr
    assert cli.json("verify", "--repair")["repairs"] == []
    assert cli.json("ls", "numbers")["realizations"][0]["ref"] == ref
