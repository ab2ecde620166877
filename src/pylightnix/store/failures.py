"""What failed runs left: their directories below `failed/`, made, found by name, and read."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pylightnix.clock import now, stamp
from pylightnix.errors import DamageError, StoreError, UnknownReferenceError
from pylightnix.hashing import kind_tag
from pylightnix.model.keeping import Workspace
from pylightnix.names import printable
from pylightnix.store import changes
from pylightnix.store.files import fresh_id, is_directory, read_small, read_start, reason, write_new
from pylightnix.store.layout import Layout, writing
from pylightnix.store.publishing import close_log
from pylightnix.store.removal import remove_tree
from pylightnix.store.sealing import let_move

_LOG_LIMIT = 16 << 20


class Failed(NamedTuple):
    """A failed run that was kept.

    Attributes:
        path: its directory; `out` in it is what the builder had made.
        facts: what, kind, traceback, stage, params, seed, run, started, duration and more, as far as they were known.
    """

    path: Path
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.path.name

    @property
    def log(self) -> str:
        """What the run wrote, at most 16 MiB of it."""
        try:
            return read_start(str(self.path / "log"), _LOG_LIMIT).decode(errors="replace")
        except OSError:
            return ""


def keep_failure(layout: Layout, workspace: Workspace, name: str, facts: Mapping[str, Any]) -> Path:
    """Move what a failed run left to a directory below `failed/`; where that is."""
    moment = stamp(now())
    kept = f"{layout.failed}/{moment}-{name}-{fresh_id()}"
    document = json.dumps({**facts, "pylightnix": kind_tag("failure")}, indent=1, default=str)
    with writing(kept):
        _begin(layout, kept, document.encode())
        close_log(workspace)
        for path, name_there in ((workspace.out, "out"), (workspace.log, "log"), (workspace.scratch, "scratch")):
            with contextlib.suppress(FileNotFoundError):
                let_move(path)
                changes.move(path, f"{kept}/{name_there}")
    return Path(kept)


def _begin(layout: Layout, kept: str, facts: bytes) -> None:
    """Make the directory with its facts, whole or not at all."""
    made = f"{layout.tmp}/{fresh_id()}"
    try:
        changes.make_directory(made)
        write_new(f"{made}/failure.json", facts)
        changes.move(made, kept)
    except BaseException:
        with contextlib.suppress(OSError, StoreError):
            remove_tree(made)
        raise


def failures(layout: Layout) -> list[str]:
    """The names of all that were kept, the oldest first."""
    try:
        return sorted(os.listdir(layout.failed))
    except (FileNotFoundError, NotADirectoryError):
        return []


def find_failure(layout: Layout, name: str) -> Failed:
    """The failed run of this name, or of this unique prefix of one.

    Raises:
        UnknownReferenceError: there is none, or more than one.
        DamageError: its facts cannot be read.
    """
    matching = [known for known in failures(layout) if known.startswith(name)] if name else []
    if name in matching:
        matching = [name]
    if len(matching) != 1:
        several = f"names {len(matching)} failed runs" if matching else "names no failed run"
        shown = ", ".join(matching[:5])
        raise UnknownReferenceError(
            f"{name!r} {several}", where=layout.failed, hint=shown and f"give more of it: {shown}", ref=name
        )
    path = Path(layout.failed) / matching[0]
    if not is_directory(path):
        raise DamageError("it is no directory, or a link to one", where=printable(str(path)))
    return Failed(path, _read_facts(path / "failure.json"))


def _read_facts(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(read_small(str(path)))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DamageError(f"it cannot be read: {reason(error)}", where=printable(str(path))) from error
    except (ValueError, RecursionError) as error:
        raise DamageError(f"not readable as JSON ({error})", where=printable(str(path))) from error
    if not isinstance(document, dict) or document.get("pylightnix") != kind_tag("failure"):
        raise DamageError(f"not a document of kind {kind_tag('failure')}", where=str(path))
    return document
