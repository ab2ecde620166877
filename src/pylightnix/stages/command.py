"""A stage for people who think in shell: a script that fills `$out`."""

from __future__ import annotations

import codecs
import errno
import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pylightnix.dsl.derivation import Derivation
from pylightnix.dsl.secret import Secret
from pylightnix.errors import ArgumentError, ConfigError, ScriptError
from pylightnix.hashing import canonical
from pylightnix.model.build import Build
from pylightnix.model.conditions import ConditionsAsked, Isolation, read_conditions
from pylightnix.model.matching import Matcher
from pylightnix.model.promises import Promise
from pylightnix.model.realization import Realization
from pylightnix.stages.processes import end_group, grouped

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_GLANCE = 0.05
"""Seconds between looks whether a script has ended that is silent."""
_REST = 1 << 20
"""Bytes that are still taken of what a script printed when it has ended: something that hid may print for ever."""
_OURS = frozenset({"out", "seed"})
_TAKEN = _OURS | {"PATH", "HOME", "TMPDIR", "LC_ALL", "PWD", "IFS"}


def command(  # noqa: PLR0913  (what people type at a prompt is completed from here)
    name: str,
    script: str,
    *,
    promises: Mapping[str, Promise | str] | None = None,
    matcher: Matcher | None = None,
    resources: Mapping[str, float | str] = MappingProxyType({}),
    timeout: float | str | None = None,
    retries: int | Mapping[str, int] = 0,
    isolation: Isolation | None = None,
    network: bool = False,
    variables: Sequence[str] = (),
    pass_variables: Sequence[str] = (),
    secrets: Sequence[str] = (),
    reads: Sequence[str] = (),
    **given: object,
) -> Derivation[None]:
    """A derivation that is built by a script of the shell.

    The script runs under `sh -eu` in an empty temporary directory, with nothing in its environment but PATH (the
    system's directories), HOME and TMPDIR (that directory), LC_ALL=C, `$out` (the output directory), `$seed`, what is
    given, and the environment variables that are named here. What it prints goes to the log; it fails if a command of
    it fails. What it has left in the background is ended when the script ends.

    Args:
        name: names the derivation.
        script: the script; it is in the identity to the letter.
        promises: paths below `$out` (or `promise(…)`) by name.
        matcher: which realizations count; default `match.latest()`.
        resources: what a run takes, such as {"cpus": 2, "memory": "4G"}; this and all that follow are as for `@stage`.
        timeout: seconds that one attempt may take, or a text such as "2h"; default: no limit.
        retries: how many more attempts there are, or numbers by cause; a script that fails is a "RuntimeError".
        isolation: "none", "process" or "sandbox"; default: as the call of `realize` says.
        network: whether a sandbox lets it use the network; default no.
        variables: names of your environment variables that the script gets; what they say is in the identity.
        pass_variables: names of those that it gets, and that do not count for the identity, such as "https_proxy".
        secrets: as `pass_variables`; and what they say is kept out of the store.
        reads: absolute paths outside the store that it may read in a sandbox.
        given: the script's own variables: configuration values and inputs. A str or a number stands as its text, True
            as 1, False and None as nothing, a path as itself, an input as its directory (or the promise that was given
            as its path), a list as its members with spaces between, a dict as JSON, a `Secret` as what it is.

    Raises:
        ConfigError: a variable is not a configuration value, the script is no text, or has a NUL in it, or a keyword
            says something that it cannot.
        ArgumentError: a variable has a name that the script needs for something else, or that no shell knows.
    """
    where = str(name)
    if not isinstance(script, str) or not script.strip():
        raise ConfigError(f"the script is no text: {script!r}", where=where)
    if "\0" in script:
        raise ConfigError("the script has a NUL in it", where=where, hint="no shell takes one: printf '\\0' prints one")
    asked = ConditionsAsked(
        resources=resources, timeout=timeout, retries=retries, isolation=isolation, network=network,
        variables=variables, pass_variables=pass_variables, secrets=secrets, reads=reads,
    )  # fmt: skip
    conditions = read_conditions(where, asked)
    passed = tuple(sorted({*conditions.variables, *conditions.pass_variables}))
    _check_names(where, given, passed)
    return Derivation(
        name=name,
        builder=_Script(passed),
        params={"script": script, "variables": given},
        promises=promises or {},
        matcher=matcher,
        version="command/1",
        **asked,
    )


def _check_names(where: str, given: Mapping[str, object], passed: Sequence[str]) -> None:
    for variable in given:
        if variable in _TAKEN or not (variable.isascii() and variable.isidentifier()):
            raise ArgumentError(f"a variable cannot be named {variable!r}", where=where, hint="choose another name")
    for variable in passed:
        if variable in _OURS:
            raise ArgumentError(f"${variable} is the script's own, and cannot be one of yours", where=where)
        if variable in given:
            raise ArgumentError(
                f"${variable} is given, and is to be taken from the environment", where=where, hint="leave out one"
            )


@dataclass(frozen=True, slots=True)
class _Script:
    """The builder: runs a script that gets these environment variables, where they are set."""

    passed: tuple[str, ...]

    def __call__(self, build: Build, /, script: str, variables: dict[str, Any], **promises: Path) -> None:
        texts = {name: _as_text(value) for name, value in variables.items()}
        for name, text in texts.items():
            if "\0" in text:
                raise ConfigError(f"${name} has a NUL in it, which cannot be given to a script")
        environment = {
            "PATH": _PATH,
            "HOME": str(build.scratch),
            "TMPDIR": str(build.scratch),
            "LC_ALL": "C",
            **{name: os.environ[name] for name in self.passed if name in os.environ},
            **texts,
            "out": str(build.out),
            "seed": str(build.seed),
        }
        code = _run(["/bin/sh", "-eu", "-c", script], str(build.scratch), environment)
        if code:
            raise ScriptError(f"the script ended with {_ending(code)}")


def _run(words: list[str], place: str, environment: dict[str, str]) -> int:
    """Run it in a group of its own, of which nobody is left afterwards, however that comes; its exit code."""
    try:
        with grouped(words, place, environment, errors=subprocess.STDOUT) as process:
            _tell(process)
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        raise ConfigError(
            "the script or a variable is longer than the system takes (128 KiB on Linux)",
            hint='give it as a file: command(…, ". $steps", steps=local_file("steps.sh").file)',
        ) from None
    return process.returncode


def _tell(process: subprocess.Popen[bytes]) -> None:
    """Print what it prints until it ends. Something in the background may hold its output open much longer."""
    assert process.stdout is not None, "BUG: its output is a pipe"
    pipe = process.stdout.fileno()
    text = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    rest: int | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while rest is None or rest > 0:
            if rest is None and process.poll() is not None:
                end_group(process)
                rest = _REST
            if selector.select(_GLANCE if rest is None else 0):
                data = os.read(pipe, 1 << 16)
                if not data:
                    break
                sys.stdout.write(text.decode(data))
                rest = None if rest is None else rest - len(data)
            elif rest is not None:
                break
    sys.stdout.write(text.decode(b"", final=True))


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
        case Secret():
            return value.reveal()
        case Realization():
            return str(value.path)
        case list() | tuple():
            return " ".join(_as_text(item) for item in value)
        case _:
            return canonical(value).decode()
