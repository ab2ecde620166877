"""The verbs `export` and `import_archive`: results, with all that they were made from, in one file."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from pylightnix.errors import ArgumentError
from pylightnix.model.amounts import Size, parse_size
from pylightnix.session.copying import Refs, held
from pylightnix.session.location import StoreLike, as_store
from pylightnix.session.rooting import see_root
from pylightnix.store.archives import importing
from pylightnix.store.archives.importing import Imported
from pylightnix.store.archives.writing import Exported, export_closure


def export(refs: Refs, path: Path | str, *, store: StoreLike = None, incomplete: bool = False) -> Exported:
    """Write realizations, and all that they were made from, into one file.

    The same closure gives the same bytes, compressed or not as the name of the file says. Every byte is held against
    its hash; the file is whole, or not there.

    Args:
        refs: realizations, or references or unique prefixes of some.
        path: of the file; compressed if it ends in `.gz` or `.zst`. A file that is there is replaced,
            also where a link leads.
        store: the store that has them; None for the default one.
        incomplete: also where something was removed that they were made from; else that is an error.

    Raises:
        UnknownReferenceError: nothing, or more than one thing, is named so.
        DamageError: something is damaged.
        StoreError: something was collected or removed, or the file cannot be written.
    """
    where = _place_for(path)
    found = as_store(store)
    with held(found, refs) as (selection, holding):
        return export_closure(found.keeper, selection, where, holding, incomplete=incomplete)


def _place_for(path: Path | str) -> str:
    """Where the file will be; what is no file, as a device or a pipe, would be gone if it were replaced."""
    given = os.path.abspath(os.path.expanduser(path))
    with contextlib.suppress(OSError):
        mode = os.stat(given).st_mode
        if not stat.S_ISREG(mode):
            what = "a directory" if stat.S_ISDIR(mode) else "something other than a file"
            raise ArgumentError(f"{what} is there", where=str(path), hint="give the path of a file, such as model.plx")
    return os.path.realpath(given) if os.path.islink(given) else given


def import_archive(
    path: Path | str, *, store: StoreLike = None, root: str | None = None, most: Size | None = None
) -> Imported:
    """Take what is in an archive into a store: all of it, or nothing becomes visible.

    Args:
        path: of the archive.
        store: a store or its path, made if it is not there; None for the default one.
        root: a name that keeps alive what the archive is of.
        most: bytes that may come out of a compressed one, or a text such as "2T"; default 1 GiB, or 200 times its size.

    Raises:
        DamageError: it is no archive, is damaged or not whole, or has what no export writes.
        StoreError: it cannot be read, or the store cannot be written.
        BadNameError: this is no name for a root; nothing was taken in.
    """
    see_root(root)
    target = as_store(store)
    limit = None if most is None else parse_size(most, "most")
    holding = target.keeper.holding()  # what the import holds stays held until the root is there
    try:
        done = importing.import_archive(target.keeper, os.path.abspath(os.path.expanduser(path)), most=limit)
        if root is not None:
            kept = done.selection.kept
            target.root(root, [target.realization(ref) for one in kept for ref in one.choice.chosen])
    finally:
        holding.release()
    return done
