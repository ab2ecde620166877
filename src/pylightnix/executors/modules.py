"""Which of the loaded modules another interpreter would not import as they are here. Unaware of pickling."""

from __future__ import annotations

import os
import sys
from types import ModuleType

_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_OURS = __name__.partition(".")[0]


class Modules:
    """Looks at `sys.modules`, at each module once.

    A module is *foreign* if its name does not lead a fresh interpreter with this import path to its file: it was
    loaded by path, or made by hand. From the moment the file of any module of the project has changed since it was
    first seen, all modules of the project are foreign: what runs must be what is loaded here, not what stands there.
    """

    def __init__(self) -> None:
        self._seen: dict[str, ModuleType] = {}
        self._foreign: dict[str, bool] = {}
        self._stamps: dict[str, tuple[int, int] | None] = {}  # by file
        self._path: list[str] = []

    def foreign(self) -> list[ModuleType]:
        """The loaded modules that must be carried by value."""
        self._look_again()
        changed = any(_stamp(file) != stamp for file, stamp in self._stamps.items())
        return [
            self._seen[name] for name, foreign in self._foreign.items() if (foreign or changed) and name in sys.modules
        ]

    def of_project(self) -> list[ModuleType]:
        """All loaded modules of the project, for another machine, which may have none of their files."""
        self._look_again()
        return [self._seen[name] for name in self._foreign if name in sys.modules]

    def _look_again(self) -> None:
        if self._path != sys.path:
            self._path = list(sys.path)
            self._seen.clear()
        for name, module in list(sys.modules.items()):
            if self._seen.get(name) is not module:
                self._seen[name] = module
                self._look(name, module)

    def _look(self, name: str, module: object) -> None:
        self._foreign.pop(name, None)
        if not isinstance(module, ModuleType) or not _of_project(name, module):
            return
        self._foreign[name] = not _importable(name, module)
        if _file(module):
            self._stamps.setdefault(_file(module), _stamp(_file(module)))


def _of_project(name: str, module: ModuleType) -> bool:
    """Whether the module is neither the main one, nor ours, nor of the standard library, nor installed."""
    top = name.partition(".")[0]
    if top in ("__main__", "__mp_main__", _OURS) or top in sys.stdlib_module_names or module.__name__ != name:
        return False
    file = _file(module)
    if not file:
        return getattr(module, "__spec__", None) is None and not hasattr(module, "__path__")
    return not any(part in file for part in _INSTALLED)


def _file(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else ""


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _importable(name: str, module: ModuleType) -> bool:
    """Whether the import system leads from the name to the module's own file."""
    file = _file(module)
    parent, _, _ = name.rpartition(".")
    path = None
    if parent:
        package = sys.modules.get(parent)
        if package is None or not hasattr(package, "__path__"):
            return False
        if _file(package) and not _importable(parent, package):
            return False
        path = list(package.__path__)
    origin = _origin(name, path)
    return bool(file) and origin is not None and os.path.realpath(origin) == os.path.realpath(file)


def _origin(name: str, path: list[str] | None) -> str | None:
    for finder in list(sys.meta_path):
        try:
            spec = finder.find_spec(name, path, None)
        except Exception:
            continue
        if spec is not None:
            return spec.origin
    return None
