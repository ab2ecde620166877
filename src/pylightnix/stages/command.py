"""A stage for people who think in shell: a script that fills `$out`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pylightnix.dsl.derivation import Derivation
from pylightnix.errors import ArgumentError, ConfigError
from pylightnix.hashing import canonical
from pylightnix.model.build import Build
from pylightnix.model.matching import Matcher
from pylightnix.model.promises import Promise
from pylightnix.model.realization import Realization

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAKEN = frozenset({"out", "seed", "PATH", "HOME", "TMPDIR", "LC_ALL", "PWD", "IFS"})


def command(
    name: str,
    script: str,
    *,
    promises: Mapping[str, Promise | str] | None = None,
    matcher: Matcher | None = None,
    **variables: object,
) -> Derivation[None]:
    """A derivation that is built by a script of the shell.

    The script runs under `sh -eu` in an empty temporary directory, with nothing in its environment but PATH (the
    system's directories), HOME and TMPDIR (that directory), LC_ALL=C, `$out` (the output directory), `$seed`, and the
    variables. What it prints goes to the log; it fails if a command of it fails.

    Args:
        name: names the derivation.
        script: the script; it is in the identity to the letter.
        promises: paths below `$out` (or `promise(…)`) by name.
        matcher: which realizations count; default `match.latest()`.
        variables: configuration values and inputs. A str or a number stands as its text, True as 1, False and None as
            nothing, a path as itself, an input as its directory (or the promise that was given as its path), a list
            as its members with spaces between, a dict as JSON.

    Raises:
        ConfigError: a variable is not a configuration value.
        ArgumentError: a variable has a name that the script needs for something else.
    """
    if not isinstance(script, str) or not script.strip():
        raise ConfigError(f"the script is no text: {script!r}", where=str(name))
    for variable in variables:
        if variable in _TAKEN or not variable.isascii():
            raise ArgumentError(f"a variable cannot be named {variable!r}", where=str(name), hint="choose another name")
    return Derivation(
        name=name,
        builder=_run_script,
        params={"script": script, "variables": variables},
        promises=promises or {},
        matcher=matcher,
        version="command/1",
    )


def _run_script(build: Build, script: str, variables: dict[str, Any], **promises: Path) -> None:
    environment = {
        "PATH": _PATH,
        "HOME": str(build.scratch),
        "TMPDIR": str(build.scratch),
        "LC_ALL": "C",
        **{name: _as_text(value) for name, value in variables.items()},
        "out": str(build.out),
        "seed": str(build.seed),
    }
    with subprocess.Popen(
        ["/bin/sh", "-eu", "-c", script],
        cwd=build.scratch,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line.decode(errors="backslashreplace"))
    if process.returncode:
        raise RuntimeError(f"the script ended with {_ending(process.returncode)}")


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _as_text(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "1"
        case str():
            return value
        case int() | float() | Path():
            return str(value)
        case Realization():
            return str(value.path)
        case list() | tuple():
            return " ".join(_as_text(item) for item in value)
        case _:
            return canonical(value).decode()
