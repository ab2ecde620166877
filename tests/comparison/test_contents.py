"""Files are compared by what their name says they are; the first difference is named as a person would look for it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pylightnix.comparison import jsons, tables, texts
from pylightnix.comparison.contents import compare_contents
from pylightnix.comparison.differences import Difference, Tolerance, Verdict


class Pair:
    """Two files of one name, that which was recorded and that which is there now."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for side in ("recorded", "now"):
            (directory / side).mkdir()

    def paths(self, name: str) -> tuple[Path, Path]:
        return self.directory / "recorded" / name, self.directory / "now" / name

    def found(self, name: str, *data: bytes, rtol: float = 0.0, atol: float = 0.0) -> Difference | None:
        recorded, now = self.paths(name)
        for path, one in zip((recorded, now), data, strict=False):
            path.write_bytes(one)
        return compare_contents(name, str(recorded), str(now), Tolerance(rtol, atol))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def told(difference: Difference | None) -> tuple[str, str, str, str]:
    assert difference is not None
    return difference.verdict.value, difference.at, difference.recorded, difference.now


@pytest.mark.parametrize("name", ["a", "a.csv", "a.json", "a.txt", "a.npz"])
def test_equal_files(pair: Pair, name: str) -> None:
    assert pair.found(name, b"1,2\n", b"1,2\n") is None


def test_text_is_told_by_line(pair: Pair) -> None:
    difference = pair.found("a.txt", b"one\ntwo\nthree\n", b"one\ntwice\nthree\n")
    assert told(difference) == ("different", "line 2", "two", "twice")
    assert difference is not None
    assert difference.place == "a.txt"
    assert told(pair.found("a", b"one\n", b"one\ntwo\n")) == ("different", "line 2", "nothing more", "two")
    assert told(pair.found("a", b"one", b"")) == ("different", "line 1", "one", "nothing more")
    assert told(pair.found("a", "ä\nü\n".encode(), "ä\nö\n".encode())) == ("different", "line 2", "ü", "ö")


def test_a_long_line_is_shown_from_shortly_before_the_difference(pair: Pair) -> None:
    long = "é" * 100_000
    difference = pair.found("a", f"{long}x and so on".encode(), f"{long}y and so on".encode())
    assert difference is not None
    assert difference.at == "line 1"
    assert difference.recorded.startswith("…é")
    assert "x and so on" in difference.recorded
    assert "y and so on" in difference.now


def test_other_bytes_are_told_by_their_place(pair: Pair) -> None:
    assert told(pair.found("a", b"ab\0\xff\x01", b"ab\0\xfe\x01")) == ("different", "byte 3", "ff 01", "fe 01")
    assert told(pair.found("a", b"\0", b"\0\0")) == ("different", "byte 1", "nothing more", "00")


def test_a_difference_beyond_the_first_portion(pair: Pair) -> None:
    begin = b"x\n" * texts._CHUNK
    assert told(pair.found("a", begin + b"1\n", begin + b"2\n")) == ("different", "line 1,048,577", "1", "2")
    zeros = bytes(3 * texts._CHUNK)
    assert told(pair.found("a", zeros + b"\1", zeros + b"\2"))[1] == "byte 3,145,728"


def test_large_files_take_little_memory(pair: Pair) -> None:
    recorded, now = pair.paths("a.bin")
    for path, last in ((recorded, b"\1"), (now, b"\2")):
        with path.open("wb") as stream:
            stream.truncate(200 << 20)
            stream.seek(0, 2)
            stream.write(last)
    tracemalloc.start()
    try:
        assert told(compare_contents("a.bin", str(recorded), str(now), Tolerance()))[1] == f"byte {200 << 20:,}"
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_json(pair: Pair) -> None:
    one, other = json.dumps({"a": [1.0, 2.0]}).encode(), json.dumps({"a": [1.0, 2.001]}).encode()
    assert told(pair.found("a.json", one, other)) == ("different", ".a[1]", "2.0", "2.001")
    assert told(pair.found("a.json", one, other, rtol=0.01)) == ("close", ".a[1]", "2.0", "2.001")


def test_json_that_is_written_differently(pair: Pair) -> None:
    one, other = b'{"a": 1}', b'{ "a": 1 }'
    assert told(pair.found("a.json", one, other)) == ("different", "line 1", '{"a": 1}', '{ "a": 1 }')
    close = pair.found("a.json", one, other, rtol=1e-9)
    assert close is not None
    assert (close.verdict, close.what) == (Verdict.CLOSE, "the bytes differ, what they hold does not")


@pytest.mark.parametrize("broken", [b"{", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_compared_as_bytes(pair: Pair, broken: bytes) -> None:
    assert told(pair.found("a.json", broken + b"1", broken + b"2", rtol=1))[0] == "different"


def test_json_that_is_too_large_is_compared_as_bytes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsons, "LARGEST", 5)
    assert told(pair.found("a.json", b"[1.001]", b"[1.002]", rtol=1))[0] == "different"


def test_json_lines(pair: Pair) -> None:
    one, other = b'{"a": 1}\n{"a": 2}\n', b'{"a": 1}\n{"a": 3}\n'
    assert told(pair.found("a.jsonl", one, other)) == ("different", "line 2 .a", "2", "3")
    assert told(pair.found("a.ndjson", one, other, atol=1))[0] == "close"
    assert told(pair.found("a.jsonl", one, one + b"1\n", atol=1))[:2] == ("different", "line 3")


TABLE = b"name,score\nx,1.0\ny,2.0\n"


def test_tables(pair: Pair) -> None:
    other = TABLE.replace(b"2.0", b"2.001")
    assert told(pair.found("a.csv", TABLE, other)) == ("different", "row 3, column 2 (score)", "2.0", "2.001")
    assert told(pair.found("a.csv", TABLE, other, rtol=0.01))[0] == "close"
    assert told(pair.found("a.csv", TABLE, TABLE.replace(b"y", b"z"), rtol=1)) == (
        "different", "row 3, column 1 (name)", "'y'", "'z'",
    )  # fmt: skip
    assert told(pair.found("a.csv", TABLE, TABLE + b"z,3\n", rtol=1)) == ("different", "row 4", "nothing more", "z, 3")
    assert told(pair.found("a.csv", TABLE, TABLE.replace(b"2.0", b"2.0,5"), rtol=1))[:2] == ("different", "row 3")
    assert told(pair.found("a.csv", TABLE, TABLE.replace(b"2.0", b"2.00"), rtol=1))[0] == "close"
    assert told(pair.found("a.csv", TABLE, TABLE.replace(b"2.0", b"2.00")))[0] == "different"


@pytest.mark.parametrize(("name", "mark"), [("a.tsv", b"\t"), ("a.csv", b";"), ("a.csv", b"|")])
def test_tables_with_other_delimiters(pair: Pair, name: str, mark: bytes) -> None:
    one = TABLE.replace(b",", mark)
    assert told(pair.found(name, one, one.replace(b"2.0", b"2.001"), rtol=0.01))[1] == "row 3, column 2 (score)"


def test_tables_with_nan_and_quoted_cells(pair: Pair) -> None:
    one, other = b'"a\nb",1.0,nan\n', b'"a\nb",1.001,NaN\n'
    assert told(pair.found("a.csv", one, other, rtol=0.01)) == ("close", "row 1, column 2", "1.0", "1.001")
    assert told(pair.found("a.csv", b"1,nan\n", b"1,2\n", rtol=0.01))[0] == "different"


def test_what_is_no_table_is_compared_as_bytes(pair: Pair) -> None:
    assert told(pair.found("a.csv", b"1.0,\xff", b"1.0,\xfe", rtol=1))[1] == "byte 4"
    wide = b"x" * 200_000
    assert told(pair.found("a.csv", wide + b",1", wide + b",2", rtol=1, atol=1))[0] == "different"


def test_long_tables_take_little_memory(pair: Pair) -> None:
    rows = b"".join(b"%d,%d\n" % (i, i) for i in range(300_000))
    recorded, now = pair.paths("a.csv")
    recorded.write_bytes(rows)
    now.write_bytes(rows + b"1,2\n")
    del rows
    tracemalloc.start()
    try:
        compare_contents("a.csv", str(recorded), str(now), Tolerance(1))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


class TestArrays:
    """NumPy's files."""

    @pytest.fixture
    def np(self) -> Any:
        return pytest.importorskip("numpy", reason="arrays are compared by NumPy")

    def found(self, pair: Pair, np: Any, one: Any, other: Any, *, name: str = "a.npy", **tolerance: float) -> Any:
        for path, array in zip(pair.paths(name), (one, other), strict=True):
            if name.endswith(".npz"):
                np.savez(path, **array)
            else:
                np.save(path, array)
        return pair.found(name, **tolerance)

    def test_numbers(self, pair: Pair, np: Any) -> None:
        one = np.zeros((3, 4))
        other = one.copy()
        other[1, 2], other[2, 0] = 0.5, -0.25
        difference = self.found(pair, np, one, other)
        assert told(difference) == ("different", "[1, 2]", "0.0", "0.5")
        assert (difference.differing, difference.deviation) == (2, 0.5)
        close = self.found(pair, np, one, other, atol=0.5)
        assert told(close) == ("close", "[1, 2]", "0.0", "0.5")
        far = self.found(pair, np, one, other, atol=0.3)
        assert told(far) == ("different", "[1, 2]", "0.0", "0.5")

    def test_the_first_that_is_too_far_is_shown(self, pair: Pair, np: Any) -> None:
        one, other = np.array([1.0, 1.0]), np.array([1.25, 3.0])
        assert told(self.found(pair, np, one, other, atol=0.5)) == ("different", "[1]", "1.0", "3.0")

    @pytest.mark.parametrize("tolerance", [0.0, 1e-3, 0.6])
    @pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g", "c8", "c16", "i1", "u1", "i8", "u8"])
    def test_the_rule_is_that_of_numpy(self, pair: Pair, np: Any, kind: str, tolerance: float) -> None:
        random = np.random.default_rng(1)
        special = [0, 1, np.inf, -np.inf, np.nan] if np.dtype(kind).kind in "fc" else [0, 1, 2, 100, 127]
        one = np.array([a for a in special for _ in special] + list(random.integers(0, 100, 50))).astype(kind)
        other = np.array(special * len(special) + list(random.integers(0, 100, 50))).astype(kind)
        with np.errstate(all="ignore"):
            wide = np.complex128 if np.dtype(kind).kind == "c" else np.float64
            close = np.isclose(other.astype(wide), one.astype(wide), tolerance, tolerance, equal_nan=True)
            same = (one == other) | ((one != one) & (other != other))
        difference = self.found(pair, np, one, other, rtol=tolerance, atol=tolerance)
        assert difference.differing == int((~same).sum())
        ok = close if tolerance else same
        assert difference.at == f"[{int(np.argmin(ok))}]"

    def test_integers_beyond_floats(self, pair: Pair, np: Any) -> None:
        one, other = np.array([2**60]), np.array([2**60 + 1])
        assert told(self.found(pair, np, one, other))[0] == "different"
        if np.finfo(np.longdouble).nmant < 63:
            pytest.skip("this machine has no wider numbers than float64")
        assert told(self.found(pair, np, one, other, atol=0.5))[0] == "different"
        assert told(self.found(pair, np, one, other, atol=1))[0] == "close"

    def test_nan_is_nan(self, pair: Pair, np: Any) -> None:
        one, other = np.array([np.nan, 1.0]), np.array([np.nan, 1.5])
        assert told(self.found(pair, np, one, other))[1] == "[1]"
        assert told(self.found(pair, np, np.array([np.nan]), np.array([1.0]), atol=9)) == (
            "different", "[0]", "nan", "1.0",
        )  # fmt: skip

    def test_dtype_shape_and_order(self, pair: Pair, np: Any) -> None:
        one = np.zeros((2, 3))
        assert told(self.found(pair, np, one, one.astype("f4"), atol=9)) == ("different", "", "float64", "float32")
        assert told(self.found(pair, np, one, one.T.copy(), atol=9)) == ("different", "", "(2, 3)", "(3, 2)")
        assert told(self.found(pair, np, one, np.asfortranarray(one), atol=9))[3] == "columns first"

    def test_columns_first(self, pair: Pair, np: Any) -> None:
        one = np.asfortranarray(np.zeros((2, 3)))
        other = one.copy(order="F")
        other[1, 2] = 1
        assert told(self.found(pair, np, one, other))[1] == "[1, 2]"

    def test_truth_values_texts_and_records_have_no_tolerance(self, pair: Pair, np: Any) -> None:
        for one, other in (
            (np.array([True, False]), np.array([True, True])),
            (np.array(["a", "b"]), np.array(["a", "c"])),
            (np.array([(1, 2.0), (1, 2.0)], "i4,f8"), np.array([(1, 2.0), (1, 2.5)], "i4,f8")),
            (np.array(["2000", "2001"], "M8[Y]"), np.array(["2000", "2002"], "M8[Y]")),
        ):
            assert told(self.found(pair, np, one, other, atol=9))[:2] == ("different", "[1]")

    def test_scalars_and_empty_arrays(self, pair: Pair, np: Any) -> None:
        assert told(self.found(pair, np, np.array(1.0), np.array(2.0))) == ("different", "", "1.0", "2.0")
        assert self.found(pair, np, np.zeros((0, 3)), np.zeros((0, 3))) is None
        assert told(self.found(pair, np, np.zeros((0, 3)), np.zeros((0, 4))))[2] == "(0, 3)"

    def test_more_than_one_portion(self, pair: Pair, np: Any) -> None:
        one = np.zeros(3_000_000)
        other = one.copy()
        other[[1, 2_999_999]] = 1e-3, 2
        difference = self.found(pair, np, one, other, atol=1e-2)
        assert told(difference)[:2] == ("different", "[2999999]")
        assert (difference.differing, difference.deviation) == (2, 2.0)

    @pytest.mark.parametrize("compressed", [False, True])
    def test_archives(self, pair: Pair, np: Any, compressed: bool) -> None:
        recorded, now = pair.paths("a.npz")
        save = np.savez_compressed if compressed else np.savez
        x = np.arange(1_000_000) / 7
        save(recorded, x=x, y=x)
        save(now, x=x, y=x + 1e-9)
        difference = pair.found("a.npz", atol=1e-6)
        assert told(difference)[:2] == ("close", "y[0]")
        save(now, x=x, z=x)
        difference = pair.found("a.npz", atol=1e-6)
        assert told(difference) == ("different", "y", "an array", "nothing")
        assert difference is not None
        assert difference.differing == 2

    def test_python_objects_are_never_unpickled(self, pair: Pair, np: Any, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> Any:
                return (Path.touch, (tmp_path / "loaded",))

        difference = self.found(pair, np, np.array([Evil()], object), np.array([1], object), atol=9)
        assert told(difference)[0] == "different"
        assert not (tmp_path / "loaded").exists()
        pickle.loads(pickle.dumps(Evil()))
        assert (tmp_path / "loaded").exists(), "it would have been"

    def test_broken_files_are_compared_as_bytes(self, pair: Pair, np: Any) -> None:
        self.found(pair, np, np.zeros(9), np.ones(9))
        recorded, now = (path.read_bytes() for path in pair.paths("a.npy"))
        assert told(pair.found("a.npy", recorded, now[:-4], atol=9))[1].startswith("byte")
        assert told(pair.found("a.npz", recorded, now, atol=9))[1].startswith("byte")

    def test_without_numpy_they_are_compared_as_bytes(self, pair: Pair, np: Any) -> None:
        self.found(pair, np, np.zeros(9), np.ones(9))
        script = (
            "import sys; sys.modules['numpy'] = None\n"
            "from pylightnix.comparison.contents import compare_contents\n"
            "from pylightnix.comparison.differences import Tolerance\n"
            "print(compare_contents('a.npy', *sys.argv[1:], Tolerance(0, 9)).at)"
        )
        paths = map(str, pair.paths("a.npy"))
        done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("byte ")


def test_numpy_is_not_imported_where_nothing_needs_it() -> None:
    script = "import sys, pylightnix.session.check, pylightnix.cli.checking; print('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_the_delimiter_is_what_the_first_line_has_most_of() -> None:
    assert set(tables._DELIMITERS) == {",", ";", "\t", "|"}
