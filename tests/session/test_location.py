"""Which store is meant where none is given."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import pylightnix
from pylightnix import Store, promise, stage
from pylightnix.errors import StoreError
from pylightnix.session.location import as_store, locate


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory three levels deep, with no store in sight and a home of its own."""
    path = tmp_path / "a" / "b" / "c"
    path.mkdir(parents=True)
    monkeypatch.chdir(path)
    monkeypatch.delenv("PYLIGHTNIX_STORE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return path


def test_the_variable_comes_first(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / ".pylightnix").mkdir()
    monkeypatch.setenv("PYLIGHTNIX_STORE", str(tmp_path / "named"))
    assert locate() == tmp_path / "named"
    assert as_store(None) == Store(tmp_path / "named")


@pytest.mark.parametrize(
    ("named", "meant"), [("sub/s", "a/b/c/sub/s"), ("~/s", "home/s"), ("~", "home"), ("..", "a/b")]
)
def test_the_variable_may_be_relative(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, meant: str
) -> None:
    monkeypatch.setenv("PYLIGHTNIX_STORE", named)
    assert locate().is_absolute()
    assert os.path.normpath(locate()) == str(tmp_path / meant)


def test_an_address_in_the_variable_is_no_store(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLIGHTNIX_STORE", "s3://bucket/x")
    with pytest.raises(StoreError, match="is an address"):
        as_store(None)


def test_the_home_of_nobody_is_a_directory_like_others(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLIGHTNIX_STORE", "~no-such-user/s")
    assert locate() == here / "~no-such-user" / "s"


def test_an_empty_variable_is_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLIGHTNIX_STORE", "")
    (here / ".pylightnix").mkdir()
    assert locate() == here / ".pylightnix"


@pytest.mark.parametrize("where", ["a/b/c", "a/b", "a"])
def test_the_nearest_directory_at_or_above_is_next(here: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / where / ".pylightnix").mkdir()
    assert locate() == tmp_path / where / ".pylightnix"
    (tmp_path / ".pylightnix").mkdir()
    assert locate() == tmp_path / where / ".pylightnix"


def test_a_file_of_that_name_is_passed_over(here: Path) -> None:
    (here / ".pylightnix").write_text("no store")
    (here.parent / ".pylightnix").mkdir()
    assert locate() == here.parent / ".pylightnix"


def test_last_comes_the_data_directory_of_the_user(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "linux":
        assert locate() == tmp_path / "home" / ".local" / "share" / "pylightnix" / "store"
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        assert locate() == tmp_path / "data" / "pylightnix" / "store"
    assert locate().name == "store"
    assert list(tmp_path.rglob("pylightnix")) == []


def test_a_working_directory_that_is_gone_is_a_clear_error(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.rmdir()
    with pytest.raises(StoreError, match="the working directory does not exist any more") as caught:
        locate()
    assert "--store" in caught.value.hint
    monkeypatch.setenv("PYLIGHTNIX_STORE", str(tmp_path / "named"))
    assert locate() == tmp_path / "named"


def test_what_is_given_is_meant(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYLIGHTNIX_STORE", str(tmp_path / "other"))
    store = Store(tmp_path / "s")
    assert as_store(store) is store
    assert as_store(tmp_path / "s") == as_store(str(tmp_path / "s")) == store
    assert as_store("s").path == here / "s"
    with pytest.raises(StoreError, match="no path for a store"):
        as_store("")


@stage(code="ignore")
def one(out: Path = promise("out.txt")) -> None:
    os.chdir("/")
    out.write_text("1")


def test_realize_uses_it_and_a_later_chdir_changes_nothing(here: Path) -> None:
    (here.parent / ".pylightnix").mkdir()
    planned = pylightnix.plan(one())
    assert os.listdir(here.parent / ".pylightnix") == []
    os.chdir(here.parent.parent)
    done = pylightnix.realize(planned, quiet=True)
    assert done.out.is_relative_to(here.parent / ".pylightnix" / "store")
