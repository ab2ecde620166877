"""What a name in a piece of syntax is written as: a name of its own, or what it stands for around the piece."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from pylightnix.dsl.code.origins import is_project_module, module_name
from pylightnix.dsl.code.parts import Draft, Token
from pylightnix.dsl.code.scopes import LocalImport, Scope
from pylightnix.dsl.code.surroundings import Found, Surroundings
from pylightnix.dsl.code.values import refer

_DYNAMIC = {
    "eval": "code made from text",
    "exec": "code made from text",
    "compile": "code made from text",
    "__import__": "a module chosen while running",
    "globals": "globals by computed names",
}
_NOT_YET = "it stands for nothing yet; it counts by its name only"


class Naming:
    """Writes the names of one part.

    Args:
        draft: collects what is named and what cannot be followed.
        around: what the free names stand for.
        assigned: names from around the piece that it assigns.
    """

    def __init__(self, draft: Draft, around: Surroundings, assigned: set[str]) -> None:
        self._draft = draft
        self._around = around
        self._assigned = assigned
        self._known: dict[tuple[str, bool, tuple[str, ...]], list[Token]] = {}
        self._loaded: dict[LocalImport, tuple[str, Any]] = {}

    def bound(self, name: str, scope: Scope) -> str:
        """A name where it is assigned."""
        place = scope.resolve(name)
        return f"v{place[0]}:{name}" if place is not None else f"outer:{name}"

    def chain(self, base: ast.Name, attributes: tuple[str, ...], scope: Scope) -> list[Token]:
        """`base.attribute.…` where it is read, modules on the way replaced by what stands in them."""
        name = base.id
        place = scope.resolve(name)
        if place is not None:
            return self._local(name, place, attributes, scope)
        imports = _global_imports(name, scope)
        if imports:
            return self._imported_chain(f"outer:{name}", imports, attributes)
        return self._external(scope.mangled(name), attributes, scope.is_forced(name))

    def _local(self, name: str, place: tuple[int, Scope], attributes: tuple[str, ...], scope: Scope) -> list[Token]:
        levels, home = place
        word = f"v{levels}:{name}"
        imports = home.imports.get(name)
        if imports:
            return self._imported_chain(word, imports, attributes, is_certain=name not in home.stored)
        tokens = _attributes([word], attributes)
        if home.kind == "class" and levels == 0 and self._around.find(scope.mangled(name)).kind == "value":
            return ["(or", *tokens, *self._external(scope.mangled(name), (), False), ")"]
        return tokens

    def _external(self, name: str, attributes: tuple[str, ...], forced: bool) -> list[Token]:
        key = (name, forced, attributes)
        if key not in self._known:
            self._known[key] = self._look_up(name, attributes, forced)
        return self._known[key]

    def _look_up(self, name: str, attributes: tuple[str, ...], forced: bool) -> list[Token]:
        if name in self._assigned:
            why = "the code assigns it while it runs; it counts by its name only"
            self._draft.leave_out(name, "a variable that changes", why)
            return _attributes([f"outer:{name}"], attributes)
        found = self._around.find(name, forced)
        if found.kind == "builtin":
            return _attributes([f"builtin:{name}"], attributes)
        if found.kind != "value":
            return _attributes([self._unknown(name, found)], attributes)
        if isinstance(found.value, ModuleType):
            return self._in_module(found.value, name, attributes)
        outside = self._around.imported_as(name, found.value)
        tokens = [self._draft.by_name(outside)] if outside else refer(self._draft, name, found.value)
        return _attributes(tokens, attributes)

    def _unknown(self, name: str, found: Found) -> str:
        if found.kind == "beside":
            return f"beside:{name}"
        what, why = {
            "empty": ("a captured variable without value", _NOT_YET),
            "around": ("a local of the function around", "it is gone by now; it counts by its name only"),
            "module": ("an attribute of the module", "it changes when the file moves; it counts by its name only"),
            "missing": ("an undefined name", _NOT_YET),
        }[found.kind]
        self._draft.leave_out(name, what, why)
        return f"{found.kind}:{name}"

    def _in_module(self, module: ModuleType, path: str, attributes: tuple[str, ...]) -> list[Token]:
        """What stands at `module.attribute.…`: followed through modules of the project."""
        for count, attribute in enumerate(attributes):
            if not is_project_module(module):
                return [self._draft.by_name(".".join((module_name(module), *attributes[count:])))]
            path = f"{path}.{attribute}"
            found = _attribute_of(module, attribute)
            if found is _NOTHING:
                self._draft.leave_out(path, "an attribute that the module does not have", _NOT_YET)
                return _attributes([f"missing:{attribute}"], attributes[count + 1 :])
            if not isinstance(found, ModuleType):
                return _attributes(refer(self._draft, attribute, found), attributes[count + 1 :])
            module = found
        if not is_project_module(module):
            return [self._draft.by_name(module_name(module))]
        why = "what is taken out of it cannot be seen; name its functions one by one"
        return [self._draft.leave_out(path, "a module of the project used as a value", why)]

    def imported(self, node: ast.Import | ast.ImportFrom, alias: ast.alias, scope: Scope) -> list[Token]:
        """What an import statement in a function binds one name to."""
        if isinstance(node, ast.ImportFrom):
            wanted = LocalImport(node.module or "", alias.name, node.level)
        else:
            wanted = LocalImport(alias.name, None, 0)
        kind, found = self._load(wanted)
        shown = ".".join(filter(None, (wanted.module, wanted.attribute)))
        if kind == "outside":
            return [self._draft.by_name(found)]
        if kind == "failed":
            self._draft.leave_out(shown, "an import that fails", f"{found}; it counts by its name only")
            return [ascii(shown)]
        if isinstance(found, ModuleType):
            return ["module"] if is_project_module(found) else [self._draft.by_name(module_name(found))]
        return refer(self._draft, wanted.attribute or shown, found)

    def _load(self, wanted: LocalImport) -> tuple[str, Any]:
        if wanted not in self._loaded:
            self._loaded[wanted] = self._around.load(wanted)
        return self._loaded[wanted]

    def _imported_chain(
        self, word: str, imports: list[LocalImport], attributes: tuple[str, ...], is_certain: bool = True
    ) -> list[Token]:
        """A read of a name that an import in the function binds."""
        plain = _attributes([word], attributes)
        followed: list[Token] = []
        for wanted in imports:
            kind, found = self._load(wanted)
            if kind == "value" and isinstance(found, ModuleType) and is_project_module(found):
                followed += self._in_module(found, word.partition(":")[2], attributes)
            elif kind == "outside" and wanted.attribute is None and attributes:
                followed.append(self._draft.by_name(".".join((found, *attributes))))
        if not followed:
            return plain
        return followed if is_certain and len(imports) == 1 else ["(or", *plain, *followed, ")"]

    def notice_dynamic(self, node: ast.Call, scope: Scope) -> None:
        """List a call that reaches code by names which are only known while it runs."""
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr == "import_module":
            if isinstance(function.value, ast.Name) and self._value(function.value.id, scope) is importlib:
                self._draft.leave_out(
                    "importlib.import_module", _DYNAMIC["__import__"], "what it gives is not in the key"
                )
        elif isinstance(function, ast.Name) and self._is_builtin(function.id, scope):
            if function.id in _DYNAMIC:
                self._draft.leave_out(function.id, _DYNAMIC[function.id], "what it gives is not in the key")
            elif function.id == "getattr" and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
                why = "what it gives is in the key only if it is named elsewhere"
                owner = node.args[0].id if isinstance(node.args[0], ast.Name) else "…"
                self._draft.leave_out(f"getattr({owner}, …)", "an attribute with a computed name", why)

    def _is_builtin(self, name: str, scope: Scope) -> bool:
        return scope.resolve(name) is None and self._around.find(name).kind == "builtin"

    def _value(self, name: str, scope: Scope) -> object:
        return self._around.find(name).value if scope.resolve(name) is None else None


_NOTHING = object()


def _attribute_of(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name, _NOTHING)
    except Exception:  # a lazy module may fail in any way
        return _NOTHING


def _attributes(tokens: Sequence[Token], attributes: tuple[str, ...]) -> list[Token]:
    """The tokens of `(tokens).attribute.…`."""
    return [*(["("] * len(attributes)), *tokens, *(f".{each})" for each in attributes)]


def _global_imports(name: str, scope: Scope) -> list[LocalImport]:
    """What `global name; import name` in the function binds the global to."""
    place: Scope | None = scope
    while place is not None:
        if name in place.forced and name in place.imports:
            return place.imports[name]
        place = place.parent
    return []
