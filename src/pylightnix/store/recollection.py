"""Remembers the choices of whole closures below `cache/`, which anybody may delete. Never read where it may be wrong.

A choice with a stamp was the only candidate under its key. The stamp is when the key's directory and the record were
last changed, by the clock of the file system (`st_ctime`, which nobody can set). It is taken only where both were last
changed before a certain file was: whatever is changed later than that has another time.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import DIGITS, digest_bytes
from pylightnix.model.allocation import collector_paused
from pylightnix.model.records import InputChoice
from pylightnix.model.remembered import Made, Remembered
from pylightnix.names import DerivationRef, KeyRef, RealizationRef
from pylightnix.store.changes import make_directories, remove_file, replace, set_mode
from pylightnix.store.files import fresh_id, is_directory, read_small, write_new
from pylightnix.store.layout import Layout

FORMAT = "pylightnix:choices/1"
MOST = 64
"""Closures that are remembered; beyond that the one that was noted longest ago is forgotten."""

_KIND = "choices-"
"""How the names of our files begin: in the same directory there are others."""

_BROKEN = (OSError, DamageError, ValueError, TypeError, LookupError)


class Recollections:
    """Implements `Memory`.

    Args:
        layout: of the store.
        looked: tells how many names a decision saw under a key; None if it was not looked at.
    """

    def __init__(self, layout: Layout, looked: Callable[[KeyRef], int | None]) -> None:
        self._layout = layout
        self._looked = looked
        self._withheld = False

    def recall(self, closure: str) -> Mapping[str, Remembered]:
        try:
            with collector_paused():
                return _parse(read_small(self._path(closure)))
        except _BROKEN:
            return {}

    def still_holds(self, remembered: Remembered) -> bool:
        layout, choice = self._layout, remembered.choice
        base, ref = f"{layout.records}/{choice.key}", choice.chosen[0]
        try:
            return (
                os.stat(base).st_ctime_ns,
                os.stat(f"{base}/{ref[:DIGITS]}/record.json").st_ctime_ns,
            ) == remembered.stamp and is_directory(f"{layout.store}/{ref}")
        except OSError:
            return False

    def withhold(self) -> None:
        """Something that goes with a choice could not be noted: what is decided next is decided anew the next time."""
        self._withheld = True

    def remember(self, closure: str, made: Iterable[Made]) -> None:
        withheld, self._withheld = self._withheld, False
        if withheld:
            return
        path = self._path(closure)
        unique = f"{self._layout.tmp}/{fresh_id()}"
        with contextlib.suppress(OSError, StoreError), collector_paused():
            self._layout.ensure()
            make_directories(self._layout.cache)
            self._forget_oldest(path)
            write_new(f"{unique}.now", b"")
            try:
                now = _changed_now(f"{unique}.now")
                write_new(unique, _document([(m.derivation, self._stamped(m, now)) for m in made]))
                replace(unique, path)
            finally:
                for name in (unique, f"{unique}.now"):
                    with contextlib.suppress(FileNotFoundError):
                        remove_file(name)

    def _path(self, closure: str) -> str:
        return f"{self._layout.cache}/{_KIND}{closure[:DIGITS]}"

    def _forget_oldest(self, ours: str) -> None:
        names = [f"{self._layout.cache}/{name}" for name in os.listdir(self._layout.cache) if name.startswith(_KIND)]
        others = [name for name in names if name != ours]
        while len(others) >= MOST:
            oldest = min(others, key=lambda name: os.lstat(name).st_mtime_ns)
            remove_file(oldest)
            others.remove(oldest)

    def _stamped(self, made: Made, now: int) -> Remembered:
        """The choice with its stamp, if it can have one. The times come first: what is seen afterwards is not older."""
        choice = made.remembered.choice
        if made.remembered.stamp is not None or not made.lone:
            return made.remembered
        base, digits = f"{self._layout.records}/{choice.key}", choice.chosen[0].digits
        try:
            stamp = os.stat(base).st_ctime_ns, os.stat(f"{base}/{digits}/record.json").st_ctime_ns
            names = os.listdir(base)
        except OSError:
            return made.remembered
        alone = len(names) == self._looked(choice.key) and [n for n in names if not n.endswith(".run")] == [digits]
        return made.remembered._replace(stamp=stamp) if alone and max(stamp) < now else made.remembered


def _changed_now(path: str) -> int:
    """Change a file; when that was, by the clock of the file system.

    That clock may tick a hundred times a second only. But Linux since 6.13 gives what is changed after a look at its
    time a finer one, and to nothing afterwards an earlier one ("multigrain timestamps"): what was changed before, in
    the same tick, is earlier then.
    """
    os.stat(path)
    set_mode(path, 0o444)
    return os.stat(path).st_ctime_ns


def forget_choices(layout: Layout) -> None:
    """Have every closure decided anew the next time, which also notes again what goes with a choice."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(layout.cache):
            if name.startswith(_KIND):
                with contextlib.suppress(OSError):
                    remove_file(f"{layout.cache}/{name}")


def _document(choices: list[tuple[DerivationRef, Remembered]]) -> bytes:
    """The hash of what follows, a line; then JSON, in which texts that come often stand once."""
    texts: dict[str, int] = {}
    rows = [
        [ref, c.key, c.chosen, c.many, c.context, *[texts.setdefault(t, len(texts)) for t in (c.matcher, why)], stamp]
        for ref, (c, why, stamp) in choices
    ]
    data = json.dumps([list(texts), rows], separators=(",", ":")).encode()
    return f"{FORMAT} {digest_bytes(data)}\n".encode() + data


def _parse(data: bytes) -> dict[str, Remembered]:
    head, _, rest = data.partition(b"\n")
    if head != f"{FORMAT} {digest_bytes(rest)}".encode():
        raise ValueError("not what was written")
    texts, rows = json.loads(rest)
    return {
        ref: Remembered(
            InputChoice(KeyRef(key), tuple(map(RealizationRef, chosen)), many, context, texts[matcher]),
            texts[why],
            tuple(stamp) if stamp else None,
        )
        for ref, key, chosen, many, context, matcher, why, stamp in rows
    }
