"""The contract of a backend as tests: subclass `BackendContract`, say how to make one, and let pytest collect it.

Unaware of any backend. Needs pytest; `pytest.register_assert_rewrite("pylightnix.testing")` in a conftest.py makes its
asserts count under `python -O` too.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pylightnix.errors import BadNameError, RemoteError
from pylightnix.remotes.backend import LONGEST, Backend

MOST = 1 << 20
BAD = (
    "", "/", "/abs", "a/", "a//b", "..", "../x", "a/../b", ".", "a/.", ".hidden", "a/.hidden", "a\0b", "a\\b", "a\nb",
    "é", "a b", "a" * (LONGEST + 1), "-dash", "a%2fb", "~", "a?b", "a#b", "\udcff",
)  # fmt: skip


class BackendContract:
    """What every backend does. The fixture `backend` gives an empty one.

    Attributes:
        many: how many names are put for a listing of more than a page.
    """

    many = 120

    @pytest.fixture
    def backend(self) -> Backend:
        """An empty backend; to be overridden."""
        raise NotImplementedError("say in a fixture `backend` how to make one")

    def test_what_is_put_is_there_at_once(self, backend: Backend) -> None:
        assert backend.get("a/b", MOST) is None
        assert not backend.has("a/b")
        backend.put("a/b", b"one")
        assert backend.has("a/b")
        assert backend.get("a/b", MOST) == b"one"
        assert not backend.has("a")
        assert backend.get("a", MOST) is None

    @pytest.mark.parametrize("size", [0, 1, 1000, 8 << 20])
    def test_sizes(self, backend: Backend, size: int) -> None:
        data = os.urandom(size)
        backend.put("sized", data)
        assert backend.get("sized", size) == data

    def test_what_is_put_takes_the_place_of_what_was_there(self, backend: Backend) -> None:
        for data in (b"a long one that comes first", b"short", b""):
            backend.put("x", data)
            assert backend.get("x", MOST) == data

    def test_no_more_than_that(self, backend: Backend) -> None:
        backend.put("x", b"12345")
        assert backend.get("x", 5) == b"12345"
        with pytest.raises(RemoteError) as caught:
            backend.get("x", 4)
        assert not caught.value.again

    @pytest.mark.parametrize("name", ["a", "A-b_c.d+e@f/0123", "x" * 200, "/".join("abcdefgh"), "_", "a.b/c@d.json"])
    def test_names(self, backend: Backend, name: str) -> None:
        backend.put(name, name.encode())
        assert backend.get(name, MOST) == name.encode()
        assert list(backend.names("")) == [name]
        backend.remove(name)
        assert not backend.has(name)

    @pytest.mark.parametrize("name", BAD, ids=range(len(BAD)))
    def test_names_that_none_may_have(self, backend: Backend, name: str) -> None:
        for ask in (
            lambda: backend.get(name, MOST), lambda: backend.has(name), lambda: backend.put(name, b"x"),
            lambda: backend.remove(name),
        ):  # fmt: skip
            with pytest.raises(BadNameError):
                ask()

    def test_listing(self, backend: Backend) -> None:
        names = {"a/1", "a/12", "a/2", "ab", "b/c/d", "b/c@d"}
        for name in names:
            backend.put(name, b"x")
        for prefix in ("", "a", "a/", "a/1", "a/3", "ab", "b/", "b/c", "b/c/", "c", "c/d/"):
            assert sorted(backend.names(prefix)) == sorted(name for name in names if name.startswith(prefix)), prefix
        for prefix in ("/", "..", "a/../b", "é"):
            with pytest.raises(BadNameError):
                list(backend.names(prefix))

    def test_many_names(self, backend: Backend) -> None:
        names = [f"many/{number:05}" for number in range(self.many)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: backend.put(name, b""), names))
        assert sorted(backend.names("many/")) == names
        assert next(backend.names("many/")) in names

    def test_removing(self, backend: Backend) -> None:
        backend.put("a/b", b"x")
        backend.remove("a/b")
        backend.remove("a/b")
        assert backend.get("a/b", MOST) is None
        assert list(backend.names("")) == []

    def test_nobody_sees_half(self, backend: Backend) -> None:
        """Readers beside a writer see the one or the other."""
        whole = (b"a" * 300_000, b"b" * 200_000)
        backend.put("x", whole[0])

        def read(_: int) -> bytes | None:
            return backend.get("x", MOST)

        with ThreadPoolExecutor(6) as pool:
            seen = [pool.submit(read, number) for number in range(40)]
            for number in range(20):
                backend.put("x", whole[number % 2])
            assert {future.result() for future in seen} <= set(whole)

    def test_from_many_threads(self, backend: Backend) -> None:
        def there_and_back(number: int) -> bool:
            name, data = f"t/{number}", str(number).encode() * 1000
            backend.put(name, data)
            return backend.has(name) and backend.get(name, MOST) == data

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(there_and_back, range(40)))

    def test_its_address_can_be_shown(self, backend: Backend) -> None:
        assert backend.url
        assert backend.url.isprintable()
        assert backend.lists
        assert backend.writes
        backend.close()
