"""`import-dir`: what was made elsewhere, taken in from a shell."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli


def test_a_directory_is_taken_in(cli: Cli) -> None:
    old = cli.directory / "old"
    old.mkdir()
    (old / "w.bin").write_text("weights")
    arguments = (
        "import-dir",
        "old",
        "model",
        "--known",
        "depth=3",
        "--value",
        '{"a": 1}',
        "--promise",
        "weights=w.bin",
    )
    path = Path(cli(*arguments, "--root", "paper").stdout.strip())
    assert (path / "w.bin").read_text() == "weights"
    found = cli.json(*arguments)
    assert found["path"] == str(path)
    assert '"depth": 3' in cli("show", found["ref"], "--json").stdout
    assert "paper" in cli("root").stdout
    cli(*arguments, "--store", "other")
    assert "no root reaches" not in cli("gc", "--unreachable", "--dry-run", "--store", "other").stdout


def test_mistakes_are_told(cli: Cli) -> None:
    (cli.directory / "old").mkdir()
    assert "no directory" in cli("import-dir", "none", "model", code=2).stderr
    assert "no JSON" in cli("import-dir", "old", "model", "--value", "{", code=2).stderr
    assert "NAME=PATH" in cli("import-dir", "old", "model", "--promise", "w", code=2).stderr
    assert "--known: 'w' is not NAME=VALUE" in cli("import-dir", "old", "model", "--known", "w", code=2).stderr
