"""Where things stand in a store, and which version of that it is. Unaware of what the files mean."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pylightnix.errors import FormatError, StoreError
from pylightnix.store.files import read_small, write_once

FORMAT = 1
"""Version of the layout that this package writes, and the newest that it reads."""

_PLACES = ("derivations", "store", "records", "environments", "roots", "tmp", "failed", "locks")


class Layout:
    """The paths of a store. It is created at the first write; until then all is empty.

    Args:
        root: the store's directory; made absolute at once, so that a later chdir changes nothing.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = os.path.abspath(os.path.expanduser(root))
        self.derivations = f"{self.root}/derivations"
        self.store = f"{self.root}/store"
        self.records = f"{self.root}/records"
        self.environments = f"{self.root}/environments"
        self.tmp = f"{self.root}/tmp"
        self.failed = f"{self.root}/failed"
        self._ready = False
        self.check()

    def check(self) -> None:
        """See that what is there, if anything, is a store of a version that can be read.

        Raises:
            FormatError: it is newer, or no store.
        """
        path = f"{self.root}/format.json"
        try:
            found = json.loads(read_small(path))["pylightnix"]
            kind, _, version = str(found).partition("/")
            number = int(version)
        except FileNotFoundError:
            self._check_absent()
            return
        except OSError as error:
            raise StoreError(f"the store cannot be read: {error.strerror}", where=self.root) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FormatError(
                "format.json says nothing that can be understood", where=path, hint="is this a store?"
            ) from error
        if kind != "store" or not 1 <= number <= FORMAT:
            raise FormatError(
                f"this store has the format {found!r}, this version reads up to store/{FORMAT}",
                where=self.root, hint="use the version of pylightnix that made it, or a newer one",
            )  # fmt: skip

    def _check_absent(self) -> None:
        try:
            there = set(os.listdir(self.root))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"the store cannot be read: {error.strerror}", where=self.root) from error
        foreign = sorted(there - set(_PLACES) - {"format.json"})
        if foreign or "store" in there:
            raise FormatError(
                f"this directory is no store: it has no format.json but {', '.join((foreign or sorted(there))[:3])}",
                where=self.root, hint="give the path of a store, or of a directory that is empty or not there yet",
            )  # fmt: skip

    def ensure(self) -> None:
        """Make what is missing; done once, before the first write.

        Raises:
            StoreError: it cannot be written.
        """
        if self._ready:
            return
        try:
            for place in ("tmp", *_PLACES):
                os.makedirs(f"{self.root}/{place}", exist_ok=True)
            path = f"{self.root}/format.json"
            if not os.path.exists(path):
                write_once(self.tmp, path, json.dumps({"pylightnix": f"store/{FORMAT}"}).encode())
        except OSError as error:
            raise unwritable(self.root, error) from error
        self._ready = True


def unwritable(where: str, error: OSError) -> StoreError:
    """The error for a store that refuses a write."""
    return StoreError(
        f"the store cannot be written: {error.strerror or error}",
        where=where,
        hint="what is realized already can be used; to build, free space or rights, or choose another store "
        "(--store, $PYLIGHTNIX_STORE)",
        errno=error.errno,
    )
