"""What belongs to the machine and not to its user: the system, Python, what is installed. Unaware of runs."""

from __future__ import annotations

import functools
import os
import site
import sys

from pylightnix.executors.surroundings import KEPT

_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/dev", "/proc", "/sys", "/nix/store", "/gnu/store",
    "/snap", "/System", "/Library", "/run/systemd", "/run/resolvconf", "/run/nscd", "/run/NetworkManager",
    "/var/cache/fontconfig", "/var/run/nscd",
)  # fmt: skip
_CACHES = ("matplotlib", "fontconfig", "numba", "mesa_shader_cache", "nv", "pip")
"""Below the user's cache directory: what libraries make again if it is not there, and that holds no data."""
_INSTALLED = ("site-packages", "dist-packages")
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SUITES = f"{_OWN}testing{os.sep}"
"""The builders of the contract suites are somebody's."""

_BASE = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "TEMP", "TMP", "LANG", "LANGUAGE", "TZ", "TERM")
)
_BASES = ("LC_", "PYTHON", "PYLIGHTNIX_")


@functools.cache
def places_of_the_machine() -> tuple[str, ...]:
    """Directories with all below, each as a text that ends in a separator."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = {*_SYSTEM, *(os.path.join(cache, name) for name in _CACHES), os.path.dirname(os.__file__)}
    found |= {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found |= {*getattr(site, "getsitepackages", list)(), site.USER_SITE or ""}
    return as_places(found - {"", os.sep, os.path.expanduser("~")})


def as_places(paths: object) -> tuple[str, ...]:
    """Paths as beginnings of what is below them, also where links lead."""
    texts = {os.path.abspath(path) for path in paths}  # type: ignore[attr-defined]
    return tuple(sorted(f"{path.rstrip(os.sep)}{os.sep}" for path in texts | {os.path.realpath(p) for p in texts}))


def is_installed(folder: str) -> bool:
    """Whether what is in a directory was put there by an installer, or by Python itself."""
    parts = folder.split(os.sep)
    return any(
        part in _INSTALLED or part == "__pycache__" or part.endswith((".dist-info", ".egg-info")) for part in parts
    )


@functools.lru_cache(maxsize=10_000)
def is_project_code(filename: str) -> bool:
    """Whether code was written in the project, and not in Python, in what is installed, or here."""
    if filename.startswith("<frozen"):
        return False
    if filename.startswith(("<", _SUITES)):
        return True
    path = os.path.abspath(filename)
    return not (path.startswith((_OWN, *places_of_the_machine())) or is_installed(path))


def passed_project_code(error: BaseException) -> bool:
    """Whether an exception came through code of the project."""
    trace = error.__traceback__
    while trace is not None:
        if is_project_code(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def is_base_variable(name: str) -> bool:
    """Whether a variable says who and where one is, or how much of the machine is ours, which every program may ask."""
    return name in _BASE or name in KEPT or name.startswith(_BASES)
