"""Content is cut, and comes out again, whatever its sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.errors import DamageError
from pylightnix.remotes import pieces
from pylightnix.remotes.compression import compress, decompress
from pylightnix.remotes.pieces import Blob, Cutter, Taker, parse_blobs


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 17))
def test_what_is_cut_comes_out_again(files: list[bytes], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", size)
        cutter = Cutter(lambda data: data)
        for file in files:
            cutter.add(file)
        cut = cutter.finish()
    assert all(len(piece) == size for piece in cut[:-1])
    assert b"".join(cut) == b"".join(files)
    taker = Taker(cut)
    assert [b"".join(taker.take(len(file))) for file in files] == files
    taker.end()


def test_too_little_and_too_much() -> None:
    taker = Taker([b"abc"])
    with pytest.raises(DamageError, match="less content"):
        list(taker.take(4))
    taker = Taker([b"abc"])
    list(taker.take(2))
    with pytest.raises(DamageError, match="more content"):
        taker.end()


@given(st.binary(max_size=5000) | st.binary(max_size=50).map(lambda data: data * 100))
def test_compressed_and_back(data: bytes) -> None:
    frame = compress(data)
    if frame is not None:
        assert len(frame) < len(data)
        assert decompress(frame, len(data)) == data
        for wrong in (len(data) - 1, len(data) + 1, 0):
            with pytest.raises(DamageError):
                decompress(frame, wrong)
        with pytest.raises(DamageError):
            decompress(frame + b"x", len(data))
        with pytest.raises(DamageError):
            decompress(frame[:-1], len(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_frame(data: bytes) -> None:
    with pytest.raises(DamageError):
        decompress(data, 1 << 20)


def test_a_bomb_takes_no_more_than_was_said() -> None:
    frame = compress(bytes(1 << 26))
    assert frame is not None
    with pytest.raises(DamageError):
        decompress(frame, 100)


@pytest.mark.parametrize(
    "row",
    [
        None, [], {}, "x", ["0" * 64], ["0" * 64, "1"], ["0" * 64, True], ["0" * 64, 1.0], ["0" * 64, -1],
        ["0" * 64, 1 << 40], ["0" * 63, 1], ["0" * 64 + ".gz", 1], ["0" * 64 + "\n", 1], ["A" * 64, 1], [1, 1],
        ["../" + "0" * 61, 1],
    ],
    ids=range(16),
)  # fmt: skip
def test_rows_that_are_no_blob(row: object) -> None:
    with pytest.raises(DamageError):
        Blob.parse(row)
    with pytest.raises(DamageError):
        parse_blobs([row])


def test_a_row() -> None:
    for blob in (Blob("0" * 64, False, 0), Blob("f" * 64, True, 5)):
        assert Blob.parse(blob.row()) == blob
        assert blob.name.startswith(f"blobs/{blob.digest[:2]}/{blob.digest}")
