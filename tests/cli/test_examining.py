"""`doctor`: a line for each thing; 1 if something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_nothing_is_wrong(full: Any) -> None:
    done = full("doctor")
    assert done.stderr == "nothing is wrong\n"
    assert "good  locks" in done.stdout
    assert "process: builders can have processes of their own" in done.stdout
    document = full.json("doctor")
    assert document["sound"] is True
    assert {"topic", "level", "what", "where", "hint"} == set(document["observations"][0])


def test_what_is_wrong_is_told_with_what_to_do(cli: Any) -> None:
    cli("realize", "flow.py:numbers")
    Path(cli.store, "records").chmod(0o777)
    done = cli("doctor", code=1)
    assert f"wrong  trust        {cli.store}/records: everybody can write to it\n       chmod o-w" in done.stdout
    assert done.stderr == "1 thing wrong\n"
    assert cli.json("doctor", code=1)["sound"] is False
    assert "warning: " in cli("ls").stderr


def test_a_newer_store_is_told(cli: Any) -> None:
    Path(cli.store).mkdir()
    Path(cli.store, "format.json").write_text('{"pylightnix":"store/2"}')
    done = cli("doctor", code=1)
    assert "this store has the format store/2" in done.stdout
    assert "use the version of pylightnix that made it" in done.stdout
