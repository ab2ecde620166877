"""A backend in memory: the contract with nothing else around it, and where to put faults in. For tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from pylightnix.errors import RemoteError
from pylightnix.remotes.backend import check_name, check_prefix


class MemoryBackend:
    """Named bytes in a dict."""

    lists = True
    writes = True

    def __init__(self, url: str = "memory:") -> None:
        self.url = url
        self.content: dict[str, bytes] = {}
        self._mutex = threading.Lock()

    def get(self, name: str, most: int) -> bytes | None:
        data = self.content.get(check_name(name))
        if data is not None and len(data) > most:
            raise RemoteError(f"{name} has {len(data)} bytes, and {most} are the most that it may have", where=self.url)
        return data

    def put(self, name: str, data: bytes) -> None:
        with self._mutex:
            self.content[check_name(name)] = bytes(data)

    def has(self, name: str) -> bool:
        return check_name(name) in self.content

    def names(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        with self._mutex:
            found = [name for name in self.content if name.startswith(prefix)]
        yield from found

    def remove(self, name: str) -> None:
        with self._mutex:
            self.content.pop(check_name(name), None)

    def close(self) -> None:
        """Nothing."""
