"""`key`: one's own key and whom one trusts, from a shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

ANN, BOB = (f"plx-public:{letter * 43}=" for letter in "AE")
BODY = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="


@pytest.fixture
def people(cli: Cli) -> Cli:
    cli.environ["PYLIGHTNIX_KEYS"] = str(cli.directory / "keys")
    return cli


def test_the_own_key(people: Cli) -> None:
    assert "pylightnix key generate" in people("key", "show", code=1).stderr
    made = people("key", "generate")
    path = people.directory / "keys" / "own.key"
    assert str(path) in made.stderr
    assert made.stdout.startswith("plx-public:")
    assert people("key", "show").stdout == made.stdout
    assert people.json("key", "show") == {"public": made.stdout.strip(), "path": str(path)}
    assert "not overwritten" in people("key", "generate", code=1).stderr
    secret = path.read_text().strip().partition(":")[2]
    for shown in (made, people("key", "show"), people("key", "list")):
        assert secret not in shown.stdout + shown.stderr
    if os.name == "posix":
        path.chmod(0o644)
        assert f"chmod 600 {path}" in people("key", "show", code=1).stderr


def test_whom_one_trusts(people: Cli) -> None:
    assert "nobody is trusted yet" in people("key", "list").stderr
    people("key", "trust", "ann", ANN)
    people("key", "trust", "bob", BOB, "--remote", "s3://lab")
    lines = [line.split() for line in people("key", "list").stdout.splitlines()]
    assert lines == [["trusted", "ann", ANN], ["trusted", "bob", BOB, "s3://lab"]]
    assert "2 of those" in people("key", "need", "2").stderr
    people("key", "untrust", "ann")
    people("key", "revoke", "bob")
    found = people.json("key", "list")
    assert (found["need"], found["trusted"], list(found["revoked"])) == (2, [], [BOB])
    assert "was revoked on" in people("key", "trust", "bob", BOB, code=1).stderr
    assert "0 is not in the range" in people("key", "need", "0", code=2).stderr
    assert "nobody is trusted under the name 'ann'" in people("key", "untrust", "ann", code=1).stderr


def test_no_secret_in_messages(people: Cli) -> None:
    secret = f"plx-secret:{BODY}"
    for args in (
        ("trust", "ann", secret), ("trust", secret, ANN), ("untrust", secret), ("revoke", secret), ("revoke", BODY),
        ("trust", "ann", ANN, "--remote", "https://u:nWGxne@host/"),
    ):  # fmt: skip
        for more in ((), ("--json",)):
            done = people("key", *args, *more, code=None)
            assert done.returncode in (1, 2)
            assert "nWGxne" not in done.stdout + done.stderr
    assert not Path(people.directory, "keys", "keyring.json").exists()


def test_an_address_from_a_variable_that_is_not_set(people: Cli) -> None:
    assert "no address" in people("key", "trust", "ann", ANN, "--remote", "", code=1).stderr


def test_a_keyring_that_cannot_be_read(people: Cli) -> None:
    people("key", "trust", "ann", ANN)
    path = people.directory / "keys" / "keyring.json"
    path.write_text(path.read_text()[:-9])
    for args in (("list",), ("trust", "bob", BOB), ("revoke", "ann")):
        told = people("key", *args, code=1)
        assert str(path) in told.stderr
        assert "mend it" in told.stderr


def test_nothing_came_from_elsewhere(people: Cli) -> None:
    people("realize", "flow.py:numbers")
    assert people.json("key", "check") == []
