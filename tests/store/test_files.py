"""Small files of the store: bounded reading that never hangs, strict JSON, writing in one step."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylightnix.errors import DamageError
from pylightnix.store import files
from pylightnix.store.files import (
    ID,
    DamageWarning,
    decode_json,
    fresh_id,
    parse_document,
    read_small,
    read_start,
    warn_of_damage,
    write_new,
    write_once,
)


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 3_000_000])
@pytest.mark.parametrize("end", [b"}", b"x"])
def test_all_bytes_are_read(tmp_path: Path, size: int, end: bytes) -> None:
    data = bytes(i % 251 for i in range(size)) + end
    (tmp_path / "f").write_bytes(data)
    assert read_small(str(tmp_path / "f")) == data


def test_what_comes_in_portions_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some network file systems give it."""
    (tmp_path / "f").write_bytes(b'{"a":{"b":"0123456789"},"c":1}')
    read = os.read
    monkeypatch.setattr(os, "read", lambda handle, most: read(handle, min(most, 7)))
    assert read_small(str(tmp_path / "f")) == b'{"a":{"b":"0123456789"},"c":1}'


def test_a_document_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 2_000_000)
    (tmp_path / "f").write_bytes(b"x" * 2_000_001)
    with pytest.raises(DamageError, match="larger than 2000000 bytes"):
        read_small(str(tmp_path / "f"))


def test_what_is_no_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "target").write_text("{}")
    (tmp_path / "directory").mkdir()
    for name, number in (("link", errno.ELOOP), ("directory", errno.EISDIR), ("missing", errno.ENOENT)):
        with pytest.raises(OSError, match=os.strerror(number)):
            read_small(str(tmp_path / name))
    assert read_small(str(tmp_path / "fifo")) == b""
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        read_start(str(tmp_path / "link"), 10)


def test_a_fifo_that_somebody_holds_open_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    held = os.open(tmp_path / "fifo", os.O_RDWR)
    try:
        with pytest.raises(BlockingIOError):
            read_small(str(tmp_path / "fifo"))
    finally:
        os.close(held)


@pytest.mark.parametrize("most", [0, 1, 5, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20, 4 * 2**20])
def test_the_start_of_a_file(tmp_path: Path, most: int) -> None:
    data = b"0123456789" * (3 * 2**20 // 10)
    (tmp_path / "f").write_bytes(data)
    assert read_start(str(tmp_path / "f"), most) == data[:most]


@pytest.mark.parametrize(
    "text", ['{"a":[1,2.5,"\\u001b",null,true]}', '"ü\\\\ud800"', '{"a":{"a":1},"b":{"a":1}}', "0"]
)
def test_json_that_is_read(text: str) -> None:
    assert decode_json(text) == eval(text, {"null": None, "true": True})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}x",
        "{}\n",
        " {}",
        "{}{}",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e400",
        '{"a":[-1e999]}',
        '{"a":1,"a":1}',
        '{"b":{"a":1,"c":2,"a":3}}',
        '"\\ud800"',
        '{"\\udc00x":1}',
        '"\n"',
        "'a'",
        "1" * 5000,
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        decode_json(text)
    with pytest.raises(DamageError, match="file: not readable as JSON"):
        parse_document("file", text.encode(), "kind/1")


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"null",
        b'"kind/1"',
        b'{"pylightnix":"kind/2"}',
        b'{"pylightnix":"other/1"}',
        b'{"pylightnix":1}',
        b'{"pylightnix":["kind/1"]}',
    ],
)
def test_a_document_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises(DamageError, match="not a document of kind kind/1"):
        parse_document("file", data, "kind/1")


@pytest.mark.parametrize(
    "data", [b"\xff", b'{"pylightnix":"kind/1","a":"\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"\0" * 100]
)
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(DamageError, match="not readable as JSON"):
        parse_document("file", data, "kind/1")


def test_a_document_is_read() -> None:
    assert parse_document("f", b'{"pylightnix":"kind/1","a":1}', "kind/1") == {"pylightnix": "kind/1", "a": 1}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o444), (0o077, 0o400), (0, 0o444), (0o027, 0o440)])
@pytest.mark.usefixtures("_umask")
def test_a_new_file_is_read_only_with_the_rights_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    os.umask(umask)
    write_new(str(tmp_path / "new"), b"data")
    write_once(str(tmp_path), str(tmp_path / "once"), b"data")
    for name in ("new", "once"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
        assert (tmp_path / name).read_bytes() == b"data"


def test_a_new_file_never_overwrites(tmp_path: Path) -> None:
    write_new(str(tmp_path / "f"), b"first")
    with pytest.raises(FileExistsError):
        write_new(str(tmp_path / "f"), b"second")
    assert (tmp_path / "f").read_bytes() == b"first"


def test_writing_once_replaces_in_one_step_and_leaves_nothing(tmp_path: Path) -> None:
    write_once(str(tmp_path), str(tmp_path / "f"), b"first")
    before = os.stat(tmp_path / "f").st_ino
    write_once(str(tmp_path), str(tmp_path / "f"), b"second")
    assert (tmp_path / "f").read_bytes() == b"second"
    assert os.stat(tmp_path / "f").st_ino != before
    with pytest.raises(FileNotFoundError):
        write_once(str(tmp_path), str(tmp_path / "no" / "f"), b"third")
    assert os.listdir(tmp_path) == ["f"]


def test_ids_differ_and_name_the_process() -> None:
    made = [fresh_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    for name in made:
        form = ID.fullmatch(name)
        assert form is not None
        assert int(form[1]) == os.getpid()


def test_a_warning_can_be_told_apart_and_is_safe_to_print() -> None:
    with pytest.warns(DamageWarning) as caught:
        warn_of_damage("/a\x1b[2J/b\udcff", "what\n\u202e")
    assert str(caught[0].message) == r"/a\x1b[2J/b\udcff: what\n\u202e; treated as not there"


def test_whether_something_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for look in (files.is_there, os.path.lexists):
        assert [look(str(tmp_path / name)) for name in ("file", "dangling", "loop", "nowhere")] == [True] * 3 + [False]


@pytest.mark.parametrize("knows", [True, False])
def test_where_the_system_does_not_tell_it_quickly_it_is_told_slowly(
    monkeypatch: pytest.MonkeyPatch, *, knows: bool
) -> None:
    """As with an old kernel, or in a sandbox: `os.access` is False for everything, or does not know how."""

    def refuse(*_: object, **__: object) -> bool:
        if not knows:
            raise NotImplementedError
        return False

    monkeypatch.setattr(os, "access", refuse)
    assert files._quick_look() is os.path.lexists
