"""What it means that the system refuses a read: the data is damaged, a right is missing, or the system is at fault."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from pylightnix.errors import DamageError, StoreError
from pylightnix.names import printable
from pylightnix.store.layout import Layout
from pylightnix.store.verification.findings import Finding, Kind

_DAMAGE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EIO, errno.ENXIO, errno.EINVAL)
_RIGHTS = (errno.EACCES, errno.EPERM)


class BarredError(StoreError):
    """Something is there that we have no right to read; `path` is as the file system has it."""

    path = ""


def damage(path: str, error: OSError | StoreError) -> str:
    """What is wrong with what stands at a path, if that is why it could not be read.

    Raises:
        BarredError: we may not read it.
        StoreError: the system is at fault, as when no descriptor is free: nothing is known about the data.
    """
    if isinstance(error, BarredError):
        raise error
    code: object
    if isinstance(error, OSError):
        code, where, what = error.errno, printable(path), error.strerror or str(error)
    else:
        code, where, what = error.fields.get("errno"), error.where or printable(path), error.what
        if code is None or isinstance(error, DamageError):
            return what
    if code in _DAMAGE:
        return what
    said = f"it cannot be read: {what}"
    if code not in _RIGHTS:
        raise StoreError(said, where=where, hint="nothing was changed for that; verify again", errno=code) from error
    barred = BarredError(said, where=where, errno=code)
    barred.path = path
    raise barred from error


@contextlib.contextmanager
def read_if_sound(path: str) -> Iterator[None]:
    """Passes over what is damaged; raises as `damage` does."""
    try:
        yield
    except (StoreError, OSError) as error:
        damage(path, error)


def status(path: str, *, follow: bool = False) -> os.stat_result | None:
    """What the system says of a path, None if nothing is there; raises as `damage` does."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except OSError as error:
        damage(path, error)
        return None


def is_barred(error: StoreError) -> bool:
    """Whether something could not be read since we have no right to."""
    return error.fields.get("errno") in _RIGHTS


def barred(layout: Layout, inside: str, what: str) -> Finding:
    """The finding for what we may not read: its path below the store, or that of the directory which bars the way."""
    parts = inside.split("/")
    above = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return Finding(Kind.RIGHTS, next((one for one in above if _bars(f"{layout.root}/{one}")), inside), what)


def _bars(directory: str) -> bool:
    return os.path.lexists(directory) and not os.access(directory, os.X_OK)
