"""Keeps secrets out of what a run gave: its value, its failure; a store does so for its files.

Looks for their known spellings, see `model.spellings`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from pylightnix.model.build import BuildRequest, BuildResult, Failure
from pylightnix.model.hidden import Hidden, blotted_text, found_in, hidden_of
from pylightnix.model.keeping import Blot, Workspace


def without_secrets(blot: Blot, request: BuildRequest, result: BuildResult) -> BuildResult:
    """What a run gave, without the secrets that it could read; a failure if it gave one away.

    They are those of the process that calls this. One of an engine may have others than who realizes, so both do.

    Args:
        blot: leaves no secret in a workspace, see `Keeper`; no file of this one has a secret afterwards.
        request: what was asked for.
        result: what came.
    """
    if not request.conditions.secrets:
        return result
    known = {name: os.environ.get(name, "") for name in request.conditions.secrets}
    unset = [name for name, text in known.items() if not text]
    hidden = hidden_of(known)
    workspace = Workspace("", request.out, request.scratch, request.checkpoint, request.log, request.has_out)
    given_away = blot(workspace, hidden)
    failure = result.failure
    if failure is not None:
        return result._replace(failure=_blot_failure(failure, hidden), error=_harmless(result.error, hidden))
    if unset:
        what = f"the secret {unset[0]} is not set here, so nobody sees whether it stands in what the run left"
        failure = Failure("exception", what, hint=f"set the environment variable {unset[0]}")
    elif given_away:
        failure = Failure("artifact", given_away, hint="nothing of this run was kept that has it: write something else")
    elif name := found_in(json.dumps(result.value, ensure_ascii=False).encode("utf-8", "surrogatepass"), hidden):
        failure = Failure("value", f"what was returned has the secret {name} in it", hint="return something else")
    return result if failure is None else result._replace(failure=failure, value=None)


def _blot_failure(failure: Failure, hidden: Sequence[Hidden]) -> Failure:
    return Failure(
        failure.kind, blotted_text(failure.what, hidden), blotted_text(failure.traceback, hidden),
        _blot_tree(dict(failure.fields), hidden), blotted_text(failure.hint, hidden),
    )  # fmt: skip


def _blot_tree(tree: Any, hidden: Sequence[Hidden]) -> Any:
    if isinstance(tree, str):
        return blotted_text(tree, hidden)
    if isinstance(tree, dict):
        return {key: _blot_tree(item, hidden) for key, item in tree.items()}
    return [_blot_tree(item, hidden) for item in tree] if isinstance(tree, (list, tuple)) else tree


def _harmless(error: BaseException | None, hidden: Sequence[Hidden]) -> BaseException | None:
    """The exception itself, unless it, or one that it came from, tells a secret: Python would print it."""
    while one := error:
        if found_in(f"{one!r} {one} {getattr(one, '__notes__', '')}".encode("utf-8", "surrogatepass"), hidden):
            return None
        error = one.__cause__ or one.__context__
    return error
