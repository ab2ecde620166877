"""Asked again where that may help, and not where it may not."""

from __future__ import annotations

import pytest

from pylightnix.errors import RemoteError
from pylightnix.remotes.retrying import ATTEMPTS, LONGEST, Retrying
from pylightnix.testing.faulty import Faulty
from pylightnix.testing.memory_remote import MemoryBackend


class Slow(MemoryBackend):
    def get(self, name: str, most: int) -> bytes | None:
        raise RemoteError("busy", again=True, wait=1e9)


def test_what_passes_is_tried_again() -> None:
    waits: list[float] = []
    faulty = Faulty(MemoryBackend(), "later", 0, ATTEMPTS - 1)
    Retrying(faulty, sleep=waits.append).put("x", b"1")
    assert waits == [0.01] * (ATTEMPTS - 1), "as long as the server asks for"
    assert faulty.get("x", 1) == b"1"


def test_waits_grow() -> None:
    waits: list[float] = []
    faulty = Faulty(MemoryBackend(), "broken off", 0, ATTEMPTS)
    with pytest.raises(RemoteError, match="lost"):
        Retrying(faulty, sleep=waits.append).has("x")
    assert faulty.calls == ATTEMPTS
    assert waits == sorted(waits)
    assert len(waits) == ATTEMPTS - 1


def test_nobody_waits_for_ever() -> None:
    waits: list[float] = []
    with pytest.raises(RemoteError, match="busy"):
        Retrying(Slow(), sleep=waits.append).get("x", 1)
    assert set(waits) == {LONGEST}


def test_what_does_not_pass_is_told_at_once() -> None:
    faulty = Faulty(MemoryBackend(), "refused", 0)
    with pytest.raises(RemoteError, match="refused"):
        Retrying(faulty).get("x", 1)
    assert faulty.calls == 1


def test_an_answer_that_was_lost_does_no_harm() -> None:
    inside = MemoryBackend()
    faulty = Faulty(inside, "lost answer", 0)
    Retrying(faulty, sleep=lambda _: None).put("x", b"1")
    assert inside.content == {"x": b"1"}
    assert faulty.calls == 2
