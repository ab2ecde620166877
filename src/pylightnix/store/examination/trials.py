"""Tries in a store's own `tmp/` what its file system can do. It leaves nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from pylightnix.errors import StoreError
from pylightnix.store import changes
from pylightnix.store.examination.observations import Level, Observation
from pylightnix.store.files import fresh_id, write_new
from pylightnix.store.layout import Layout
from pylightnix.store.locks import misplaced, self_test
from pylightnix.store.removal import remove_tree


def locks(layout: Layout) -> Observation:
    """Whether locks work."""
    problem = self_test(layout.locks)
    if problem is None:
        return Observation("locks", Level.GOOD, "they exclude, and are given back", layout.locks)
    return Observation(
        "locks", Level.WRONG, problem, layout.locks,
        "results stay correct, but the same may be made twice; mount it with locks, or keep the store elsewhere",
    )  # fmt: skip


def locks_in_the_way(layout: Layout) -> Iterator[Observation]:
    """What is in the place of the files of locks, and of their directories, and is something else."""
    names = ("collect.lock", "roots.lock", *[f"{digit:x}/key.lock" for digit in range(16)])
    for name in names:
        problem = misplaced(f"{layout.locks}/{name}")
        if problem is not None:
            yield Observation("locks", Level.WRONG, problem.what, problem.path, "move it away")


def abilities(layout: Layout) -> Iterator[Observation]:
    """Links, clones, modes and names, each tried once."""
    place = f"{layout.tmp}/{fresh_id()}"
    try:
        changes.make_directory(place)
        write_new(f"{place}/file", b"x")
        yield _modes(f"{place}/file")
        yield _names(place)
        yield _links(place)
        yield Observation("hard links", *_can(lambda: changes.link(f"{place}/file", f"{place}/hard")), place)
        yield Observation("reflinks", *_can(lambda: _clone(place)), place)
    except OSError as error:
        yield Observation("writing", Level.WRONG, f"nothing can be tried: {error.strerror or error}", layout.tmp)
    finally:
        try:
            remove_tree(place)
        except StoreError as error:
            yield Observation("removing", Level.WRONG, error.what, error.where)


def _can(attempt: Callable[[], None]) -> tuple[Level, str]:
    try:
        attempt()
    except OSError as error:
        return Level.NOTE, f"there are none here ({error.strerror or error}); nothing needs them"
    return Level.GOOD, "they work"


def _clone(place: str) -> None:
    source = os.open(f"{place}/file", os.O_RDONLY)
    try:
        target = changes.open_new(f"{place}/clone", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            changes.clone(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def _links(place: str) -> Observation:
    try:
        changes.link_symbolically("file", f"{place}/link")
        if os.readlink(f"{place}/link") == "file":
            return Observation("symlinks", Level.GOOD, "they work", place)
        what = "a link leads elsewhere than it was made to"
    except OSError as error:
        what = f"none can be made: {error.strerror or error}"
    return Observation("symlinks", Level.WRONG, what, place, "stages that make links cannot be kept here")


def _modes(path: str) -> Observation:
    for mode in (0o555, 0o444):
        changes.set_mode(path, mode)
        if stat.S_IMODE(os.lstat(path).st_mode) != mode:
            return Observation(
                "modes", Level.WRONG, f"a mode of {mode:o} becomes {stat.S_IMODE(os.lstat(path).st_mode):o}", path,
                "artifacts are not protected, and executable bits are lost: keep the store on a file system with modes",
            )  # fmt: skip
    return Observation("modes", Level.GOOD, "they are kept", path)


def _names(place: str) -> Observation:
    if os.path.lexists(f"{place}/FILE"):
        return Observation(
            "names",
            Level.NOTE,
            "names that differ in case only are one: artifacts with such names cannot be kept",
            place,
        )
    return Observation("names", Level.GOOD, "upper and lower case differ", place)
