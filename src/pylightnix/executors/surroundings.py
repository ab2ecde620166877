"""What an isolated run has around it in place of what the caller has: directories, environment, umask.

Unaware of processes.
"""

from __future__ import annotations

import contextlib
import os
import sys

from pylightnix.model.build import BuildRequest

UMASK = 0o022
"""Of isolated runs: what modes a builder gives to files is its own business, not that of the caller's shell."""

SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where programs are looked for, after the directory of this Python's own."""

KEPT = (
    "PYLIGHTNIX_MAKING", "PYTHONHOME", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
)  # fmt: skip
"""What every isolated run takes over: without some no Python starts, others say how much of the machine is ours."""


def is_isolated(request: BuildRequest) -> bool:
    """Whether the run has surroundings of its own."""
    return request.conditions.isolation in ("process", "sandbox")


def environment(request: BuildRequest, whole: dict[str, str]) -> dict[str, str]:
    """The environment for the process of a run, from one that has everything."""
    if not is_isolated(request):
        return whole
    temporary = temporary_directory(request)
    declared = (*request.conditions.variables, *request.conditions.pass_variables)
    return {
        "HOME": home_directory(request),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join((os.path.dirname(sys.executable), *SEARCHED)),
        "PWD": working_directory(request),
        "PYTHONHASHSEED": "0",
        "TEMP": temporary,
        "TMP": temporary,
        "TMPDIR": temporary,
        "TZ": "UTC",
        **{name: whole[name] for name in (*KEPT, *declared) if name in whole},
    }


def working_directory(request: BuildRequest) -> str:
    """Where an isolated run begins: `build.scratch`."""
    return request.scratch


def temporary_directory(request: BuildRequest) -> str:
    """Where an isolated run has its temporary files."""
    return f"{request.scratch}/.tmp"


def home_directory(request: BuildRequest) -> str:
    """Where an isolated run has its home: settings and caches of the user's do not count, and are not changed."""
    return f"{request.scratch}/.home"


def make_directories(request: BuildRequest) -> None:
    """Make the directories of an isolated run; what is there already stays.

    Raises:
        OSError: they cannot be made.
    """
    os.makedirs(request.scratch, mode=0o775, exist_ok=True)
    for path in (temporary_directory(request), home_directory(request)):
        os.makedirs(path, mode=0o700, exist_ok=True)


def drop_unused(request: BuildRequest) -> None:
    """Take away what `make_directories` made and nobody used."""
    for path in (temporary_directory(request), home_directory(request), request.scratch):
        with contextlib.suppress(OSError):  # most often: something is in it
            os.rmdir(path)
