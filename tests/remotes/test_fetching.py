"""Pieces are kept as they come, in any order, and few are under way where each takes long."""

from __future__ import annotations

import threading
import time
from concurrent import futures
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pylightnix.errors import RemoteError
from pylightnix.hashing import digest_bytes
from pylightnix.remotes import fetching
from pylightnix.remotes.directory import Directory
from pylightnix.remotes.fetching import WORKERS, Fetcher
from pylightnix.remotes.pieces import Blob


class Line(Directory):
    """A directory of which each answer takes a while, and that notes how many are under way at once."""

    def __init__(self, path: Path, seconds: float, fails: str = "") -> None:
        super().__init__(str(path))
        self.seconds, self.fails = seconds, fails
        self.under_way = self.most = 0
        self._mutex = threading.Lock()

    def get(self, name: str, most: int) -> bytes | None:
        with self._mutex:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        time.sleep(self.seconds)
        with self._mutex:
            self.under_way -= 1
        if name == self.fails:
            raise RemoteError("the connection was lost", where=self.url)
        return super().get(name, most)


def blobs_in(place: Path, count: int) -> list[Blob]:
    made = []
    for number in range(count):
        data = b"%d" % number
        made.append(Blob(digest_bytes(data), False, len(data)))
        (place / made[-1].name).parent.mkdir(parents=True, exist_ok=True)
        (place / made[-1].name).write_bytes(data)
    return made


@pytest.mark.parametrize(("slow", "most"), [(0.001, 2), (60.0, WORKERS)], ids=["slow", "fast"])
def test_as_many_at_once_as_the_line_bears(
    tmp_path: Path, slow: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SLOW", slow)
    line, blobs, kept = Line(tmp_path, 0.03), blobs_in(tmp_path, 40), dict[int, bytes]()
    with closing(Fetcher(line)) as fetcher:
        came = list(fetcher.stream(blobs, kept.__setitem__))
        assert came == list(map(kept.get, range(40)))
        assert kept == {number: b"%d" % number for number in range(40)}
        assert line.most == most
        line.most = 0
        list(fetcher.stream(blobs[:20]))
        assert line.most == (1 if most == 2 else most), "what was learnt stays"


def test_what_has_come_when_another_one_fails_is_kept(tmp_path: Path) -> None:
    blobs, kept = blobs_in(tmp_path, 2), dict[int, bytes]()
    with closing(Fetcher(Line(tmp_path, 0.05, fails=blobs[0].name))) as fetcher:

        def late(*about: Any, **more: Any) -> Any:
            time.sleep(0.2)  # both are done
            return futures.wait(*about, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fetching, "wait", late)
            with pytest.raises(RemoteError, match="lost"):
                list(fetcher.stream(blobs, kept.__setitem__))
    assert kept == {1: b"1"}
