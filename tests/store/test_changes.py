"""All changes of a store's files go through one module, where they can be seen, refused, or be the last ones."""

from __future__ import annotations

import ast
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import pylightnix.store
from pylightnix.store import changes

ROOM = Path(pylightnix.store.__file__).parent
MODULES = sorted(path for path in ROOM.rglob("*.py") if path.name != "changes.py")
ENGINE = sorted(ROOM.with_name("engine").rglob("*.py"))

OF_OS = {
    "chflags", "chmod", "chown", "copy_file_range", "fallocate", "fchmod", "fchown", "fdatasync", "fdopen", "fsync",
    "ftruncate", "lchmod", "lchown", "link", "lockf", "makedirs", "mkdir", "mkfifo", "mknod", "posix_fallocate",
    "pwrite", "pwritev", "remove", "removedirs", "removexattr", "rename", "renames", "replace", "rmdir",
    "sendfile", "setxattr", "splice", "symlink", "sync", "truncate", "unlink", "utime", "write", "writev",
}  # fmt: skip
OF_PATHS = {
    "chmod", "hardlink_to", "lchmod", "link_to", "mkdir", "rename", "rmdir", "symlink_to", "touch", "unlink",
    "write_bytes", "write_text",
}  # fmt: skip
OTHERS = {"shutil", "tempfile", "fcntl", "ctypes", "mmap", "msvcrt"}
WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"}
ALLOWED = {("locks.py", "fcntl")}
"""What may be named since nothing is called through it: constants, and what the system says of locks."""


def violations(source: str, name: str = "module.py") -> list[str]:
    """The calls in a module that change files by themselves."""
    tree = ast.parse(source)
    flags = _writing_flags(tree)
    return [
        f"{name}:{node.lineno}: {ast.unparse(node)[:80]}"
        for node in ast.walk(tree)
        if _changes_files(node, flags) or any((name, m) not in ALLOWED for m in _imports(node))
    ]


def _imports(node: ast.AST) -> Iterator[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    yield from (name for name in names if name in OTHERS)
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        yield "os"


def _writing_flags(tree: ast.AST) -> set[str]:
    """Names to which something with a flag for writing is assigned."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _names_writing(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _names_writing(tree: ast.AST) -> bool:
    return any(
        (isinstance(n, ast.Attribute) and n.attr in WRITING) or (isinstance(n, ast.Constant) and n.value in WRITING)
        for n in ast.walk(tree)
    )


def _changes_files(node: ast.AST, flags: set[str]) -> bool:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
        return node.attr in OF_OS
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id == "os":
        given = [*node.args[1:], *(k.value for k in node.keywords)]
        return node.func.attr == "open" and any(
            _names_writing(a) or any(isinstance(n, ast.Name) and n.id in flags for n in ast.walk(a)) for a in given
        )
    if isinstance(node.func, ast.Attribute):
        of_changes = isinstance(node.func.value, ast.Name) and node.func.value.id == "changes"
        opens = node.func.attr == "open" and _mode_writes(node, 0)
        return not of_changes and (node.func.attr in OF_PATHS or opens)
    return isinstance(node.func, ast.Name) and node.func.id in ("open", "FileIO") and _mode_writes(node, 1)


def _mode_writes(call: ast.Call, position: int) -> bool:
    modes = [*call.args[position : position + 1], *(k.value for k in call.keywords if k.arg == "mode")]
    return any(not isinstance(m, ast.Constant) or set(str(m.value)) & set("wxa+") for m in modes)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOM).as_posix())
def test_no_other_module_changes_files(module: Path) -> None:
    assert violations(module.read_text(encoding="utf-8"), module.name) == []


@pytest.mark.parametrize("module", ENGINE, ids=lambda path: path.name)
def test_nothing_that_makes_changes_files(module: Path) -> None:
    """It asks the store to: what is in a workspace is the store's."""
    assert violations(module.read_text(encoding="utf-8"), module.name) == []


@pytest.mark.parametrize(
    "source",
    [
        "os.rename(a, b)",
        "os.open(p, os.O_WRONLY)",
        "X = os.O_CREAT | os.O_RDWR\nos.open(p, X)",
        "F = sum(getattr(os, n) for n in ('O_CREAT',))\nos.open(p, flags=F)",
        "open(p, 'w')",
        "open(p, mode='r+b')",
        "open(p, mode)",
        "path.open('ab')",
        "path.write_text('x')",
        "path.unlink()",
        "f = os.fsync",
        "from os import rename",
        "import shutil",
        "import fcntl",
        "os.symlink(a, b)",
        "os.utime(p)",
        "os.truncate(p, 0)",
        "FileIO(p, 'w')",
    ],
)
def test_a_call_is_found(source: str) -> None:
    assert violations(source)


@pytest.mark.parametrize("source", ["open(p)", "open(p, 'rb')", "os.open(p, os.O_RDONLY)", "changes.move(a, b)"])
def test_reading_is_no_change(source: str) -> None:
    assert violations(source) == []


def test_every_function_tells_before_it_does(tmp_path: Path) -> None:
    told: list[str] = []

    def refuse(name: str, about: tuple[object, ...]) -> None:
        told.append(name)
        raise OSError(errno.EIO, "refused", str(about))

    here = os.open(tmp_path, os.O_RDONLY)
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    before = os.stat(tmp_path / "file").st_mode
    calls = [
        ("mkdir", lambda: changes.make_directory(tmp_path / "new")),
        ("rename", lambda: changes.move(tmp_path / "file", tmp_path / "moved")),
        ("unlink", lambda: changes.remove_file(b"file", above=here)),
        ("rmdir", lambda: changes.remove_directory(tmp_path)),
        ("chmod", lambda: changes.set_mode(tmp_path / "file", 0o000)),
        ("fchmod", lambda: changes.set_mode_of(file, 0o000)),
        ("open", lambda: changes.open_new(tmp_path / "new", os.O_WRONLY | os.O_CREAT, 0o644)),
        ("write", lambda: changes.write(file, b"x")),
        ("copy", lambda: changes.copy_range(file, file, 1)),
        ("utime", lambda: changes.touch(tmp_path / "file")),
        ("symlink", lambda: changes.link_symbolically("x", tmp_path / "new")),
        ("link", lambda: changes.link(tmp_path / "file", tmp_path / "new")),
        ("fsync", lambda: changes.sync_file(file)),
        ("fsync", lambda: changes.sync_directory(tmp_path)),
        ("syncfs", lambda: changes.sync_all(tmp_path)),
        ("clone", lambda: changes.clone(file, file)),
        ("flock", lambda: changes.lock(file, 2)),
    ]
    try:
        for name, call in calls:
            with changes.observed(refuse), pytest.raises(OSError, match="refused"):
                call()
            assert told[-1] == name
        assert os.listdir(tmp_path) == ["file"]
        assert os.stat(tmp_path / "file").st_mode == before
        assert os.stat(tmp_path / "file").st_size == 0
    finally:
        os.close(here)
        os.close(file)
    changes.make_directory(tmp_path / "new")
    assert told == [name for name, _ in calls]
