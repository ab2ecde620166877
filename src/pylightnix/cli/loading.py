"""Loads what a target names from the user's file or module. Mistakes in it are shown as Python shows them."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TextIO, cast

import pylightnix
from pylightnix.cli.output import Forgiving
from pylightnix.dsl.derivation import Derivation
from pylightnix.dsl.stage import Stage
from pylightnix.errors import PylightnixError, TargetError, UnknownPromiseError

_OURS = os.path.dirname(os.path.abspath(pylightnix.__file__)) + os.sep


class Place(NamedTuple):
    """Where something of the user's is: a file or the name of a module, and a dotted attribute (may be empty)."""

    source: str
    attribute: str

    @property
    def is_file(self) -> bool:
        """Whether the source is a path."""
        return self.source.endswith(".py") or "/" in self.source or os.sep in self.source

    def __str__(self) -> str:
        return f"{self.source}:{self.attribute}"


def parse_place(text: str) -> Place | None:
    """The place that `FILE.py:NAME` or `MODULE:NAME` names; None for anything else."""
    source, colon, attribute = text.rpartition(":")
    if colon and source and "/" not in attribute:
        return Place(source, attribute)
    alone = Place(text, "")
    return alone if alone.is_file else None


def load(place: Place) -> Any:
    """The object at a place.

    Raises:
        TargetError: there is no such file, module or attribute, or loading it failed; then the hint is the user's
            own traceback.
    """
    module = _load_file(place.source) if place.is_file else _load_module(place.source)
    if not place.attribute:
        raise TargetError(
            f"which of its stages is meant is not said: {place.source}", hint=_known(module, place.source)
        )
    found: Any = module
    walked = place.source + ":"
    for name in place.attribute.split("."):
        try:
            with users_code(place.source):
                found = getattr(found, name)
        except UnknownPromiseError:
            raise
        except AttributeError:
            raise _no_attribute(module, place, walked, name) from None
        walked += f"{name}."
    return found


def _load_file(source: str) -> ModuleType:
    path = Path(source).absolute()
    if not path.is_file():
        raise TargetError(f"there is no file {source}", hint="a target is FILE.py:STAGE, MODULE:STAGE or a reference")
    name = path.stem
    present = sys.modules.get(name)
    if present is not None and getattr(present, "__file__", None) == str(path):
        return present
    if present is not None:
        raise TargetError(
            f"a file named {path.name} cannot be loaded: {name!r} is a module that Python or pylightnix uses",
            where=source, hint="rename the file",
        )  # fmt: skip
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{source} is no Python file", hint="its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with users_code(source):
        spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    if not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(f"{name!r} is neither a file that ends in .py nor the name of a module")
    try:
        with users_code(name):
            return importlib.import_module(name)
    except TargetError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and cause.name and f"{name}.".startswith(f"{cause.name}."):
            raise TargetError(
                f"there is no module {cause.name}",
                where=name,
                hint=f"looked in {Path.cwd()} and in Python's path; a file is FILE.py:STAGE",
            ) from None
        raise


@contextlib.contextmanager
def users_code(source: str) -> Iterator[None]:
    """Around code of the user's: what it prints goes to standard error, what it raises becomes a `TargetError`.

    AttributeErrors of the last frame pass through, and so do errors of the package, with a note where they arose.
    """
    try:
        with contextlib.redirect_stdout(cast(TextIO, Forgiving())):
            yield
    except PylightnixError as error:
        _note_origin(error)
        raise
    except AttributeError as error:
        if len(_frames(error)) == 0:
            raise
        raise _failed(source, error) from error
    except SystemExit as error:
        raise TargetError(
            f"it ended the program while it was loaded (SystemExit: {error.code})", where=source,
            hint='put what runs it under: if __name__ == "__main__":',
        ) from error  # fmt: skip
    except Exception as error:
        raise _failed(source, error) from error


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of an error that are not ours nor of the import system."""
    return [f for f in traceback.extract_tb(error.__traceback__) if not _is_ours(f.filename)]


def _is_ours(filename: str) -> bool:
    return filename.startswith(
        ("<frozen importlib", _OURS, os.path.dirname(importlib.__file__) + os.sep + "__init__")
    ) or (filename == contextlib.__file__)


def _note_origin(error: PylightnixError) -> None:
    frames = _frames(error)
    if frames and not getattr(error, "__notes__", ()):
        last = frames[-1]
        error.add_note(f"  at {last.filename}, line {last.lineno}: {last.line}")


def _failed(source: str, error: Exception) -> TargetError:
    text = users_traceback(error)
    last = traceback.format_exception_only(error)[-1].strip()
    return TargetError(f"its code raised {last}", where=source, hint=text.replace("\n", "\n  "), traceback=text)


def users_traceback(error: BaseException) -> str:
    """A traceback as Python prints it, without the frames that are not the user's."""
    told = traceback.TracebackException.from_exception(error)
    stack = [told]
    seen: set[int] = set()
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        part.stack = traceback.StackSummary.from_list([f for f in part.stack if not _is_ours(f.filename)])
        stack += [linked for linked in (part.__cause__, part.__context__) if linked is not None]
    return "".join(told.format()).rstrip()


def _no_attribute(module: ModuleType, place: Place, walked: str, name: str) -> TargetError:
    close = difflib.get_close_matches(name, stages_in(module), n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return TargetError(f"there is no {name!r} in {walked.rstrip('.:')}", hint=meant + _known(module, place.source))


def stages_in(module: ModuleType) -> list[str]:
    """The names of the stages and derivations of a module, its own first."""
    found = {
        name: getattr(thing, "__module__", module.__name__) != module.__name__
        for name, thing in vars(module).items()
        if isinstance(thing, (Stage, Derivation)) and not name.startswith("_")
    }
    return sorted(found, key=lambda name: found[name])


def _known(module: ModuleType, source: str) -> str:
    names = stages_in(module)
    if not names:
        return f"{source} has no stages: put @stage on a function"
    return "its stages: " + ", ".join(f"{source}:{name}" for name in names)
