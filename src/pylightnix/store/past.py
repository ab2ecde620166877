"""Runs that were made before, found by key and by the name of a stage. Reads little; unaware of what it is read for.

What cannot be read is left out without a word: nothing depends on it, and whoever needs it tells of the damage.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS
from pylightnix.model.records import Run
from pylightnix.names import KeyRef
from pylightnix.store.documents import parse_run
from pylightnix.store.files import read_small
from pylightnix.store.reading import is_home, is_run

LOOKS = 256
"""Directories whose age is looked at for each name; of more, so many that are spread evenly over all."""

EACH = 2
"""Runs that are read of one key, where those of a stage are asked for: others tell more."""

_is_digits = re.compile(rf"[0-9a-f]{{{DIGITS}}}").fullmatch


class PastRuns:
    """See `model.keeping.Past`.

    Args:
        records: the directory of all records; listed once, when a name is first asked for.
    """

    def __init__(self, records: str) -> None:
        self._records = records
        self._homes: dict[str, list[str]] | None = None

    def of_key(self, home: KeyRef, most: int) -> list[Run]:
        """See `Past`."""
        base = f"{self._records}/{home}"
        paths = [
            f"{base}/{digits}/{name}"
            for digits in _spread([name for name in _names(base) if _is_digits(name)], LOOKS)
            for name in _names(f"{base}/{digits}")
            if is_run(name)
        ]
        paths.sort(key=_index, reverse=True)
        return sorted(_read(paths, most), key=Run.order)

    def of_stage(self, name: str, most: int) -> list[Run]:
        """See `Past`."""
        if self._homes is None:
            self._homes = {}
            for entry in filter(is_home, _names(self._records)):
                self._homes.setdefault(entry[DIGITS + 1 :], []).append(entry)
        aged = [(_changed(f"{self._records}/{home}"), home) for home in _spread(self._homes.get(name, []), LOOKS)]
        found: list[Run] = []
        for _, home in sorted(aged, reverse=True):
            if len(found) >= most:
                break
            found += self.of_key(KeyRef(home), min(EACH, most - len(found)))
        return sorted(found, key=lambda run: run.started)


def _spread(names: Sequence[str], most: int) -> Sequence[str]:
    """Some of them: names begin with a hash, so any choice is as good as one by lot."""
    return names if len(names) <= most else sorted(names)[:: -(-len(names) // most)]


def _read(paths: list[str], most: int) -> Iterator[Run]:
    for path in paths[:most]:
        try:
            yield parse_run(path, read_small(path))
        except (DamageError, OSError):
            continue


def _index(path: str) -> int:
    return int(os.path.basename(path).split("-")[1])


def _changed(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
