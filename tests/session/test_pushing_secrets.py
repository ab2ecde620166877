"""What a declared secret says does not go over, wherever in a file it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix import Build, Dep, Secret, Store, push, realize, stage
from pylightnix.errors import SecretError
from pylightnix.remotes.pieces import PACKED, PIECE

VALUE = "correct-horse-battery"


@stage(code="ignore")
def asks(token: Secret = Secret("API_TOKEN")) -> int:
    return 1


@stage(code="ignore")
def writes(build: Build, source: Dep = asks(), at: int = 0, size: int = 0) -> None:
    """Reads no secret by its name, so its run is not looked at for any."""
    text = b"correct-horse-battery"
    (build.out / "file").write_bytes(b"x" * at + text + b"y" * (size - at - len(text)))


@pytest.mark.parametrize(
    ("at", "size"),
    [(0, 100), (PACKED - 100, PACKED - 1), (200_000, PACKED + 1), (PIECE - 5, PIECE + 100), (PIECE + 70, PIECE + 100),
     (2 * PIECE - 1, 3 * PIECE)],
)  # fmt: skip
def test_it_is_found_anywhere(at: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", VALUE)
    store = Store(tmp_path / "one", durability="none")
    done = realize(writes(at=at, size=size), store=store, quiet=True)
    with pytest.raises(SecretError, match="the secret API_TOKEN stands in it") as caught:
        push(done, tmp_path / "remote", store=store)
    assert caught.value.where.endswith("/file")
    assert VALUE not in f"{caught.value} {caught.value.hint}"
    assert not any(VALUE.encode() in path.read_bytes() for path in (tmp_path / "remote").rglob("*") if path.is_file())
    push(done, tmp_path / "meant", store=store, secrets=True)
    monkeypatch.setenv("API_TOKEN", "another value of it")
    push(done, tmp_path / "other", store=store)
