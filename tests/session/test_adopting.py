"""Results that were made elsewhere, as realizations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pylightnix import Dep, Store, import_dir, realize, stage
from pylightnix.errors import ConfigError, PromiseError


@pytest.fixture
def old(tmp_path: Path) -> Path:
    (tmp_path / "old" / "deep" / "empty").mkdir(parents=True)
    (tmp_path / "old" / "deep" / "w.bin").write_bytes(b"weights")
    (tmp_path / "old" / "run.sh").write_text("true")
    (tmp_path / "old" / "run.sh").chmod(0o755)
    (tmp_path / "old" / "link").symlink_to("run.sh")
    return tmp_path / "old"


@stage(code="ignore")
def size(model: Dep) -> int:
    return len(model.weights.read_bytes()) + int(model.value["epochs"])


def test_a_directory_becomes_a_realization(tmp_path: Path, old: Path) -> None:
    store = Store(tmp_path / "s")
    made = import_dir(
        store, old, "model", known={"made_by": "train.py", "depth": 3}, value={"epochs": 5},
        promises={"weights": "deep/w.bin"}, quiet=True,
    )  # fmt: skip
    assert made.weights.read_bytes() == b"weights"
    assert made.params["known"] == {"made_by": "train.py", "depth": 3}
    assert made.value == {"epochs": 5}
    assert (made.path / "deep" / "empty").is_dir()
    assert os.access(made.path / "run.sh", os.X_OK)
    assert os.readlink(made.path / "link") == "run.sh"
    assert (old / "deep" / "w.bin").exists(), "it stays where it is"
    assert realize(size(made), store=store, quiet=True).value == 12
    again = import_dir(
        store, old, "model", known={"made_by": "train.py", "depth": 3}, value={"epochs": 5},
        promises={"weights": "deep/w.bin"}, quiet=True,
    )  # fmt: skip
    assert again.ref == made.ref
    other = import_dir(store, old, "model", known={"depth": 4}, quiet=True)
    assert other.ref != made.ref


def test_what_is_not_there_is_told(tmp_path: Path, old: Path) -> None:
    with pytest.raises(PromiseError):
        import_dir(tmp_path / "s", old, "model", promises={"weights": "none.bin"}, quiet=True)
    with pytest.raises(ConfigError, match="no directory"):
        import_dir(tmp_path / "s", old / "run.sh", "model", quiet=True)
    os.mkfifo(old / "pipe")
    with pytest.raises(ConfigError, match="pipe"):
        import_dir(tmp_path / "s", old, "model", quiet=True)


def test_promises_may_be_named_like_what_the_builder_has(tmp_path: Path, old: Path) -> None:
    made = import_dir(tmp_path / "s", old, "model", promises={"source": "run.sh", "build": "run.sh"}, quiet=True)
    assert made.source == made.promises["build"]


def test_a_store_is_no_result(tmp_path: Path, old: Path) -> None:
    import_dir(tmp_path / "s", old, "model", quiet=True)
    with pytest.raises(ConfigError, match="this is a store"):
        import_dir(tmp_path / "s", tmp_path / "s", "all", quiet=True)
    assert "s" not in os.listdir(import_dir(tmp_path / "s", tmp_path, "all", quiet=True).path)
