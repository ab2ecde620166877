"""Files, directories and texts of this machine as inputs: their content counts, and nothing else of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Dep, Realization, Store, plan, realize, stage
from pylightnix.errors import BuildError, ConfigError
from pylightnix.stages import local_dir, local_file, text


@stage(code="ignore")
def count(table: Path, other: Dep | None = None) -> int:
    return len(table.read_text())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "data"
    (top / "deep" / "er").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "a.csv").write_text("1,2\n")
    (top / "deep" / "run.sh").write_text("true\n")
    (top / "deep" / "run.sh").chmod(0o755)
    (top / "deep" / "er" / "b.bin").write_bytes(bytes(range(256)))
    (top / "link").symlink_to("a.csv")
    return top


def test_a_file_is_an_input_with_its_content(tmp_path: Path) -> None:
    file = tmp_path / "table one.csv"
    file.write_text("a,b\n")
    made = realize(local_file(file), store=tmp_path / "s", quiet=True)
    assert made.name == "table-one.csv"
    assert made.file.name == "table one.csv"
    assert made.file.read_text() == "a,b\n"
    assert realize(count(local_file(file).file), store=tmp_path / "s", quiet=True).value == 4


def test_the_content_decides_and_nothing_else(tmp_path: Path) -> None:
    store, file = Store(tmp_path / "s"), tmp_path / "t.csv"
    file.write_text("one")
    realize(count(local_file(file).file), store=store, quiet=True)
    os.utime(file, (0, 0))
    (tmp_path / "elsewhere").mkdir()
    file = file.rename(tmp_path / "elsewhere" / "t.csv")
    assert not plan(count(local_file(file).file), store=store).work
    file.write_text("two")
    assert plan(count(local_file(file).file), store=store).work
    file.write_text("one")
    file.chmod(0o755)
    found = plan(count(local_file(file).file), store=store)
    assert [step.action for step in found] == ["build", "waiting"], "the executable bit is content, too"


@pytest.mark.parametrize("isolation", [None, "process"])
def test_an_input_is_no_finding(tmp_path: Path, recwarn: pytest.WarningsRecorder, isolation: Any, tree: Path) -> None:
    asked = [local_file(tree / "a.csv"), local_dir(tree)]
    realize(asked, store=tmp_path / "s", isolation=isolation, strict=True, quiet=True)
    assert [str(one.message) for one in recwarn if "did not declare" in str(one.message)] == []


def test_a_directory_with_all_that_is_in_it(tmp_path: Path, tree: Path) -> None:
    made: Realization[Any] = realize(local_dir(tree), store=tmp_path / "s", quiet=True)
    top = made.directory
    assert top.name == "data"
    assert sorted(str(path.relative_to(top)) for path in top.rglob("*")) == [
        "a.csv", "deep", "deep/er", "deep/er/b.bin", "deep/run.sh", "empty", "link",
    ]  # fmt: skip
    assert os.readlink(top / "link") == "a.csv"
    assert os.access(top / "deep" / "run.sh", os.X_OK)
    assert (top / "deep" / "er" / "b.bin").read_bytes() == bytes(range(256))


@pytest.mark.parametrize(
    "change",
    ["content", "name", "bit", "link", "empty directory", "nothing"],
)
def test_what_counts_of_a_directory(tmp_path: Path, tree: Path, change: str) -> None:
    before = local_dir(tree).ref
    match change:
        case "content":
            (tree / "a.csv").write_text("1,3\n")
        case "name":
            (tree / "a.csv").rename(tree / "c.csv")
        case "bit":
            (tree / "a.csv").chmod(0o755)
        case "link":
            (tree / "link").unlink()
            (tree / "link").symlink_to("deep")
        case "empty directory":
            (tree / "empty").rmdir()
        case _:
            os.utime(tree / "a.csv", (0, 0))
            (tree / "a.csv").chmod(0o600)
    assert (local_dir(tree).ref == before) == (change == "nothing")


def test_what_is_left_out_does_not_count(tmp_path: Path, tree: Path) -> None:
    ignore = ["*.bin", "empty", "deep/run.*"]
    before = local_dir(tree, ignore=ignore).ref
    (tree / "deep" / "er" / "b.bin").write_bytes(b"")
    (tree / "deep" / "run.sh").unlink()
    (tree / "empty" / "more").touch()
    asked = local_dir(tree, ignore=ignore)
    assert asked.ref == before
    top = realize(asked, store=tmp_path / "s", quiet=True).directory
    assert sorted(str(path.relative_to(top)) for path in top.rglob("*")) == ["a.csv", "deep", "deep/er", "link"]


def test_a_tilde_is_the_home_directory(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tree.parent))
    assert local_dir(f"~/{tree.name}").ref == local_dir(tree).ref
    assert local_file(Path("~", tree.name, "a.csv")).ref == local_file(tree / "a.csv").ref


def test_patterns_as_people_write_them(tmp_path: Path, tree: Path) -> None:
    assert local_dir(tree, ignore=["deep/", "./empty"]).ref == local_dir(tree, ignore=["deep", "empty"]).ref
    for pattern in ("", "/", "/deep", "../x", "deep/../x", ".", "deep//x"):
        with pytest.raises(ConfigError, match="nothing below the directory"):
            local_dir(tree, ignore=[pattern])


def test_names_that_are_no_text_are_kept(tmp_path: Path, tree: Path) -> None:
    (tree / os.fsdecode(b"\xff")).write_text("x")
    top = realize(local_dir(tree), store=tmp_path / "s", quiet=True).directory
    assert b"\xff" in os.listdir(os.fsencode(top))


def test_a_change_while_it_is_copied_is_noticed(tmp_path: Path, tree: Path) -> None:
    asked, file = local_dir(tree), local_file(tree / "a.csv")
    (tree / "a.csv").write_text("9,9\n")
    for described in (asked, file):
        with pytest.raises(BuildError, match="has changed since it was described"):
            realize(described, store=tmp_path / "s", quiet=True)
    assert Store(tmp_path / "s").realizations() == []
    assert realize(local_file(tree / "a.csv"), store=tmp_path / "s", quiet=True).file.read_text() == "9,9\n"


def test_what_is_there_already_is_not_copied_again(tmp_path: Path) -> None:
    store, file = tmp_path / "s", tmp_path / "t"
    file.write_text("x")
    asked = local_file(file)
    realize(asked, store=store, quiet=True)
    file.unlink()
    assert realize(asked, store=store, quiet=True).file.read_text() == "x"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("gone", "cannot be read: No such file or directory"),
        ("directory", "this is no file\n  use local_dir"),
        ("fifo", "this is no file\n  give a file or a directory"),
    ],
)
def test_a_file_that_cannot_be_one(tmp_path: Path, what: str, told: str) -> None:
    place = tmp_path / "thing"
    if what == "directory":
        place.mkdir()
    elif what == "fifo":
        os.mkfifo(place)
    with pytest.raises(ConfigError) as caught:
        local_file(place)
    assert told in str(caught.value)
    assert "local_file(" in str(caught.value)


def test_a_directory_that_cannot_be_one(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(ConfigError, match=r"this is no directory\n  use local_file"):
        local_dir(tree / "a.csv")
    with pytest.raises(ConfigError, match="is no list of patterns"):
        local_dir(tree, ignore="*.pyc")
    os.mkfifo(tree / "deep" / "fifo")
    with pytest.raises(ConfigError, match="deep/fifo it is neither a file"):
        local_dir(tree)
    assert local_dir(tree, ignore=["fifo"]).ref


def test_a_text_is_an_input(tmp_path: Path) -> None:
    made = realize(text("settings.ini", "a = ü\r\n"), store=tmp_path / "s", quiet=True)
    assert made.file.read_bytes() == "a = ü\r\n".encode()
    assert made.file.name == "settings.ini"
    assert text("t", "").ref != text("t", "x").ref
    assert realize(text("t", ""), store=tmp_path / "s", quiet=True).file.read_bytes() == b""
    with pytest.raises(ConfigError, match="no text: bytes"):
        text("t", b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [".pylightnix", "results"])
def test_the_store_that_lies_in_it_is_left_out(tree: Path, name: str) -> None:
    store = Store(tree / name)
    made = realize(local_dir(tree), store=store, quiet=True)
    assert "a.csv" in os.listdir(made.directory)
    assert name not in os.listdir(made.directory)
    again = realize(local_dir(tree), store=store, quiet=True)
    assert (again.ref, len(again.runs)) == (made.ref, 1)
    with pytest.raises(ConfigError, match="this is a store"):
        local_dir(tree / name)


def test_a_file_named_like_that_of_a_store_is_content(tree: Path) -> None:
    (tree / "deep" / "format.json").write_text('{"pylightnix": "no"}')
    before = local_dir(tree).ref
    (tree / "deep" / "format.json").write_text('{"pylightnix": "not"}')
    assert local_dir(tree).ref != before


@pytest.mark.parametrize("path", ["", "a\0b", b"data", 7, None])
def test_what_is_no_path_is_refused_at_once(path: Any) -> None:
    for describe in (local_file, local_dir):
        with pytest.raises(ConfigError, match="this is no path"):
            describe(path)
