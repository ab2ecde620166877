"""Where a thing comes from: the project, or outside it; and the public name of what is outside. Reads no source.

The project is everything but the standard library, site-packages (dist-packages), and this package itself. What is
installed as editable lies elsewhere, so it is project.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any

_OWN = "pylightnix"
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RELOADED = "__autoreload_class__."
"""Where IPython's autoreload compiles a method again."""

_INSTALLED = ("site-packages", "dist-packages")
_SAME_ON_ALL_SYSTEMS = {"posixpath": "os.path", "ntpath": "os.path", "posix": "os", "nt": "os"}


def _library_folders() -> tuple[str, ...]:
    """Where the standard library is; `sysconfig` knows too, and takes milliseconds to import."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = {os.path.dirname(os.__file__)} | {
        os.path.join(prefix, sys.platlibdir, own) for prefix in (sys.base_prefix, sys.base_exec_prefix)
    }
    folders = {os.path.abspath(folder) for folder in found}
    return tuple(f"{folder}{os.sep}" for folder in sorted(folders | {os.path.realpath(f) for f in folders}))


_OUTSIDE = (*_library_folders(), f"{_OWN_FOLDER}{os.sep}")


@functools.lru_cache(maxsize=10_000)
def is_project_file(filename: str) -> bool:
    """Whether a source file belongs to the project; a made-up name like `<frozen os>` does not."""
    if filename.startswith("<"):
        return False
    path = os.path.abspath(filename)
    return not path.startswith(_OUTSIDE) and not any(part in _INSTALLED for part in path.split(os.sep))


def is_project_module(module: ModuleType) -> bool:
    """Whether a module belongs to the project; an interactive `__main__` does."""
    space = vars(module)
    file = space.get("__file__")
    if isinstance(file, str):
        return is_project_file(file)
    if "__path__" in space:
        return any(is_project_file(os.path.join(folder, "x")) for folder in space["__path__"])
    return space.get("__name__") == "__main__" or space.get("__spec__") is None


def is_project_function(function: FunctionType) -> bool:
    """Whether the code of a function was written in the project, whatever a decorator says of its module."""
    filename = function.__code__.co_filename
    if filename.startswith("<frozen "):
        return False
    if not filename.startswith("<"):
        return is_project_file(filename)
    return _is_project_name(function.__globals__.get("__name__"))


def is_project_class(kind: type) -> bool:
    """Whether a class was written in the project."""
    return _is_project_name(kind.__module__)


def _is_project_name(name: object) -> bool:
    if name == "__main__":
        return True
    module = (sys.modules.get(name) or sys.modules.get(name.partition(".")[0])) if isinstance(name, str) else None
    return module is None or is_project_module(module)


def qualname_of(function: FunctionType) -> str:
    """The qualified name with which a function was written, whatever a decorator or a reload says of it."""
    written = function.__code__.co_qualname
    return function.__qualname__ if written.startswith(_RELOADED) else written


def is_own(thing: Any) -> bool:
    """Whether something is part of this package: the decorators of stages, mostly."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    if isinstance(thing, ModuleType):
        return is_own_name(thing.__name__)
    module = thing.__module__ if isinstance(thing, (type, FunctionType)) else type(thing).__module__
    return isinstance(module, str) and is_own_name(module)


def may_read_annotations(maker: Any) -> bool:
    """Whether a decorator, base or metaclass may look at annotations: what the project has is followed instead."""
    module = getattr(maker, "__module__", None)
    if isinstance(maker, FunctionType):
        is_project = is_project_function(maker)
    else:
        is_project = isinstance(maker, type) and is_project_class(maker) and not issubclass(maker, type)
    is_standard = isinstance(module, str) and module.partition(".")[0] in sys.stdlib_module_names
    return maker is not None and not is_project and not is_standard


def is_own_name(module: str) -> bool:
    """Whether this is the name of a module of this package."""
    return module == _OWN or module.startswith(f"{_OWN}.")


def module_name(module: ModuleType) -> str:
    """The name of a module, the same on all systems."""
    return _SAME_ON_ALL_SYSTEMS.get(module.__name__, module.__name__)


def public_name(thing: Any) -> str | None:
    """The shortest `module.name` outside the project under which a thing can be imported now.

    The shortest, so that private modules can move; outside, whatever a decorator says of the thing's module.
    None if it cannot be imported under its own name.
    """
    found = dict.fromkeys((_text(thing, "__qualname__"), _text(thing, "__name__")))
    names = [name for name in found if name is not None and "<" not in name]
    for name, module in itertools.product(names, _modules_of(thing)):
        for home in _homes(module):
            if not _is_project_name(home) and _is_same(_walk(home, name), thing):
                return f"{_SAME_ON_ALL_SYSTEMS.get(home, home)}.{name}"
    return None


def _modules_of(thing: Any) -> list[str]:
    owner = getattr(thing, "__objclass__", type(thing))
    if type(thing) in (MethodType, BuiltinMethodType):
        owner = type(thing.__self__)
    found = (_text(thing, "__module__"), _text(owner, "__module__"))
    return [module for module in dict.fromkeys(found) if module is not None]


def _homes(module: str) -> list[str]:
    """The packages that may offer what a module has, shortest first, the module itself last."""
    pieces = module.split(".")
    homes = [".".join(pieces[:count]) for count in range(1, len(pieces) + 1)]
    if module.startswith("_") and len(pieces) == 1:
        homes.insert(0, module.lstrip("_"))
    return homes


def _walk(module: str, name: str) -> Any:
    """What stands at `module.name` now, None if nothing does; a lazy module may load something."""
    found: Any = sys.modules.get(module)
    for step in name.split("."):
        if found is None:
            return None
        try:
            found = getattr(found, step, None)
        except Exception:  # a lazy module may fail in any way
            return None
    return found


def _is_same(found: Any, thing: Any) -> bool:
    """Whether two things are one; `random.randint` is made anew at each look, bound to the same object."""
    is_method = type(thing) in (MethodType, BuiltinMethodType)
    return found is thing or (is_method and type(found) is type(thing) and bool(found == thing))


def _text(thing: Any, attribute: str) -> str | None:
    try:
        found = getattr(thing, attribute, None)
    except Exception:  # a proxy may fail in any way
        return None
    return found if isinstance(found, str) else None
