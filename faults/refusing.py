"""An error of the system at each change, once or from there on. Unaware of other faults."""

from __future__ import annotations

import errno
import gc
import os
import warnings
from pathlib import Path
from typing import NamedTuple

from faults.children import in_child
from faults.kinds import Row
from faults.points import Watch
from faults.soundness import debris
from faults.stand import Stand, spread
from pylightnix import PylightnixError, Store

_MAKING = frozenset({"mkdir", "open", "write", "copy", "rename", "symlink", "fsync", "syncfs"})
_CLEARING = frozenset({"unlink", "rmdir", "chmod", "fchmod", "flock", "rename", "open"})
"""Changes that clearing up is made of: where one of these was refused, something may be left."""


class Cause(NamedTuple):
    """A reason to refuse.

    Attributes:
        number: what the system says.
        refused: the changes that it refuses as long as it lasts; none: it does not last.
    """

    number: int
    refused: frozenset[str] = frozenset()


CAUSES = {
    "ENOSPC": Cause(errno.ENOSPC, _MAKING),
    "EDQUOT": Cause(errno.EDQUOT, _MAKING),
    "EIO": Cause(errno.EIO),
    "EMFILE": Cause(errno.EMFILE, frozenset({"open"})),
    "EACCES": Cause(errno.EACCES),
    "EROFS": Cause(errno.EROFS, _MAKING | {"unlink", "rmdir", "chmod", "fchmod"}),
    "EXDEV": Cause(errno.EXDEV, frozenset({"rename"})),
}


def refuse(stand: Stand, most: int | None = None) -> Row:
    """Each error at each point, once; or at so many, in turn."""
    row = Row("refusal", stand.operation.name, stand.calls)
    pairs = [(name, point) for point in range(stand.calls) for name in CAUSES]
    for index in spread(len(pairs), most):
        name, point = pairs[index]
        _try(stand, row, name, point, lasting=False)
    return row


def refuse_on(stand: Stand, most: int | None = None) -> Row:
    """Each error that lasts, from each point on until the call has returned; or from so many, in turn."""
    row = Row("lasting refusal", stand.operation.name, stand.calls)
    pairs = [(name, point) for point in range(stand.calls) for name, cause in CAUSES.items() if cause.refused]
    for index in spread(len(pairs), most):
        name, point = pairs[index]
        _try(stand, row, name, point, lasting=True)
    return row


def _try(stand: Stand, row: Row, name: str, point: int, *, lasting: bool) -> None:
    path = stand.fresh()
    refusal = _Refusal(stand, path, name, lasting=lasting)
    ended = in_child(lambda: refusal.run(point))
    wrong = ended.problem or ("" if ended.told else "it was killed") or "; ".join(ended.told["wrong"])
    change = ended.told["change"] if ended.told else "?"
    left = [name for name in debris(path) if not name.startswith("store/")]  # others may have adopted these meanwhile
    if not wrong and not lasting and change not in _CLEARING and left:
        wrong = f"left: {sorted(left)}"
    row.add(f"{name} at change {point} ({change})", wrong or stand.visible(path) or stand.judge(path), len(left))
    stand.discard(path)


class _Refusal:
    """One call that is refused something, and the same call again when nothing is refused any more."""

    def __init__(self, stand: Stand, path: Path, cause: str, *, lasting: bool) -> None:
        self._stand = stand
        self._path = path
        self._cause = CAUSES[cause]
        self._lasting = lasting
        self._refused = ""

    def run(self, point: int) -> dict[str, object]:
        store = Store(self._path)
        before = _descriptors()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = [self._first(store, point)]
            wrong.append("" if self._refused else "nothing was refused")
            left = _descriptors() - before
            if left and gc.collect():  # else what an error holds would count
                left = _descriptors() - before
            wrong.append(f"descriptors are left open: {sorted(left)}" if left else "")
            wrong.append(self._second(store))
        return {"wrong": [text for text in wrong if text], "change": self._refused}

    def _first(self, store: Store, point: int) -> str:
        watch = Watch(self._path.parent)
        try:
            watch.disturb(point, self._refuse, lambda: self._stand.operation.act(store), onward=self._lasting)
        except PylightnixError as error:
            return "" if error.what else "the error says nothing"
        except Exception as error:
            return f"an error that is not ours: {error!r}"
        return ""

    def _refuse(self, name: str, about: tuple[object, ...]) -> None:
        if self._refused and name not in self._cause.refused:
            return
        self._refused = self._refused or name
        raise self._error(about)

    def _error(self, about: tuple[object, ...]) -> OSError:
        path = about[0] if about and isinstance(about[0], (str, bytes, os.PathLike)) else None
        return OSError(self._cause.number, os.strerror(self._cause.number), path)

    def _second(self, store: Store) -> str:
        try:
            self._stand.operation.act(store)
        except BaseException as error:
            return f"the cause is gone, and it fails again: {error!r}"
        return ""


def _descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))
