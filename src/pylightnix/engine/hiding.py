"""Keeps secrets out of what a run leaves: its log, its failure, its value, its files. Looks for their known spellings.

Unaware of what the secrets are for.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pylightnix.model.build import BuildRequest, BuildResult, Failure
from pylightnix.model.spellings import spellings
from pylightnix.names import printable

BLOT = "***"
LEAST = 6
"""Characters that a secret must have to be looked for: shorter ones stand everywhere by chance."""

_CHUNK = 1 << 20


class _Hidden(NamedTuple):
    name: str
    text: str

    @property
    def forms(self) -> tuple[bytes, ...]:
        """As it may stand in a file."""
        return spellings(self.text)


def without_secrets(request: BuildRequest, result: BuildResult) -> BuildResult:
    """What a run gave, without the secrets that it could read; a failure if it gave one away."""
    if not request.conditions.secrets:
        return result
    known = {name: os.environ.get(name, "") for name in request.conditions.secrets}
    unset = [name for name, text in known.items() if not text]
    hidden = [_Hidden(name, text) for name, text in known.items() if len(text) >= LEAST]
    failure = result.failure
    try:
        _blot_file(request.log, hidden)
        given_away = _clean(request.out, hidden)
    except OSError as error:
        given_away = f"nobody can see whether a secret is in it: {printable(str(error))}"
    if failure is not None:
        for place in (request.checkpoint, request.scratch):
            with contextlib.suppress(OSError):
                _clean(place, hidden)
        return replace(result, failure=_blot_failure(failure, hidden), error=_harmless(result.error, hidden))
    if unset:
        what = f"the secret {unset[0]} is not set here, so nobody sees whether it stands in what the run left"
        failure = Failure("exception", what, hint=f"set the environment variable {unset[0]}")
    elif given_away:
        failure = Failure("artifact", given_away, hint="nothing of this run was kept that has it: write something else")
    elif name := _found(json.dumps(result.value, ensure_ascii=False).encode("utf-8", "surrogatepass"), hidden):
        failure = Failure("value", f"what was returned has the secret {name} in it", hint="return something else")
    return result if failure is None else replace(result, failure=failure, value=None)


def _found(data: bytes, hidden: Sequence[_Hidden]) -> str:
    return next((one.name for one in hidden if any(form in data for form in one.forms)), "")


def _clean(place: str, hidden: Sequence[_Hidden]) -> str:
    """Remove files with a secret in them, since they lie in the store; what the first one was, in words."""
    first = ""
    for path, name in list(_with_secrets(place, hidden)):
        os.unlink(path)
        first = first or f"{printable(os.path.relpath(path, place))} has the secret {name} in it"
    return first


def _with_secrets(place: str, hidden: Sequence[_Hidden]) -> Iterator[tuple[str, str]]:
    for folder, below, files in os.walk(place, onerror=_raise) if hidden and os.path.isdir(place) else ():
        for inner in below:
            _let_us(f"{folder}/{inner}", stat.S_IRWXU)
        for path in (f"{folder}/{file}" for file in files):
            if name := _in_file(path, hidden):
                yield path, name


def _raise(error: OSError) -> None:
    raise error


def _let_us(path: str, rights: int) -> None:
    """A builder may have locked itself out; we need not stay out."""
    mode = os.lstat(path).st_mode
    if not stat.S_ISLNK(mode) and mode & rights != rights:
        os.chmod(path, stat.S_IMODE(mode) | rights)


def _in_file(path: str, hidden: Sequence[_Hidden]) -> str:
    kind = os.lstat(path).st_mode
    if stat.S_ISLNK(kind):
        return _found(os.fsencode(os.readlink(path)), hidden)
    if not stat.S_ISREG(kind):
        return ""
    _let_us(path, stat.S_IRUSR)
    longest = max(len(form) for one in hidden for form in one.forms)
    before = b""
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            if name := _found(before + data, hidden):
                return name
            before = data[-longest:]
    return ""


def _blot_file(path: str, hidden: Sequence[_Hidden]) -> None:
    if not hidden or not os.path.exists(path):
        return
    with open(path, "rb") as file:
        data = file.read()
    if _found(data, hidden):
        with open(path, "wb") as file:
            file.write(_blot(data, hidden))


def _blot(data: bytes, hidden: Sequence[_Hidden]) -> bytes:
    for form in sorted({form for one in hidden for form in one.forms}, key=len, reverse=True):
        data = data.replace(form, BLOT.encode())
    return data


def _blot_text(text: str, hidden: Sequence[_Hidden]) -> str:
    return _blot(text.encode("utf-8", "surrogatepass"), hidden).decode("utf-8", "surrogatepass")


def _blot_failure(failure: Failure, hidden: Sequence[_Hidden]) -> Failure:
    return Failure(
        failure.kind, _blot_text(failure.what, hidden), _blot_text(failure.traceback, hidden),
        _blot_tree(dict(failure.fields), hidden), _blot_text(failure.hint, hidden),
    )  # fmt: skip


def _blot_tree(tree: Any, hidden: Sequence[_Hidden]) -> Any:
    if isinstance(tree, str):
        return _blot_text(tree, hidden)
    if isinstance(tree, dict):
        return {key: _blot_tree(item, hidden) for key, item in tree.items()}
    return [_blot_tree(item, hidden) for item in tree] if isinstance(tree, (list, tuple)) else tree


def _harmless(error: BaseException | None, hidden: Sequence[_Hidden]) -> BaseException | None:
    """The exception itself, unless it, or one that it came from, tells a secret: Python would print it."""
    while one := error:
        if _found(f"{one!r} {one} {getattr(one, '__notes__', '')}".encode("utf-8", "surrogatepass"), hidden):
            return None
        error = one.__cause__ or one.__context__
    return error
