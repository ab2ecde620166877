"""Which paths the code of a run needs to be read from: Python, installed packages, modules of the project.

Of a directory of the project's (one on `sys.path` that nothing was installed to, such as a script's own) only modules
and packages count: top-level files that can be imported, and directories with an `__init__`. What else lies beside
them is data. Reads the file system; unaware of sandboxes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import all_suffixes

_INSTALLED = ("site-packages", "dist-packages")
_OF_A_PREFIX = ("bin", "etc", "include", "lib", "lib32", "lib64", "libexec", "pyvenv.cfg", "share", "ssl")
_LINKS = 40


def code_paths(apart: tuple[str, ...], path: Sequence[str]) -> set[str]:
    """Absolute paths of files and directories, as they are spelt here.

    Args:
        apart: directories that hold what is no code, such as the home and the store; a Python whose prefix is above
            one of them is not taken as a whole.
        path: where modules are looked for.
    """
    found = {*_python(apart), *_libraries()}
    for entry in _search_path(path):
        found.update(_entry(entry, found))
    found.update(_loaded(found))
    return found


def _python(apart: tuple[str, ...]) -> Iterator[str]:
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    for prefix in {*prefixes, *map(os.path.realpath, prefixes)}:
        if any(is_below(path, prefix) for path in apart):
            yield from filter(os.path.lexists, (os.path.join(prefix, name) for name in _OF_A_PREFIX))
        else:
            yield prefix
    yield from _hops(sys.executable)


def _hops(path: str) -> Iterator[str]:
    """A file and those that it is a link to."""
    for _ in range(_LINKS):
        yield path
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def _libraries() -> Iterator[str]:
    yield from filter(os.path.isdir, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep))


def _search_path(path: Sequence[str]) -> Iterator[str]:
    for entry in path:
        if isinstance(entry, str):
            place = os.path.abspath(entry)
            if os.path.exists(place):
                yield place


def _entry(entry: str, known: set[str]) -> Iterator[str]:
    if is_covered(entry, known):
        return
    if os.path.basename(entry) in _INSTALLED or os.path.isfile(entry):
        yield entry
        return
    try:
        names = os.listdir(entry)
    except OSError:
        return
    for name in names:
        path = os.path.join(entry, name)
        if os.path.isfile(path) if name.endswith(_SUFFIXES) else os.path.isfile(os.path.join(path, "__init__.py")):
            yield path


_SUFFIXES = tuple(all_suffixes())


def _loaded(known: set[str]) -> Iterator[str]:
    """Of modules that are loaded from elsewhere: the file, or the whole of the outermost package."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or is_covered(file, known) or not os.path.isfile(file):
            continue
        path = os.path.abspath(file)
        if os.path.basename(path).startswith("__init__."):
            path = os.path.dirname(path)
        parent = name.rpartition(".")[0]
        while parent and os.path.isfile(os.path.join(os.path.dirname(path), "__init__.py")):
            path, parent = os.path.dirname(path), parent.rpartition(".")[0]
        yield path


def is_covered(path: str, known: set[str]) -> bool:
    """Whether a path, or a directory above it, is among those."""
    while path not in known:
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above
    return True


def is_below(path: str, top: str) -> bool:
    """Whether a path is a directory or is in it."""
    return path == top or path.startswith(top.rstrip("/") + "/")
