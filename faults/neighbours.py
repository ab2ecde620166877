"""What may stand beside a store: another one, a remote, an archive, what a person has; what they say and must have.

Unaware of faults.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pylightnix import PylightnixError, Store, import_archive, pull
from pylightnix.errors import DamageError
from pylightnix.hashing import digest_bytes
from pylightnix.remotes.directory import Directory
from pylightnix.remotes.format import HEAD
from pylightnix.store.collection.roots import parse_lock
from pylightnix.store.verification.verifying import verify

OTHER, REMOTE, ARCHIVE, MINE = "other", "remote", "all.plx", "mine"
"""Their names beside the store."""


def other_of(store: Store) -> Store:
    """The other store; it need not be there."""
    return Store(store.path.parent / OTHER)


def remote_of(store: Store) -> Path:
    """The directory of the remote; it need not be there."""
    return store.path.parent / REMOTE


def archive_of(store: Store) -> Path:
    """The path of the archive; it need not be there."""
    return store.path.parent / ARCHIVE


def mine_of(store: Store) -> Path:
    """The directory of a person."""
    return store.path.parent / MINE


def half_made(above: Path) -> Iterator[tuple[str, str]]:
    """What a remote, an archive and a lock file show and do not have: where, and what is wrong there.

    Args:
        above: the directory in which all of them stand.
    """
    claimed = sorted({path.name.partition("@")[0] for path in above.glob(f"{REMOTE}/claims/*/*@*.json")})
    if claimed:
        with _emptied(above) as store:
            yield from _wrong(REMOTE, lambda: pull(claimed, above / REMOTE, store=store, unsigned=True), store)
    if os.path.lexists(above / ARCHIVE):
        with _emptied(above) as store:
            yield from _wrong(ARCHIVE, lambda: import_archive(above / ARCHIVE, store=store), store)

    for path in above.glob(f"{MINE}/lock"):
        try:
            parse_lock(str(path), path.read_bytes())
        except DamageError as error:
            yield f"{MINE}/lock", error.what


@contextlib.contextmanager
def _emptied(above: Path) -> Iterator[Store]:
    with tempfile.TemporaryDirectory(prefix="looked-", dir=above) as place:
        yield Store(Path(place) / "store", durability="none")


def _wrong(where: str, take: object, store: Store) -> Iterator[tuple[str, str]]:
    try:
        take()  # type: ignore[operator]
    except PylightnixError as error:
        yield where, f"what it offers cannot be had: {error}"
    else:
        yield from ((where, f"{one.file}: {one.what}") for one in verify(store.keeper, workers=1).findings)


def said(above: Path) -> list[str]:
    """What all but another store have, without the identity of the remote; empty if there is nothing."""
    links = [f"{MINE}/{path.name} {os.path.basename(os.readlink(path))}" for path in above.glob(f"{MINE}/link")]
    paths = [*sorted(above.glob(f"{REMOTE}/**/*")), above / ARCHIVE, above / MINE / "lock"]
    paths = [path for path in paths if path.is_file() and not path.name.startswith(".")]
    contents = ["" if path.name == HEAD else digest_bytes(path.read_bytes()) for path in paths]
    return links + [f"{path.relative_to(above)} {content}" for path, content in zip(paths, contents, strict=True)]


def unfinished(above: Path) -> list[str]:
    """What was being written to these."""
    found = [*above.glob(f"{REMOTE}/**/.*"), *above.glob(f".{ARCHIVE}.*"), *above.glob(f"{MINE}/.*")]
    return sorted(str(path.relative_to(above)) for path in found)


def clear_up(above: Path) -> None:
    """Do with a remote what is done with it now and then."""
    if os.path.lexists(above / REMOTE / HEAD):
        backend = Directory(str(above / REMOTE))
        backend.put(HEAD, (above / REMOTE / HEAD).read_bytes())
