"""BLAKE3 in plain Python, for interpreters that lack the library: slow, whole messages only, no keys.

Written from the specification. `tests/test_hashing.py` holds it against the library.
"""

from __future__ import annotations

_START = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_QUARTERS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_CHUNK, _BLOCK = 1024, 64
_MASK = 0xFFFFFFFF

Words = tuple[int, ...]


class blake3:  # noqa: N801, the name of the library
    """As much of the library's class as the package uses."""

    AUTO = -1

    def __init__(self, data: bytes = b"", *, max_threads: int = 1) -> None:
        self._data = bytearray(data)

    def update(self, data: bytes) -> blake3:
        self._data += data
        return self

    def hexdigest(self) -> str:
        words = _subtree(bytes(self._data), 0, _ROOT)
        return b"".join(word.to_bytes(4, "little") for word in words).hex()


def _subtree(data: bytes, first_chunk: int, flags: int) -> Words:
    """The eight words of the part of a message that begins at a chunk; `flags` are those of its last compression."""
    if len(data) <= _CHUNK:
        return _chunk(data, first_chunk, flags)
    left_chunks = 1 << ((len(data) - 1) // _CHUNK).bit_length() - 1  # the largest power of two that leaves something
    left = _subtree(data[: left_chunks * _CHUNK], first_chunk, 0)
    right = _subtree(data[left_chunks * _CHUNK :], first_chunk + left_chunks, 0)
    return _compress(_START, left + right, 0, _BLOCK, _PARENT | flags)


def _chunk(data: bytes, index: int, flags: int) -> Words:
    chain: Words = _START
    blocks = range(0, max(len(data), 1), _BLOCK)
    for at in blocks:
        block = data[at : at + _BLOCK]
        padded = block.ljust(_BLOCK, b"\0")
        words = tuple(int.from_bytes(padded[i : i + 4], "little") for i in range(0, _BLOCK, 4))
        first = _CHUNK_START if at == 0 else 0
        last = _CHUNK_END | flags if at == blocks[-1] else 0
        chain = _compress(chain, words, index, len(block), first | last)
    return chain


def _compress(chain: Words, message: Words, counter: int, length: int, flags: int) -> Words:
    state = [*chain, *_START[:4], counter & _MASK, counter >> 32 & _MASK, length, flags]
    for _ in range(7):
        for number, (a, b, c, d) in enumerate(_QUARTERS):
            _mix(state, a, b, c, d, message[2 * number], message[2 * number + 1])
        message = tuple(message[i] for i in _PERMUTATION)
    return tuple(state[i] ^ state[i + 8] for i in range(8))


def _mix(state: list[int], a: int, b: int, c: int, d: int, x: int, y: int) -> None:
    for word, far, near in ((x, 16, 12), (y, 8, 7)):
        state[a] = state[a] + state[b] + word & _MASK
        state[d] = _rotate(state[d] ^ state[a], far)
        state[c] = state[c] + state[d] & _MASK
        state[b] = _rotate(state[b] ^ state[c], near)


def _rotate(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) & _MASK
