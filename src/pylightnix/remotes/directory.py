"""A directory as a backend."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from pylightnix.errors import RemoteError
from pylightnix.store import changes
from pylightnix.store.files import fresh_id, write_new


class Directory:
    """A directory."""

    lists = True
    writes = True

    def __init__(self, path: str) -> None:
        self.url = path

    def get(self, name: str, most: int) -> bytes | None:
        try:
            with open(f"{self.url}/{name}", "rb") as file:
                data = file.read(most + 1)
        except FileNotFoundError:
            return None
        if len(data) > most:
            raise RemoteError("too large")
        return data

    def put(self, name: str, data: bytes) -> None:
        path = f"{self.url}/{name}"
        changes.make_directories(os.path.dirname(path))
        beside = f"{os.path.dirname(path)}/.{fresh_id()}"
        write_new(beside, data)
        changes.replace(beside, path)

    def has(self, name: str) -> bool:
        return os.path.exists(f"{self.url}/{name}")

    def names(self, prefix: str) -> Iterator[str]:
        top = os.path.dirname(f"{self.url}/{prefix}")
        for at, _, files in os.walk(top):
            for one in files:
                name = os.path.relpath(f"{at}/{one}", self.url)
                if name.startswith(prefix) and not one.startswith("."):
                    yield name

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(f"{self.url}/{name}")

    def close(self) -> None:
        pass
