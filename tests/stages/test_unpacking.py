"""Archives of all kinds, good ones and such as a stranger would send."""

from __future__ import annotations

import bz2
import functools
import gzip
import importlib.util
import io
import lzma
import os
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Store, realize
from pylightnix.errors import BuildError, ConfigError
from pylightnix.stages import local_file, text, unpack

Make = Callable[[tarfile.TarFile], None]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def add(archive: tarfile.TarFile, name: str, body: bytes = b"x", **fields: Any) -> None:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    info.size = len(body) if info.isreg() else 0
    archive.addfile(info, io.BytesIO(body))


def tarred(make: Make) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        make(archive)
    return made.getvalue()


def good(archive: tarfile.TarFile) -> None:
    add(archive, "./top/", type=tarfile.DIRTYPE)
    add(archive, "./top/a.txt", b"alpha", mode=0o600, uid=7)
    add(archive, "top/run", b"#!/bin/sh\n", mode=0o6755)
    add(archive, "top/deep/er/b.bin", bytes(range(256)) * 4)
    add(archive, "top/empty/", type=tarfile.DIRTYPE)
    add(archive, "top/nothing", b"")
    add(archive, "top/deep/link", type=tarfile.SYMTYPE, linkname="../a.txt")
    add(archive, "top/hard", type=tarfile.LNKTYPE, linkname="top/a.txt")


def zipped(make: Callable[[zipfile.ZipFile], None]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        make(archive)
    return made.getvalue()


def good_zip(archive: zipfile.ZipFile) -> None:
    for name, body, mode in [
        ("top/", b"", 0o40755), ("top/a.txt", b"alpha", 0o100600), ("top/run", b"#!/bin/sh\n", 0o106755),
        ("top/deep/er/b.bin", bytes(range(256)) * 4, 0o100644), ("top/empty/", b"", 0o40755),
        ("top/nothing", b"", 0o100644), ("top/deep/link", b"../a.txt", 0o120777), ("top/hard", b"alpha", 0o100644),
    ]:  # fmt: skip
        info = zipfile.ZipInfo(name)
        info.external_attr, info.create_system = mode << 16, 3
        archive.writestr(info, body)


def opened(tmp_path: Path, store: Store, body: bytes, *, name: str = "data.tar", **options: Any) -> Path:
    file = tmp_path / name
    file.write_bytes(body)
    found: Path = realize(unpack(local_file(file).file, **options), store=store, quiet=True).directory
    return found


KINDS: dict[str, Callable[[], bytes]] = {
    "tar": lambda: tarred(good),
    "tar.gz": lambda: gzip.compress(tarred(good)),
    "tar.bz2": lambda: bz2.compress(tarred(good)),
    "tar.xz": lambda: lzma.compress(tarred(good)),
    "zip": lambda: zipped(good_zip),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_it_comes_out(tmp_path: Path, store: Store, kind: str) -> None:
    top = opened(tmp_path, store, KINDS[kind](), name=f"data.{kind}") / "top"
    assert sorted(str(path.relative_to(top)) for path in top.rglob("*")) == [
        "a.txt", "deep", "deep/er", "deep/er/b.bin", "deep/link", "empty", "hard", "nothing", "run",
    ]  # fmt: skip
    assert (
        (top / "a.txt").read_bytes() == (top / "hard").read_bytes() == (top / "deep" / "link").read_bytes() == b"alpha"
    )
    assert (top / "deep" / "er" / "b.bin").read_bytes() == bytes(range(256)) * 4
    assert os.readlink(top / "deep" / "link") == "../a.txt"
    mode = (top / "run").stat().st_mode
    assert mode & stat.S_IXUSR
    assert not mode & (stat.S_ISUID | stat.S_ISGID)
    assert not (top / "a.txt").stat().st_mode & stat.S_IXUSR


@pytest.mark.skipif(
    not (importlib.util.find_spec("zstandard") or importlib.util.find_spec("compression")),
    reason="neither the package zstandard nor Python 3.14 is here",
)
def test_zstd(tmp_path: Path, store: Store) -> None:
    zstandard: Any = importlib.import_module("zstandard")
    body = tarred(good)
    assert (opened(tmp_path, store, zstandard.compress(body), name="d.tar.zst") / "top" / "run").exists()
    frames = b"\x50\x2a\x4d\x18\4\0\0\0size" + zstandard.compress(body[:5000]) + zstandard.compress(body[5000:])
    assert (opened(tmp_path, store, frames, name="e.tar.zst") / "top" / "run").exists(), "as pzstd writes it"


@pytest.mark.skipif(
    bool(importlib.util.find_spec("zstandard") or importlib.util.find_spec("compression")), reason="zstd can be read"
)
def test_zstd_that_nothing_reads(tmp_path: Path, store: Store) -> None:
    with pytest.raises(BuildError, match="zstandard"):
        opened(tmp_path, store, b"\x28\xb5\x2f\xfd" + bytes(20), name="d.tar.zst")


def test_directories_at_the_start_are_left_out(tmp_path: Path, store: Store) -> None:
    top = opened(tmp_path, store, tarred(good), strip=1)
    assert (top / "hard").read_bytes() == (top / "deep" / "link").read_bytes() == b"alpha"
    assert sorted(path.name for path in opened(tmp_path, store, tarred(good), strip=3).iterdir()) == ["b.bin"]
    with pytest.raises(BuildError, match="nothing is in it below 9"):
        opened(tmp_path, store, tarred(good), strip=9)


def test_names_that_are_no_text_are_kept(tmp_path: Path, store: Store) -> None:
    top = opened(tmp_path, store, tarred(lambda one: add(one, "a\udcff")))
    assert os.listdir(os.fsencode(top)) == [b"a\xff"]


def test_names_that_differ_in_case_alone(tmp_path: Path, store: Store) -> None:
    def both(archive: tarfile.TarFile) -> None:
        add(archive, "a", b"1")
        add(archive, "A", b"2")

    top = opened(tmp_path, store, tarred(both))
    assert ((top / "a").read_bytes(), (top / "A").read_bytes()) == (b"1", b"2")


def link(name: str, target: str) -> Make:
    return lambda archive: add(archive, name, type=tarfile.SYMTYPE, linkname=target)


def several(*makes: Make) -> Make:
    def make_all(archive: tarfile.TarFile) -> None:
        for make in makes:
            make(archive)

    return make_all


BAD: dict[str, tuple[Make, str]] = {
    "absolute": (lambda one: add(one, "/etc/x"), "absolute"),
    "up": (lambda one: add(one, "../x"), "leaves"),
    "up in the middle": (lambda one: add(one, "a/../../x"), "leaves"),
    "backslash": (lambda one: add(one, "..\\x"), "backslash"),
    "control": (lambda one: add(one, "a\x1b[2Jb"), "control"),
    "too long": (lambda one: add(one, "n" * 300), "too long"),
    "fifo": (lambda one: add(one, "pipe", type=tarfile.FIFOTYPE), "neither"),
    "device": (lambda one: add(one, "null", type=tarfile.CHRTYPE), "neither"),
    "twice": (several(lambda one: add(one, "a"), lambda one: add(one, "./a")), "twice"),
    "file and directory": (
        several(lambda one: add(one, "a"), lambda one: add(one, "a", type=tarfile.DIRTYPE)), "twice"),
    "below a file": (several(lambda one: add(one, "a"), lambda one: add(one, "a/b")), "no directory"),
    "link away": (link("a", "/etc/passwd"), "leads out"),
    "link up": (link("d/a", "../../x"), "leads out"),
    "through a link": (several(link("a", "b"), lambda one: add(one, "a/x")), "no directory"),
    "links that lead out together": (
        several(lambda one: add(one, "a/b/c/f"), link("a/b/c/l", "../../.."), link("m", "a/b/c/l/..")), "leads out"),
    "hard link away": (lambda one: add(one, "a", type=tarfile.LNKTYPE, linkname="../x"), "leaves"),
    "hard link to nothing": (lambda one: add(one, "a", type=tarfile.LNKTYPE, linkname="b"), "no file"),
    "hard link to a link": (
        several(link("b", "c"), lambda one: add(one, "a", type=tarfile.LNKTYPE, linkname="b")), "no file"),
    "nothing": (lambda one: None, "nothing is in it"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_a_stranger_would_send(tmp_path: Path, store: Store, case: str) -> None:
    make, told = BAD[case]
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(BuildError, match=told) as failure:
        opened(tmp_path, store, tarred(make))
    assert "\x1b" not in str(failure.value)
    assert {path.name for path in tmp_path.iterdir()} - before <= {"data.tar", "s"}
    assert [one.name for one in store.realizations() if "unpacked" in one.promises] == []


@pytest.mark.parametrize(
    ("name", "mode", "body", "told"),
    [
        ("../x", 0o100644, b"", "leaves"),
        ("a\\..\\x", 0o100644, b"", "backslash"),
        ("a\0b", 0o100644, b"", "control"),
        ("a", 0o120777, b"/etc/passwd", "leads out"),
        ("a", 0o120777, b"x" * 5000, "too long"),
        ("a", 0o010644, b"", "neither"),
    ],
)
def test_zips_of_a_stranger(tmp_path: Path, store: Store, name: str, mode: int, body: bytes, told: str) -> None:
    def make(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr, info.create_system = mode << 16, 3
        archive.writestr(info, body)

    with pytest.raises(BuildError, match=told):
        opened(tmp_path, store, zipped(make), name="data.zip")


def test_a_bomb_is_stopped(tmp_path: Path, store: Store) -> None:
    bomb = gzip.compress(tarred(lambda one: add(one, "zeros", bytes(20 << 20))))
    with pytest.raises(BuildError, match="more than 1000000 bytes"):
        opened(tmp_path, store, bomb, most=1_000_000)
    assert (opened(tmp_path, store, bomb, most="1G") / "zeros").stat().st_size == 20 << 20


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_that_would_fill_the_memory(tmp_path: Path, store: Store, kind: bytes) -> None:
    with gzip.open(tmp_path / "data.tar", "wb", 1) as file:
        info = tarfile.TarInfo("long")
        info.type, info.size = kind, 64 << 20
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(b"a" * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(BuildError, match="what it says of an entry has 67108864 bytes"):
            realize(unpack(local_file(tmp_path / "data.tar").file), store=store, quiet=True)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_many_entries_of_nothing_are_stopped(tmp_path: Path, store: Store) -> None:
    many = gzip.compress(tarred(several(*(functools.partial(add, name=f"{n}", body=b"") for n in range(2000)))))
    with pytest.raises(BuildError, match="more than 1000000 bytes"):
        opened(tmp_path, store, many, most=1_000_000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["cut", "flipped", "text"])
def test_damage_is_told(tmp_path: Path, store: Store, kind: str, how: str) -> None:
    body = KINDS[kind]()
    if how == "cut":
        body = body[: 512 * 6] if kind == "tar" else body[: len(body) * 2 // 3]
    elif how == "flipped":  # a byte of a header
        at = 512 * 3 + 5 if kind == "tar" else len(body) // 2
        body = body[:at] + bytes([body[at] ^ 0x55]) + body[at + 1 :]
    else:
        body = b"this is no archive"
    with pytest.raises(BuildError, match="damaged, or no archive"):
        opened(tmp_path, store, body, name=f"data.{kind}")


@pytest.mark.parametrize(
    "call",
    [lambda: unpack("data.tar"), lambda: unpack(text("a", "b").file, strip=-1), lambda: unpack(7),
     lambda: unpack(text("a", "b").file, most="many"), lambda: unpack(text("a", "b").file, most=-1)],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_once(call: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        call()


def test_a_stage_with_a_file_may_stand_for_it() -> None:
    asked = unpack(text("hello-2.10.tar.gz", "x"))
    assert asked.name == "hello-2.10"
    assert asked.ref == unpack(text("hello-2.10.tar.gz", "x").file, most=5).ref
