"""Canonical JSON and hashes: the golden vectors, under every Python that is found and several hash seeds."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import random
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.hashing import (
    Template,
    canonical,
    content_hasher,
    digest_bytes,
    digest_document,
    kind_tag,
)

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src"
GOLDEN = json.loads((HERE / "golden" / "vectors.json").read_text())
PURE = HERE / "golden" / "pure"
"""Where a BLAKE3 in plain Python is, for interpreters without the library: all else there is the package's own code."""


# The golden vectors.


@cache
def interpreters() -> dict[str, str]:
    """Every Python from 3.11 on, on the path and of pyenv: executable by real path, each once."""
    names = [f"python3.{minor}" for minor in range(11, 30)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    tried = [sys.executable, *filter(None, map(shutil.which, ["python3", "python", *names]))]
    tried += [str(path) for name in names for path in sorted(pyenv.glob(f"*/bin/{name}"))]
    tried += [str(path / name) for name in names for path in map(Path, os.get_exec_path())]
    found: dict[str, str] = {}
    ask = "import os, sys; print(os.path.realpath(sys.executable), *sys.version_info[:3])"
    for path in dict.fromkeys(path for path in tried if os.access(path, os.X_OK)):
        told = subprocess.run([path, "-I", "-c", ask], capture_output=True, text=True, timeout=60, check=False)
        if told.returncode == 0:
            real, *version = told.stdout.split()
            if tuple(map(int, version)) >= (3, 11):
                found.setdefault(real, path)
    return found


def compute(python: str, seed: str) -> tuple[dict[str, Any], str]:
    """The vectors as this interpreter computes them, and which BLAKE3 it had."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    has_library = subprocess.run([python, "-c", "import blake3"], env=environment, capture_output=True, check=False)
    if has_library.returncode != 0:
        environment["PYTHONPATH"] = str(PURE)
    command = [python, str(HERE / "golden" / "vectors.py"), str(SOURCE)]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout), "library" if has_library.returncode == 0 else "plain Python"


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_golden_vectors(seed: str) -> None:
    vectors, which = compute(sys.executable, seed)
    assert which == "library"
    assert vectors == GOLDEN


@pytest.mark.parametrize("python", sorted(interpreters()), ids=lambda path: Path(path).name)
def test_golden_vectors_under_every_python(python: str, record_property: Any) -> None:
    for seed in ("0", "4711"):
        vectors, which = compute(interpreters()[python], seed)
        record_property("blake3", which)
        assert vectors == GOLDEN, which


def test_the_vectors_are_hashes_of_the_texts_beside_them() -> None:
    texts = {label: text for label, text in GOLDEN.items() if label.startswith("text of ")}
    assert len(texts) >= 10
    for label, text in texts.items():
        assert blake3.blake3(text.encode()).hexdigest() == GOLDEN[label.replace("text", "hash", 1)]
        canonical_again = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert canonical_again == text


def test_no_two_vectors_agree_by_accident() -> None:
    names = [label for label in GOLDEN if not label.startswith("text of ") and label != "context"]
    assert len({GOLDEN[label] for label in names}) == len(names)
    assert GOLDEN["context"] == GOLDEN["hash of context"]


def test_blake3_in_plain_python_agrees_with_the_library() -> None:
    spec = importlib.util.spec_from_file_location("plain_blake3", PURE / "blake3.py")
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    generator = random.Random(0)
    for length in [0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 2049, 3073, 4097, 7169, 8193]:
        data = generator.randbytes(length)
        assert plain.blake3(data).hexdigest() == blake3.blake3(data).hexdigest(), length


# Canonical JSON.


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"b": 1, "a": [True, None, 1.0]}, '{"a":[true,null,1.0],"b":1}'),
        ({"é": "日本\u2028", "Z": "\x00\x7f/"}, '{"Z":"\\u0000\x7f/","é":"日本\u2028"}'),
        ([1, 1.0, -0.0, 1e16, 0.1], "[1,1.0,-0.0,1e+16,0.1]"),
        ({}, "{}"),
        ("x", '"x"'),
    ],
)
def test_canonical_json_is_written_down(document: object, text: str) -> None:
    assert canonical(document) == text.encode()


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_canonical_json_has_no_nan(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical([number])


@pytest.mark.parametrize("thing", [{1}, b"x", object(), 1j])
def test_canonical_json_takes_json_alone(thing: object) -> None:
    with pytest.raises(TypeError):
        canonical([thing])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_canonical_json_is_json_and_a_fixed_point(document: object) -> None:
    data = canonical(document)
    assert canonical(json.loads(data)) == data
    assert json.loads(data) == document


@given(st.dictionaries(st.text(), st.integers()), st.data())
def test_the_order_of_keys_never_matters(document: dict[str, object], data: st.DataObject) -> None:
    items = data.draw(st.permutations(list(document.items())))
    assert canonical(dict(items)) == canonical(document)


# Templates.


FIELDS = st.dictionaries(st.sampled_from(["code", "name", "qq", "zz", "a", "é"]), st.integers() | st.text())


@given(FIELDS, JSON, st.sampled_from(["params", "a0", "zzz"]))
def test_a_filled_template_is_the_canonical_document(fields: dict[str, Any], value: object, varying: str) -> None:
    template = Template(fields, varying)
    text = canonical(value).decode()
    for kind in ("derivation", "key", "derivation"):
        whole = canonical({**fields, varying: value, "pylightnix": kind_tag(kind)})
        assert template.fill(kind, text) == whole
        assert digest_bytes(whole) == digest_document(kind, {**fields, varying: value})


# Hashes.


def test_a_document_is_tagged_with_its_kind_and_the_version() -> None:
    assert kind_tag("derivation") == "derivation/1"
    documents: list[dict[str, Any]] = [{}, {"x": 1}, {"x": 1.0}]
    digests = {digest_document(kind, fields) for kind, fields in itertools.product("ab", documents)}
    assert len(digests) == 6
    assert digest_document("a", {"x": 1}) == digest_bytes(b'{"pylightnix":"a/1","x":1}')


@given(st.lists(st.binary(max_size=2000), max_size=5), st.booleans())
def test_content_is_hashed_the_same_in_any_pieces(pieces: list[bytes], threads: bool) -> None:
    hasher = content_hasher(threads=threads)
    for piece in pieces:
        hasher.update(piece)
    assert hasher.hexdigest() == digest_bytes(b"".join(pieces))


def test_a_hash_has_64_digits() -> None:
    assert digest_bytes(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@pytest.mark.skipif(shutil.which("b3sum") is None, reason="b3sum is not installed")
def test_b3sum_agrees(tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(canonical({"a": 1}))
    told = subprocess.run(["b3sum", "--no-names", file], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == digest_bytes(file.read_bytes())
