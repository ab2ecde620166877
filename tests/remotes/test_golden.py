"""A remote of each version of the format is read, and what is pushed today has the names that it had then."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from pylightnix import Store, import_archive, pull, push
from pylightnix.errors import TrustError
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.remotes.keys import SecretKey

GOLDEN = Path(__file__).parents[1] / "golden"
KEY = SecretKey(bytes(range(32)))
MODEL = "d5ab51ae2d30dc86e7a301551391dcd8b50347bf-model"


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "keys"))


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    with tarfile.open(GOLDEN / "remote-1.tar.gz") as archive:
        for one in archive:
            content = archive.extractfile(one)
            path = tmp_path / "remote" / one.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read() if content is not None else b"")
    return tmp_path / "remote"


def test_version_1_is_read(remote: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store", durability="none")
    with pytest.raises(TrustError, match="whom you do not trust"):
        pull(MODEL, remote, store=store)
    Keys().trust("then", KEY.public)
    pull(MODEL, remote, store=store)
    assert store.verify().findings == ()
    there = store.realization(MODEL)
    assert there.files
    assert there.deps


def test_version_1_is_written(remote: Path, tmp_path: Path) -> None:
    """The same names and documents; what a blob is compressed to may differ between versions of zstd."""
    Path(Keys().directory).mkdir()
    own = Path(Keys().own_path)
    own.write_text(f"{KEY.text()}\n")
    own.chmod(0o600)
    store = Store(tmp_path / "store", durability="none")
    import_archive(GOLDEN / "archive-1.plx.gz", store=store)
    push(MODEL, tmp_path / "today", store=store)
    assert documents(tmp_path / "today") == documents(remote)


def documents(remote: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(remote)): path.read_bytes() for path in remote.rglob("*") if path.is_file()}
    return {name: b"" if name.startswith("blobs/") else data for name, data in found.items() if name != "remote.json"}
