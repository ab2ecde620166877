"""The contract of backends catches those that break it: each of these is wrong in one way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from pylightnix.errors import RemoteError
from pylightnix.remotes.backend import Backend, check_name
from pylightnix.testing.memory_remote import MemoryBackend
from pylightnix.testing.remotes import BAD, BackendContract


class TestMemory(BackendContract):
    many = 2000

    @pytest.fixture
    def backend(self) -> Backend:
        return MemoryBackend()


class Unbounded(MemoryBackend):
    """Gives more than one asks for."""

    def get(self, name: str, most: int) -> bytes | None:
        return super().get(name, 1 << 40)


class Truncating(MemoryBackend):
    """Gives as much as one asks for, and does not say that there is more."""

    def get(self, name: str, most: int) -> bytes | None:
        data = super().get(name, 1 << 40)
        return None if data is None else data[:most]


class Hopeful(MemoryBackend):
    """Says of what is too large that another attempt may help."""

    def get(self, name: str, most: int) -> bytes | None:
        try:
            return super().get(name, most)
        except RemoteError as error:
            raise RemoteError(error.what, again=True) from error


class InPlace(MemoryBackend):
    """Writes a part, and then the rest."""

    def put(self, name: str, data: bytes) -> None:
        super().put(name, data[: len(data) // 2])
        time.sleep(0.005)
        super().put(name, data)


class Late(MemoryBackend):
    """Sees what is put a moment later."""

    def has(self, name: str) -> bool:
        time.sleep(0.001)
        there = super().has(name) and self.content[name] == getattr(self, "_seen", None)
        self._seen = self.content.get(name)
        return there


class Forgetting(MemoryBackend):
    """Does not keep what is empty."""

    def put(self, name: str, data: bytes) -> None:
        if data:
            super().put(name, data)


class Keeping(MemoryBackend):
    """Does not put one thing in the place of another."""

    def put(self, name: str, data: bytes) -> None:
        if not self.has(name):
            super().put(name, data)


class OnePage(MemoryBackend):
    """Lists a page, and leaves off the rest."""

    def names(self, prefix: str) -> Iterator[str]:
        yield from sorted(super().names(prefix))[:1000]


class Folders(MemoryBackend):
    """Takes a prefix for a directory."""

    def names(self, prefix: str) -> Iterator[str]:
        return super().names(f"{prefix}/" if prefix and not prefix.endswith("/") else prefix)


class Flat(MemoryBackend):
    """Lists what is directly there, and nothing below."""

    def names(self, prefix: str) -> Iterator[str]:
        return (name for name in super().names(prefix) if "/" not in name[len(prefix) :])


class Trusting(MemoryBackend):
    """Takes every name."""

    def has(self, name: str) -> bool:
        return name in self.content

    def put(self, name: str, data: bytes) -> None:
        self.content[name] = data


class Strict(MemoryBackend):
    """Insists that what is removed is there."""

    def remove(self, name: str) -> None:
        del self.content[check_name(name)]


class Shouting(MemoryBackend):
    """Does not tell small letters from capital ones."""

    def put(self, name: str, data: bytes) -> None:
        super().put(name.upper(), data)

    def get(self, name: str, most: int) -> bytes | None:
        return super().get(name.upper(), most)

    def has(self, name: str) -> bool:
        return super().has(name.upper())


class Shared(MemoryBackend):
    """Has one place for what is on its way, for all threads."""

    def put(self, name: str, data: bytes) -> None:
        self._way = data
        time.sleep(0.001)
        super().put(name, self._way)


class Unprintable(MemoryBackend):
    """Shows what a terminal would take for a command."""

    def __init__(self) -> None:
        super().__init__("memory:\x1b[31m")


class Many(BackendContract):
    many = 1100


C = Many()
TESTS: dict[str, Callable[[Backend], object]] = {
    "there at once": C.test_what_is_put_is_there_at_once,
    "sizes": lambda backend: [C.test_sizes(backend, size) for size in (0, 1, 1000)],
    "takes the place": C.test_what_is_put_takes_the_place_of_what_was_there,
    "no more": C.test_no_more_than_that,
    "names": lambda backend: C.test_names(backend, "A-b_c.d+e@f/0123"),
    "bad names": lambda backend: [C.test_names_that_none_may_have(backend, name) for name in BAD],
    "listing": C.test_listing,
    "many names": C.test_many_names,
    "removing": C.test_removing,
    "half": C.test_nobody_sees_half,
    "threads": C.test_from_many_threads,
    "shown": C.test_its_address_can_be_shown,
}


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (Unbounded, "no more"), (Truncating, "no more"), (Hopeful, "no more"), (InPlace, "half"),
        (Late, "there at once"), (Forgetting, "sizes"), (Keeping, "takes the place"), (OnePage, "many names"),
        (Folders, "listing"), (Flat, "listing"), (Trusting, "bad names"), (Strict, "removing"), (Shouting, "names"),
        (Shared, "threads"), (Unprintable, "shown"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_caught(wrong: type[MemoryBackend], test: str) -> None:
    TESTS[test](MemoryBackend())
    with pytest.raises((AssertionError, KeyError, pytest.fail.Exception)):
        TESTS[test](wrong())
