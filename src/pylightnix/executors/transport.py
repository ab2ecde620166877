"""Makes a request into bytes for another process, or says what of it cannot be. Unaware of processes.

Functions that a fresh interpreter can import go by name, all others (of `__main__`, notebooks, scripts loaded by
path, functions within functions) by value.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from pylightnix.executors.modules import Modules
from pylightnix.executors.surroundings import UMASK, is_isolated, working_directory
from pylightnix.executors.telling import describe
from pylightnix.model.build import BuildRequest, Failure

_LENGTHS = struct.Struct("<QQ")
_WRAPPINGS = 10
_dumping = threading.Lock()
"""cloudpickle keeps what goes by value in one registry for the whole process."""


class NotPortableError(Exception):
    """The request cannot be carried; the failure says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.what)
        self.failure = failure


def pack(request: BuildRequest, modules: Modules, *, whole: bool = False) -> bytes:
    """The bytes that a worker reads; with `whole`, one that has none of the project's files too.

    Raises:
        NotPortableError: something in it cannot be pickled.
    """
    header = json.dumps(_header(request)).encode()
    with _dumping:
        body = _dump(request, modules.of_project() if whole else modules.foreign())
    return _LENGTHS.pack(len(header), len(body)) + header + body


def with_path(parcel: bytes, path: list[str]) -> bytes:
    """The same bytes for a worker that imports from elsewhere."""
    header, body = _LENGTHS.unpack_from(parcel)
    start = _LENGTHS.size + header
    changed = json.dumps({**json.loads(parcel[_LENGTHS.size : start]), "path": path}).encode()
    return _LENGTHS.pack(len(changed), body) + changed + parcel[start:]


def _header(request: BuildRequest) -> dict[str, Any]:
    """What must be set up before the body can be read."""
    try:
        cwd = os.getcwd()
    except OSError:
        cwd = os.path.abspath(os.sep)
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    isolated = is_isolated(request)
    return {
        "cwd": working_directory(request) if isolated else cwd,
        "umask": UMASK if isolated else None,
        "path": [os.path.join(cwd, entry) if entry else cwd for entry in sys.path if isinstance(entry, str)],
        "argv": sys.argv[:1] if isolated else list(sys.argv),
        "main_file": os.path.join(cwd, file) if isinstance(file, str) else None,
        "main_name": spec.name if spec is not None else None,
        "publish": getattr(request.builder, "__module__", None) == "__main__",
        "sources": _sources(request.builder),
    }


def _sources(builder: Callable[..., object]) -> dict[str, list[str]]:
    """The source of a builder that stands in no file, as in a notebook, for its traceback."""
    linecache = sys.modules.get("linecache")
    name = str(getattr(getattr(builder, "__code__", None), "co_filename", ""))
    entry = linecache.cache.get(name) if linecache is not None else None
    return {name: list(entry[2])} if entry is not None and len(entry) == 4 and entry[1] is None else {}


def _dump(request: BuildRequest, foreign: list[ModuleType]) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]

    registered = [module for module in foreign if module.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        by_value = {module.__name__ for module in foreign}
        builder = _portable(request, by_value)
        lean = request._replace(arguments=dict(request.arguments), builder=builder, hide=None)
        try:
            return bytes(cloudpickle.dumps(lean))
        except Exception as error:
            raise NotPortableError(_blame(lean, error, cloudpickle.dumps)) from error
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


class _Named:
    """A function that is carried by its name, although another object (its stage) stands under that name."""

    def __init__(self, module: str, name: str, wrappings: int) -> None:
        self._where = (module, name, wrappings)

    def __call__(self, *_: object) -> None:
        raise TypeError("only a name, to be carried")

    def __reduce__(self) -> tuple[object, ...]:
        return (find_function, self._where)


def find_function(module: str, name: str, wrappings: int) -> Any:
    """The function under a name, below so many layers of `functools.wraps`."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    for _ in range(wrappings):
        found = found.__wrapped__
    return found


def _portable(request: BuildRequest, by_value: set[str]) -> Callable[..., object]:
    builder = request.builder
    if not isinstance(builder, FunctionType):
        return builder
    return _by_name(builder, by_value) or _lean(builder, {*request.arguments, *request.promises})


def _by_name(builder: FunctionType, by_value: set[str]) -> Callable[..., object] | None:
    module = builder.__module__
    if module in ("__main__", "__mp_main__", None) or module in by_value or module not in sys.modules:
        return None
    try:
        found = find_function(module, builder.__qualname__, 0)
    except (ImportError, AttributeError):
        return None
    for wrappings in range(_WRAPPINGS):
        if found is builder:
            return _Named(module, builder.__qualname__, wrappings)
        found = getattr(found, "__wrapped__", None)
    return None


def _lean(builder: FunctionType, given: set[str]) -> FunctionType:
    """The same function without what a run never looks at: annotations, and defaults of what is given anyway."""
    code = builder.__code__
    names = code.co_varnames[: code.co_argcount]
    defaults = builder.__defaults__ or ()
    first = len(names) - len(defaults)
    kept = tuple(None if names[first + i] in given else default for i, default in enumerate(defaults))
    lean = FunctionType(code, builder.__globals__, builder.__name__, kept or None, builder.__closure__)
    lean.__kwdefaults__ = {
        name: None if name in given else default for name, default in (builder.__kwdefaults__ or {}).items()
    } or None
    lean.__qualname__, lean.__module__, lean.__doc__ = builder.__qualname__, builder.__module__, builder.__doc__
    lean.__dict__.update({name: value for name, value in builder.__dict__.items() if name != "__wrapped__"})
    return lean


Dump = Callable[[Any], bytes]


def _blame(request: BuildRequest, error: Exception, dump: Dump) -> Failure:
    """Which part of the request is the cause, found by trying them one by one."""
    label, cause = f"the request of {request.stage}", error
    for part, value in _parts(request):
        reason = _refusal(value, dump)
        if reason is not None:
            label, cause = _deepest(part, value, reason, dump, set())
            break
    fields = {"part": label, "exception": type(cause).__qualname__}
    hint = (
        "make it inside the function that uses it, or give what it is made from as a parameter; "
        "or run with the inline executor"
    )
    return Failure("transport", f"{label} cannot be sent to another process: {describe(cause)}", "", fields, hint)


def _parts(request: BuildRequest) -> Iterator[tuple[str, Any]]:
    for name, value in request.arguments.items():
        yield f"the argument {name!r} ({_type_of(value)})", value
    for name, promise in request.promises.items():
        if promise.check is not None:
            yield f"the check of the promise {name!r}", promise.check
    yield f"the builder of {request.stage}", request.builder


def _deepest(label: str, value: Any, error: Exception, dump: Dump, seen: set[int]) -> tuple[str, Exception]:
    """Follow a function that cannot be carried to what it names; the last thing that is not a function is the cause."""
    if not isinstance(value, FunctionType) or id(value) in seen:
        return label, error
    seen.add(id(value))
    for kind, name, inner in _named_by(value):
        reason = _refusal(inner, dump)
        if reason is not None:
            found = f"the {kind} {name!r} ({_type_of(inner)}), which {value.__qualname__} names,"
            return _deepest(found, inner, reason, dump, seen)
    return label, error


def _named_by(function: FunctionType) -> Iterator[tuple[str, str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield "captured variable", name, cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield "global", name, function.__globals__[name]
    defaults: Mapping[str, Any] = function.__kwdefaults__ or {}
    for name, value in defaults.items():
        yield "default", name, value


def _names(code: CodeType) -> set[str]:
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _refusal(value: Any, dump: Dump) -> Exception | None:
    try:
        dump(value)
    except Exception as error:
        return error
    return None


def _type_of(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
