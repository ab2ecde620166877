"""Which of the things that a builder used were not declared. Looks at paths after the run; unaware of how they came."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Collection
from typing import Any

from pylightnix.executors.places import as_places, is_base_variable, is_installed, places_of_the_machine
from pylightnix.executors.watching import Watch
from pylightnix.model.build import BuildRequest, Finding

MOST_FINDINGS = 100
"""Of each kind; the rest is counted."""

_ARTIFACTS = ("store", "tmp", "failed", "trash", "quarantine")
"""Of a store. Its documents are read by Pylightnix itself."""

_CODE = (".py", ".pyw", ".pyc", ".so", ".pyd", ".dll", ".dylib")
_HERE = frozenset({"", "localhost", "0.0.0.0", "::"})


def undeclared(watch: Watch, request: BuildRequest, started: float) -> tuple[tuple[Finding, ...], int]:
    """The findings of a run, and how many more there may be.

    Args:
        watch: what was noted.
        request: what was declared.
        started: seconds since 1970.
    """
    files, more = _Files(watch, request, started).findings()
    conditions = request.conditions
    named = {*conditions.variables, *conditions.pass_variables}
    names = [name for name in watch.variables if name not in named and not is_base_variable(name)]
    hosts = [] if conditions.network else _hosts(watch)
    found = [*files, *(Finding("variable", name) for name in names[:MOST_FINDINGS])]
    found += [Finding("network", host) for host in hosts[:MOST_FINDINGS]]
    more += max(0, len(names) - MOST_FINDINGS) + max(0, len(hosts) - MOST_FINDINGS)
    return tuple(found), more + watch.forgotten


def _hosts(watch: Watch) -> list[str]:
    """Addresses; where a host was looked up by its name, the numbers that it was reached by are left out."""
    named = {port for host, port in watch.contacts if not _is_number(host) and host not in _HERE}
    hosts = [
        f"{host}:{port}" if port else host
        for host, port in watch.contacts
        if not (_is_number(host) and port in named) and not (host == "" and port in ("", "0"))
    ]
    return list(dict.fromkeys(hosts))


def _is_number(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _folders(paths: Collection[Any]) -> Collection[str]:
    """The directories of all paths that are texts; a builder that opens many files finds most of them in one."""
    with contextlib.suppress(TypeError, ValueError):  # not all are of one type, or there is none
        first, last = min(paths), max(paths)
        if type(first) is str:  # what both begin with, all between them do
            folder = first[: first.rfind(os.sep) + 1]
            if last.startswith(folder) and "".join(paths).count(os.sep) == len(paths) * folder.count(os.sep):
                return [folder[:-1]]
    return {path[: path.rfind(os.sep)] for path in paths if type(path) is str}


class _Files:
    """Holds opened files against what was declared, by directory: most have many files."""

    def __init__(self, watch: Watch, request: BuildRequest, started: float) -> None:
        self._watch = watch
        self._started = started
        conditions = request.conditions
        self._free = places_of_the_machine() + as_places(conditions.reads)
        own = (request.out, request.scratch, request.checkpoint, *request.inputs, *watch.made)
        self._own = as_places(path for path in own if path)
        single = (request.log, *request.inputs, *conditions.reads)
        self._single = {form for path in single for form in (path, os.path.realpath(path))}
        self._store = as_places([request.store]) if request.store else ()
        self._real: dict[str, str] = {"": "", os.sep: ""}
        self._clear: dict[str, bool] = {}

    def findings(self) -> tuple[list[Finding], int]:
        """Files in the order in which they were opened first."""
        found: dict[str, Finding] = {}
        more = 0
        opened, changed = self._watch.opened, self._watch.changed
        if all(map(self._is_clear, _folders(opened))):
            return [], 0
        for path, own in opened.items():
            if own or type(path) is not str or path in self._single or self._is_clear(path[: path.rfind(os.sep)]):
                continue
            if len(found) >= MOST_FINDINGS:
                more += 1
                continue
            real = self._suspect(os.path.normpath(path), path in changed)
            if real is not None and real not in found:
                found[real] = Finding("store" if self._of_store(real) else "file", os.path.normpath(path))
        return list(found.values()), more

    def _is_clear(self, folder: str) -> bool:
        """Whether nothing that was opened in a directory can be a finding."""
        known = self._clear.get(folder)
        if known is not None:
            return known
        plain = os.path.normpath(folder) if "/." in folder or "//" in folder else folder
        real = f"{self._resolve(plain)}{os.sep}"
        free = f"{plain}{os.sep}".startswith(self._free) or real.startswith(self._free + self._own)
        verdict = self._clear[folder] = free or is_installed(folder) or self._is_document(real)
        return verdict

    def _resolve(self, folder: str) -> str:
        """Where a directory really is: only its last part is looked at, the rest is known from its siblings."""
        found = self._real.get(folder)
        if found is None:
            parent, _, name = folder.rpartition(os.sep)
            found = f"{self._resolve(parent)}{os.sep}{name}" if name else os.path.realpath(folder)
            if os.path.islink(found):
                found = os.path.realpath(found)
            self._real[folder] = found
        return found

    def _is_document(self, real: str) -> bool:
        for root in self._store:
            if real.startswith(root):
                return real[len(root) :].partition(os.sep)[0] not in _ARTIFACTS
        return False

    def _of_store(self, real: str) -> bool:
        return real.startswith(self._store) if self._store else False

    def _suspect(self, path: str, changed: bool) -> str | None:
        """Where a file is that was not declared; None if it is none, or is of a kind that need not be."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode) or (found.st_ctime >= self._started and not changed):
            return None  # gone, a directory, or made meanwhile: by C code or a child
        real = os.path.realpath(path)
        if real in self._single or self._is_clear(os.path.dirname(real)) or self._is_code(path):
            return None
        return real

    def _is_code(self, path: str) -> bool:
        """Whether a file is code that was imported, executed, or shown in a traceback."""
        if not path.endswith(_CODE):
            return False
        if not path.endswith((".py", ".pyw")) or path in self._watch.executed:
            return True
        lines: Any = sys.modules.get("linecache")
        if lines is not None and path in lines.cache:
            return True
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        return any(isinstance(file, str) and os.path.abspath(file) == path for file in files)
