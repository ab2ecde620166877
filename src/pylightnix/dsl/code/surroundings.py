"""What the free names of a function or class stand for at this moment: cells, globals, builtins, modules."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from pylightnix.dsl.code.origins import is_project_module, module_name
from pylightnix.dsl.code.scopes import LocalImport
from pylightnix.dsl.code.sites import Home
from pylightnix.dsl.code.sources import Source

_OF_THE_MODULE = frozenset(
    {"__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__path__", "__cached__"}
)


class Found(NamedTuple):
    """What a name stands for.

    Attributes:
        kind: "value", "builtin", "empty" (a captured variable without value), "around" (a local of the function
            around, gone by now), "beside" (a name of the class around a method), "module" (an attribute that every
            module has), "missing".
        value: the object, for a value.
    """

    kind: str
    value: Any = None


class Surroundings:
    """The names around one function or class.

    Args:
        space: the globals of the module.
        cells: captured variables by name.
        source: the file, for the imports at its top; None if there is no source.
        gone: names of the functions around, which cannot be looked up any more.
        beside: names of the class body that a decorated method stands in.
    """

    def __init__(
        self,
        space: dict[str, Any],
        cells: Mapping[str, Any],
        source: Source | None,
        gone: Iterable[str] = (),
        beside: Iterable[str] = (),
    ) -> None:
        self.space = space
        self.source = source
        self._cells = cells
        self._gone = frozenset(gone)
        self._beside = frozenset(beside)
        found = space.get("__builtins__", builtins)
        self._builtins: Mapping[str, Any] = vars(found) if isinstance(found, ModuleType) else found

    def find(self, name: str, forced: bool = False) -> Found:
        """What a name stands for; `forced`: a `global` statement says that it is a global."""
        near = None if forced else self._near(name)
        if near is not None:
            return near
        if name in _OF_THE_MODULE:
            return Found("module")
        if name in self.space:
            return Found("value", self.space[name])
        return Found("builtin" if name in self._builtins else "missing")

    def _near(self, name: str) -> Found | None:
        """What stands for a name in the functions and the class around."""
        if name in self._cells:
            try:
                return Found("value", self._cells[name].cell_contents)
            except ValueError:
                return Found("empty")
        if name in self._beside:
            return Found("beside")
        return Found("around") if name in self._gone else None

    @property
    def filename(self) -> str:
        """The file, for messages."""
        return self.source.filename if self.source is not None else ""

    def imported_as(self, name: str, value: object) -> str | None:
        """The name by which the top of the file imports a value from outside the project, None if it does not."""
        for module, attribute in self.source.imported(name) if self.source is not None else ():
            home = sys.modules.get(module)
            if home is not None and not is_project_module(home) and vars(home).get(attribute, self) is value:
                return f"{module_name(home)}.{attribute}"
        return None

    def decorator(self, node: ast.expr) -> Any:
        """What a decorator is, as far as its name says; None if that says nothing."""
        attributes: list[str] = []
        while isinstance(node, (ast.Call, ast.Attribute)):
            if isinstance(node, ast.Attribute):
                attributes.append(node.attr)
            node = node.func if isinstance(node, ast.Call) else node.value
        found = self.find(node.id).value if isinstance(node, ast.Name) else None
        for attribute in reversed(attributes):
            if not isinstance(found, ModuleType):
                break
            found = getattr(found, attribute, None)
        return found

    def load(self, wanted: LocalImport) -> tuple[str, Any]:
        """What a local import gives.

        A module of the project that is not loaded yet is loaded, as the function would do; nothing else is.

        Returns:
            ("value", the module or object), ("outside", its qualified name) or ("failed", why).
        """
        try:
            name = self._absolute(wanted)
            if not _is_project_name(name):
                return "outside", ".".join(filter(None, (name, wanted.attribute)))
            module: Any = importlib.import_module(name)
            if wanted.attribute is None:
                return "value", module
            found = getattr(module, wanted.attribute, self)
            if found is self:
                found = importlib.import_module(f"{name}.{wanted.attribute}")
            return "value", found
        except (Exception, SystemExit) as error:  # a module may fail in any way while it is loaded
            return "failed", f"{type(error).__name__}: {error}"

    def _absolute(self, wanted: LocalImport) -> str:
        if not wanted.level:
            return wanted.module
        package = self.space.get("__package__") or str(self.space.get("__name__", "")).rpartition(".")[0]
        return importlib.util.resolve_name("." * wanted.level + wanted.module, package)


def _is_project_name(name: str) -> bool:
    """Whether a module belongs to the project; a name that cannot be found does not."""
    top = name.partition(".")[0]
    module = sys.modules.get(name) or sys.modules.get(top)
    if module is not None:
        return is_project_module(module)
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {top!r}")
    unloaded = ModuleType(spec.name)
    unloaded.__spec__ = spec
    if spec.has_location and spec.origin:
        unloaded.__file__ = spec.origin
    elif spec.submodule_search_locations:
        unloaded.__path__ = list(spec.submodule_search_locations)
    return is_project_module(unloaded)


def around_function(function: FunctionType, source: Source | None) -> Surroundings:
    """The names around the body of a function."""
    return Surroundings(function.__globals__, cells_of(function), source)


def around_definition(
    space: dict[str, Any], cells: Mapping[str, Any], source: Source, homes: Sequence[Home]
) -> Surroundings:
    """The names around a `def` or `class` statement that stands in these homes."""
    functions = [home for home in homes if not isinstance(home, ast.ClassDef)]
    beside = source.names_bound_in(homes[-1]) if homes and isinstance(homes[-1], ast.ClassDef) else ()
    gone = (name for home in functions for name in source.names_bound_in(home))
    return Surroundings(space, cells, source, gone, beside)


def cells_of(function: FunctionType) -> dict[str, Any]:
    """The captured variables of a function, by name."""
    return dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
