"""Where a store is, how it begins, and which directories are refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix.errors import FormatError, StoreError
from pylightnix.store.layout import FORMAT, Layout

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def listing(path: Path) -> list[str]:
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    Layout(tmp_path / "a" / "b").check()
    assert listing(tmp_path) == []


def test_the_first_write_makes_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a" / "b")
    layout.ensure()
    layout.ensure()
    root = tmp_path / "a" / "b"
    assert (root / "format.json").read_bytes() == b'{"pylightnix":"store/1"}'
    places = {"derivations", "store", "records", "environments", "roots", "tmp", "failed", "locks", "kept"}
    assert set(os.listdir(root)) == {"format.json", *places}
    assert os.listdir(root / "tmp") == []
    Layout(root).check()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_the_umask_says_who_may_enter_and_never_may_everybody_write(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        Layout(tmp_path / "s").ensure()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s" / "records").stat().st_mode) == 0o775 & ~umask
    assert stat.S_IMODE((tmp_path / "s" / "format.json").stat().st_mode) == 0o444 & ~umask


@pytest.mark.parametrize("name", ["with space", "größe-数", "a'b\"c", "tab\there", "$HOME", "-", "%s{0}", "b\udcff"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    Layout(tmp_path / name).ensure()
    assert os.path.isfile(f"{tmp_path}/{name}/format.json")
    assert Layout(f"{tmp_path}/{name}").root == f"{tmp_path}/{name}"


def test_bytes_are_a_path_too(tmp_path: Path) -> None:
    assert Layout(os.fsencode(tmp_path / "s")).root == str(tmp_path / "s")  # type: ignore[arg-type]


def test_a_relative_path_is_absolute_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    layout = Layout("sub/../s")
    monkeypatch.chdir(tmp_path / "elsewhere")
    layout.ensure()
    assert layout.root == str(tmp_path / "s")
    assert listing(tmp_path / "elsewhere") == []


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Layout("~/s").root == Layout(Path("~/s")).root == str(tmp_path / "s")


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(StoreError, match="no path for a store"):
        Layout(path)


@pytest.mark.parametrize("path", ["s3://bucket/x", "ann:PASSWORD@host:/x", "ann@host:x", "file:///x", "SFTP://h/x"])
def test_an_address_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="pylightnix push") as caught:
        Layout(path)
    assert "PASSWORD" not in str(caught.value)
    assert Layout(f"./{path}").root == str(tmp_path / path.replace("//", "/").replace("//", "/"))


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(StoreError, match="working directory does not exist"):
        Layout("s")
    assert Layout(tmp_path / "s").root == str(tmp_path / "s")


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 256), tmp_path.joinpath(*["y" * 200] * 21)):
        with pytest.raises(StoreError, match="name too long"):
            Layout(path)
    almost = tmp_path.joinpath(*["z" * 200] * 30)
    root = str(almost)[:4090]
    with pytest.raises(StoreError, match="name too long"):
        Layout(root).ensure()


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "s"):
        with pytest.raises(StoreError, match="cannot be read: Not a directory"):
            Layout(path)
    assert (tmp_path / "file").read_text() == "mine"


def test_links_to_a_store_are_followed_and_a_dangling_one_is_an_error(tmp_path: Path) -> None:
    Layout(tmp_path / "s").ensure()
    (tmp_path / "link").symlink_to("s")
    Layout(tmp_path / "link").ensure()
    (tmp_path / "dangling").symlink_to("nowhere")
    layout = Layout(tmp_path / "dangling")
    with pytest.raises(StoreError, match="cannot be written"):
        layout.ensure()


@pytest.mark.parametrize(
    "names",
    [
        ["notes.txt"],
        ["store/"],
        ["records/", "tmp/"],
        ["tmp/mine.txt"],
        ["tmp"],
        ["tmp/", ".DS_Store"],
        [".git/", "src/"],
        ["bad\x1b[2J"],
    ],
)
def test_a_directory_of_somebody_else_is_refused_and_left_alone(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(FormatError, match="this directory is no store") as caught:
        Layout(tmp_path)
    assert "\x1b" not in str(caught.value)
    assert listing(tmp_path) == before


def test_a_part_of_a_store_is_named_with_the_whole(tmp_path: Path) -> None:
    Layout(tmp_path / "whole").ensure()
    (tmp_path / "whole/store/one").mkdir()
    with pytest.raises(FormatError, match="this directory is no store") as caught:
        Layout(tmp_path / "whole/store")
    assert caught.value.hint == f"it is a part of the store {tmp_path}/whole: give the path of that"


def test_one_that_was_begun_is_finished(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "17-0123456789ab").write_bytes(b'{"pylig')
    Layout(tmp_path).ensure()
    assert (tmp_path / "format.json").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"pylightnix":"store/2"}', "this store has the format store/2, this version reads up to store/1"),
        ('{"pylightnix":"store/999999999"}', "store/999999999"),
        ('{"more":{},"pylightnix":"store/3"}', "this store has the format store/3"),
    ],
)
def test_a_newer_format_is_refused_and_nothing_is_changed(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "format.json").write_text(content)
    (tmp_path / "unknown").mkdir()
    with pytest.raises(FormatError, match=said) as caught:
        Layout(tmp_path)
    assert "newer one" in caught.value.hint
    assert listing(tmp_path) == ["format.json", "unknown"]
    assert (tmp_path / "format.json").read_text() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'"store/1"',
        b'{"pylightnix":1}',
        b'{"pylightnix":null}',
        b'{"pylightnix":["store/1"]}',
        b'{"pylightnix":"store/0"}',
        b'{"pylightnix":"store/01"}',
        b'{"pylightnix":"store/-1"}',
        b'{"pylightnix":"store/1\\n"}',
        b'{"pylightnix":"store/ 1"}',
        b'{"pylightnix":"store/1_0"}',
        '{"pylightnix":"store/１"}'.encode(),
        b'{"pylightnix":"store/' + b"9" * 5000 + b'"}',
        b'{"pylightnix":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"pylightnix":"shop/1"}',
        b"\xff\xfe",
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_format_that_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "format.json").write_bytes(content)
    with pytest.raises(FormatError, match="says nothing that can be understood") as caught:
        Layout(tmp_path)
    assert len(str(caught.value)) < 1000


def test_a_format_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "format.json").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        Layout(tmp_path)
    (tmp_path / "format.json").rmdir()
    os.mkfifo(tmp_path / "format.json")
    with pytest.raises(FormatError):
        Layout(tmp_path)
    (tmp_path / "format.json").unlink()
    (tmp_path / "format.json").symlink_to("format.json")
    with pytest.raises(StoreError, match="cannot be read"):
        Layout(tmp_path)


def test_what_was_removed_is_made_again(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "s")
    layout.ensure()
    (tmp_path / "s" / "records").rmdir()
    layout.ensure()
    assert not (tmp_path / "s" / "records").exists()
    layout.ensure(again=True)
    assert (tmp_path / "s" / "records").exists()


def test_many_can_make_it_at_once(tmp_path: Path) -> None:
    source = "import sys; from pylightnix.store.layout import Layout; sys.stdin.read(1); Layout(sys.argv[1]).ensure()"
    command = [sys.executable, "-c", source, str(tmp_path / "s")]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(6)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait() for process in started] == [0] * 6
    assert json.loads((tmp_path / "s" / "format.json").read_bytes()) == {"pylightnix": f"store/{FORMAT}"}
    assert os.listdir(tmp_path / "s" / "tmp") == []


UNWRITABLE = """
import sys
from pylightnix.errors import StoreError
from pylightnix.store.layout import Layout
layout = Layout(sys.argv[1])
try:
    layout.ensure()
except StoreError as error:
    print(error, "|", error.fields["errno"])
"""


def test_where_nothing_can_be_written_the_error_says_what_to_do(tmp_path: Path, ordinary: Script) -> None:
    done = ordinary(UNWRITABLE, tmp_path / "closed" / "s")
    assert done.stderr == ""
    assert "the store cannot be written: Permission denied" in done.stdout
    assert "choose another store" in done.stdout
    assert done.stdout.endswith("| 13\n")


def test_what_may_not_be_read_is_an_error_and_no_empty_store(tmp_path: Path, ordinary: Script) -> None:
    Layout(tmp_path / "private").ensure()
    (tmp_path / "private").chmod(0)
    done = ordinary(UNWRITABLE, tmp_path / "private")
    assert "StoreError" in done.stderr
    assert "the store cannot be read: Permission denied" in done.stderr
