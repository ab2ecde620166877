"""Which of the things that a builder used were not declared. Looks at paths after the run; unaware of how they came."""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Collection
from typing import Any

from pylightnix.executors.places import as_places, is_base_variable, is_installed, places_of_the_machine
from pylightnix.executors.watching import MOST_KNOWN, Watch
from pylightnix.model.build import BuildRequest, Finding

MOST_FINDINGS = 100
"""Of each kind; the rest is counted."""

_ARTIFACTS = ("store", "tmp", "failed", "trash", "quarantine")
"""Of a store. Its documents are read by Pylightnix itself."""

_CODE = (".py", ".pyw", ".pyc", ".so", ".pyd", ".dll", ".dylib")
_HERE = frozenset({"", "localhost", "0.0.0.0", "::"})


class Declared:
    """What a run declared, held against what its builder uses."""

    def __init__(self, request: BuildRequest) -> None:
        self._request = request

    @functools.cached_property
    def _places(self) -> _Places:
        return _Places(self._request)  # looked up when the first file is opened: many builders open none

    def is_clear(self, folder: str) -> bool:
        """Whether nothing that is opened in a directory, absolute, can be a finding."""
        return self._places.is_clear(folder)

    def findings(self, watch: Watch, started: float) -> tuple[tuple[Finding, ...], int]:
        """What was not declared, and how many more there may be.

        Args:
            watch: what was noted.
            started: seconds since 1970.
        """
        files, more = _Files(self._places, watch, started).findings() if watch.opened else ([], 0)
        conditions = self._request.conditions
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


class _Places:
    """Directories by what was declared: a verdict for each, once."""

    def __init__(self, request: BuildRequest) -> None:
        conditions = request.conditions
        self._free = places_of_the_machine() + as_places(conditions.reads)
        own = (request.out, request.scratch, request.checkpoint, *request.inputs)
        self._own = as_places(path for path in own if path)
        single = (request.log, *request.inputs, *conditions.reads)
        self.single = {form for path in single for form in (path, os.path.realpath(path))}
        self._store = as_places([request.store]) if request.store else ()
        self._forget()

    def _forget(self) -> None:
        self._real: dict[str, str] = {"": "", os.sep: ""}
        self._clear: dict[str, bool] = {}

    def are_made(self, directories: Collection[str]) -> None:
        """The builder made these itself."""
        if directories:
            self._own += as_places(directories)
            self._forget()

    def is_clear(self, folder: str) -> bool:
        """Whether nothing that is opened in a directory can be a finding."""
        known = self._clear.get(folder)
        if known is not None:
            return known
        if len(self._clear) >= MOST_KNOWN:
            self._forget()
        plain = os.path.normpath(folder) if "/." in folder or "//" in folder else folder
        try:
            real = f"{self._resolve(plain)}{os.sep}"
        except ValueError:  # no path at all, such as one with a NUL in it
            return False
        free = f"{plain}{os.sep}".startswith(self._free) or real.startswith(self._free + self._own)
        verdict = self._clear[folder] = free or is_installed(folder) or self._is_document(real)
        return verdict

    def is_of_store(self, real: str) -> bool:
        """Whether a file is the store's."""
        return real.startswith(self._store) if self._store else False

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


class _Files:
    """Opened files that may not have been declared."""

    def __init__(self, places: _Places, watch: Watch, started: float) -> None:
        self._places = places
        self._watch = watch
        self._started = started

    def findings(self) -> tuple[list[Finding], int]:
        """Files in the order in which they were opened first, and how many more."""
        found: dict[str, Finding] = {}
        more = 0
        places, changed = self._places, self._watch.changed
        places.are_made(self._watch.made)
        for path, own in self._watch.opened.items():
            if own or type(path) is not str or path in places.single or places.is_clear(path[: path.rfind(os.sep)]):
                continue
            if len(found) >= MOST_FINDINGS:
                more += 1
                continue
            real = self._suspect(os.path.normpath(path), path in changed)
            if real is not None and real not in found:
                found[real] = Finding("store" if places.is_of_store(real) else "file", os.path.normpath(path))
        return list(found.values()), more

    def _suspect(self, path: str, changed: bool) -> str | None:
        """Where a file is that was not declared; None if it is none, or is of a kind that need not be."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode) or (found.st_ctime >= self._started and not changed):
            return None  # gone, a directory, or made meanwhile: by C code or a child
        real = os.path.realpath(path)
        if real in self._places.single or self._places.is_clear(os.path.dirname(real)) or self._is_code(path):
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
