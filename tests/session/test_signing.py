"""Looking again who vouches for what came from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix import Store, promise, pull, push, realize, stage
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.session.signing import doubted


@stage(code="ignore")
def data(table: Path = promise("table.txt")) -> None:
    table.write_text("one two")


@pytest.mark.parametrize("trusted", range(6))
def test_believed_at_one_of_the_places_that_it_came_from(
    trusted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is: their order is that of hashes."""
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "keys"))
    ann = Keys().generate()
    store, other = (Store(tmp_path / name, durability="none") for name in ("ann", "bob"))
    done = realize(data(), store=store, quiet=True)
    remotes = [tmp_path / f"remote-{number}" for number in range(6)]
    for remote in remotes:
        push(done, remote, store=store)
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "others"))
    for remote in remotes:
        pull(done.ref, remote, store=other, unsigned=True)
    assert [one.ref for one in doubted(other)] == [done.ref]
    Keys().trust("ann", ann.public, str(remotes[trusted]))
    assert list(doubted(other)) == []
