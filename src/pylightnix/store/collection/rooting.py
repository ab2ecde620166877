"""Sets and removes roots for people: of realizations, of what the command line realized, of links that they make."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from pylightnix.errors import CollectionError, DamageError, StoreError, UnknownReferenceError
from pylightnix.hashing import digest_document
from pylightnix.model.realization import Realization
from pylightnix.model.selection import selection_of
from pylightnix.names import is_reference, printable
from pylightnix.store import changes
from pylightnix.store.collection.reach import reach
from pylightnix.store.collection.roots import Root, Roots, lock_bytes, parse_lock
from pylightnix.store.files import NewFile, read_small
from pylightnix.store.layout import writing
from pylightnix.store.reading import Reader
from pylightnix.store.unfinished import finished


def set_root(reader: Reader, name: str, realizations: Iterable[Realization[Any]], *, held: bool = False) -> None:
    """Keep these under a name.

    Args:
        reader: of the store.
        name: of the root.
        realizations: what it keeps.
        held: whether this process holds them, and so knows that they are there.
    """
    given = list(realizations)
    root = Root(name, "named", selection_of(given))
    Roots(reader.layout, lasting=reader.lasting).set(
        root, (lambda: None) if held else (lambda: _see(reader, root, given))
    )


def set_automatic_root(reader: Reader, target: str, realizations: Iterable[Realization[Any]]) -> None:
    """Keep what was just realized for a target, until it is realized again; this process holds it."""
    given = list(realizations)
    if given:
        name = f"auto-{given[0].name[:80]}-{digest_document('target', {'target': target})[:8]}"
        Roots(reader.layout, lasting=reader.lasting).set(Root(name, "auto", selection_of(given)))


def set_link(reader: Reader, link: str, realization: Realization[Any]) -> str:
    """Make a symbolic link to the artifacts of a realization, which keeps it for as long as it stands; the root's name.

    Raises:
        StoreError: the link cannot be made, or something else is there.
    """
    path = _path_of("link", link)
    name = f"link-{_digest_of_path(path)}"
    root = Root(name, "link", selection_of([realization]), path)
    with writing(path):
        before = _link_there(path)
        _lead(path, realization.path)  # before the root, which without its link keeps nothing
        try:
            Roots(reader.layout, lasting=reader.lasting).set(root, lambda: _see(reader, root, [realization]))
        except BaseException:
            if before is None:
                changes.remove_file(path)
            else:
                _lead(path, before)
            raise
    return name


def _path_of(what: str, path: str) -> str:
    """Where it is to stand; its directory is not made."""
    path = os.path.abspath(path)
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        raise StoreError(
            f"the directory of the {what} is not there", where=printable(above), hint="make it, or give another path"
        )
    return path


def _link_there(path: str) -> str | None:
    """Where the link leads that is there, None if there is none; nothing but a link to artifacts is replaced."""
    if not os.path.lexists(path):
        return None
    if not os.path.islink(path):
        raise StoreError("this is there, and no link", where=printable(path), hint="give another path")
    target = os.readlink(path)
    if not is_reference(os.path.basename(target.rstrip("/"))):
        raise StoreError(
            f"this is there, a link to {printable(target)}, which is no realization of a store", where=printable(path),
            hint="give another path",
        )  # fmt: skip
    return target


def _lead(path: str, target: str | os.PathLike[str]) -> None:
    """Make a link of a person, or let it lead elsewhere, in one step."""
    with finished(path) as beside:
        changes.link_symbolically(target, beside)


def set_lock(reader: Reader, path: str, realizations: Iterable[Realization[Any]]) -> str:
    """Write a file that names a selection, which it keeps for as long as it is there; the root's name.

    What it names can be changed, by this or by whoever has another version of it; it keeps what it names.

    Raises:
        StoreError: the file cannot be written, or something else is there.
    """
    path = _path_of("lock file", path)
    given = list(realizations)
    root = Root(f"lock-{_digest_of_path(path)}", "lock", selection_of(given), path)
    with writing(path):
        before = _lock_there(path)
        _replace(path, lock_bytes(root.selection))  # before the root, which without its file keeps nothing
        try:
            Roots(reader.layout, lasting=reader.lasting).set(root, lambda: _see(reader, root, given))
        except BaseException:
            if before is None:
                changes.remove_file(path)
            else:
                _replace(path, before)
            raise
    return root.name


def _lock_there(path: str) -> bytes | None:
    """The lock file that is there, None if there is none; nothing else is overwritten."""
    if not os.path.lexists(path):
        return None
    if os.path.islink(path):
        raise StoreError(
            f"this is there, a link to {printable(os.readlink(path))}, and no lock file", where=printable(path),
            hint="give the path of the file that it leads to, or another path",
        )  # fmt: skip
    try:
        data = read_small(path)
        parse_lock(path, data)
    except (OSError, DamageError) as error:
        raise StoreError("this is there, and no lock file", where=printable(path), hint="give another path") from error
    return data


def _replace(path: str, data: bytes) -> None:
    """Write a file of a person, in one step."""
    with finished(path) as beside, NewFile(beside, 0o666) as file:
        file.write(data)
        file.sync()


def remove_root(reader: Reader, name: str) -> None:
    """Take a root away.

    Raises:
        UnknownReferenceError: there is none of this name.
    """
    roots = Roots(reader.layout)
    if not roots.remove(name):
        known = sorted({file.partition("@")[0] for file in roots.names()})
        raise UnknownReferenceError(
            f"no root is named {printable(repr(name))}", where=printable(reader.layout.root),
            hint=f"there are: {', '.join(known[:10])}" if known else "there are no roots", name=name,
        )  # fmt: skip


def _digest_of_path(path: str) -> str:
    return digest_document("link", {"path": os.fsencode(path).hex()})[:16]


def _see(reader: Reader, root: Root, realizations: Iterable[Realization[Any]]) -> None:
    """See that all is there which the root shall keep."""
    for one in realizations:
        if not reader.present(one.record):
            raise CollectionError(
                "its artifacts are not here, only its record is", where=f"{one.name} {one.ref.short}",
                hint="realize its stage again, then it can be kept", ref=one.ref,
            )  # fmt: skip
    try:
        reach(reader, [root._replace(kind="named")])  # a lock file passes over what is not there
    except CollectionError as error:
        raise CollectionError(
            error.what, where=f"root {root.name} was not set",
            hint="a root keeps all that something was made from; what lies in the trash comes back with "
            "pylightnix gc --restore REF, else realize its stage again",
            **error.fields,
        ) from error  # fmt: skip
