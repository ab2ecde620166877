"""Files that take the place of others in directories of people: written beside them first, and renamed when finished.

Who dies before that leaves such a file, and who writes the same name next removes it. Unaware of what is in them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from pylightnix.clock import now
from pylightnix.store import changes
from pylightnix.store.checkpoints import is_alive, place
from pylightnix.store.files import ID, fresh_id

ABANDONED = 86_400.0
"""Seconds after the last change of such a file after which nobody writes it any more, on whatever machine he was."""

_END = re.compile(rf"([0-9a-f]{{8}})-{ID.pattern}")
_LONGEST = 100
"""Bytes of the final name that stand in the other one: a name has an end."""


@contextlib.contextmanager
def finished(path: str, *, lasting: bool = True) -> Iterator[str]:
    """A path to write to, where there is nothing; at the end that becomes `path`, and goes if anything fails.

    Args:
        path: what is there is replaced in one step.
        lasting: whether its name outlasts a loss of power from then on; who writes it sees to what is in it.
    """
    above, name = os.path.split(path)
    begin = f".{os.fsdecode(os.fsencode(name)[:_LONGEST])}."
    with contextlib.suppress(OSError):
        _sweep(above or ".", begin)
    beside = os.path.join(above, f"{begin}{unique()}")
    try:
        yield beside
        changes.replace(beside, path)
        if lasting:
            sync_name(path)
    except BaseException:
        with contextlib.suppress(OSError):
            changes.remove_file(beside)
        raise


def unique() -> str:
    """The end of the name of such a file: its writer, and what nobody else has."""
    return f"{place()}-{fresh_id()}"


def is_abandoned(end: str, since: float) -> bool:
    """Whether nobody writes such a file any more: who did was a process of this machine, and is dead, or it is old.

    Args:
        end: of its name; one that `unique` did not give tells nothing.
        since: seconds since it was last changed.
    """
    form = _END.fullmatch(end)
    return since > ABANDONED or (form is not None and form[1] == place() and not is_alive(int(form[2])))


def sync_name(path: str) -> None:
    """The name of a file or directory outlasts a loss of power from now on, if its directory may be read."""
    with contextlib.suppress(PermissionError):
        changes.sync_directory(os.path.dirname(path) or ".")


def _sweep(above: str, begin: str) -> None:
    """Remove what the dead were writing."""
    for name in os.listdir(above):
        end = name.removeprefix(begin)
        if end == name or not _END.fullmatch(end):
            continue
        path = os.path.join(above, name)
        with contextlib.suppress(OSError):
            if is_abandoned(end, now() - os.lstat(path).st_mtime):
                changes.remove_file(path)
