"""Manifests read back: every line checked, every damage seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from blake3 import blake3

from pylightnix.errors import DamageError
from pylightnix.store.manifests import entries_from, read_manifest
from pylightnix.store.trees import hash_tree
from tests.store.samples import SAMPLE, manifest_of


def test_a_manifest_is_read_back_from_bytes_and_file(sample: Path, tmp_path: Path) -> None:
    with open(tmp_path / "manifest.jsonl", "wb") as sink:
        tree = hash_tree(sample, (), sink)
    manifest = (tmp_path / "manifest.jsonl").read_bytes()
    entries = list(read_manifest(manifest, tree.digest))
    assert entries == list(read_manifest(tmp_path / "manifest.jsonl", tree.digest))
    assert b"".join(entry.line() for entry in entries) == manifest.partition(b"\n")[2]
    by_name = {entry.name: entry for entry in entries}
    assert by_name.keys() == SAMPLE.keys()
    assert (by_name[b"run.sh"].executable, by_name[b"run.sh"].size) == (True, 10)
    assert by_name[b"gone"].target == b"/nowhere/\xff"
    assert by_name[b"\xff\xfe"].path == "\udcff\udcfe"


def test_every_flipped_bit_and_every_truncation_of_a_manifest_is_damage(sample: Path) -> None:
    manifest = manifest_of(sample)
    digest = blake3(manifest).hexdigest()
    damaged = [manifest[:cut] for cut in range(len(manifest))]
    damaged += [
        manifest[:place] + bytes([manifest[place] ^ bit]) + manifest[place + 1 :]
        for place in range(len(manifest))
        for bit in (1, 4, 64, 128)
    ]
    for data in damaged:
        with pytest.raises(DamageError):
            list(read_manifest(data, digest))


HASH = "0" * 64
FILE = f'{{"hash":"{HASH}","kind":"file","path":"f","size":1}}'


@pytest.mark.parametrize(
    "lines",
    [
        ['{"kind":"directory","path":"../x"}'],
        ['{"kind":"directory","path":"/abs"}'],
        ['{"kind":"directory","path":""}'],
        ['{"kind":"directory","path":"."}'],
        ['{"kind":"directory","path":"a"}', '{"kind":"directory","path":"a/"}'],
        ['{"kind":"directory","path":"a"}', '{"kind":"directory","path":"a/.."}'],
        ['{"kind":"directory","path":"a"}', '{"kind":"directory","path":"a//b"}'],
        ['{"kind":"directory","path":"a\\u0000"}'],
        ['{"kind":"link","path":"a","target":"\\u0000"}'],
        ['{"kind":"directory","path":"a\\/b"}'],
        ['{"kind":"directory","path":"\\ud800"}'],
        ['{"kind":"directory","path_hex":"61"}'],
        ['{"kind":"directory","path_hex":"FF"}'],
        ['{"kind":"directory","path_hex":"f f"}'],
        ['{"kind":"directory","path":null,"path_hex":"ff"}'],
        ['{"kind":"directory","path":"a/b"}'],
        [FILE.replace('"f"', '"a"'), '{"kind":"directory","path":"a/b"}'],
        ['{"kind":"link","path":"a","target":"b"}', '{"kind":"directory","path":"a/b"}'],
        ['{"kind":"directory","path":"b"}', '{"kind":"directory","path":"a"}'],
        ['{"kind":"directory","path":"a"}', '{"kind":"directory","path":"a"}'],
        [
            '{"kind":"directory","path":"a"}',
            '{"kind":"directory","path":"b"}',
            FILE.replace('"f"', '"a/f"'),
        ],
        ['{"kind":"fifo","path":"a"}'],
        ['{"kind":["directory"],"path":"a"}'],
        ['{"kind":"directory","path":"a","x":1}'],
        ['{"kind":"directory","kind":"directory","path":"a"}'],
        ['{"kind": "directory","path":"a"}'],
        ['{"path":"a","kind":"directory"}'],
        ['{"kind":"directory"}'],
        ['{"kind":"link","path":"a"}'],
        [FILE.replace(":1}", ":1.0}")],
        [FILE.replace(":1}", ":-1}")],
        [FILE.replace(":1}", ":true}")],
        [FILE.replace(":1}", ":1e400}")],
        [FILE.replace(":1}", f":{'9' * 5000}}}")],
        [FILE.replace(":1}", f":{1 << 63}}}")],
        [FILE.replace(":1}", ':"1"}')],
        [FILE.replace(HASH, HASH[1:])],
        [FILE.replace(HASH, "A" * 64)],
        [FILE.replace(f'"{HASH}"', "null")],
        [FILE.replace("{", '{"executable":false,')],
        [FILE, ""],
        ["[" * 100_000],
        ["[]"],
        ['"kind"'],
        ["7"],
        ["{}"],
        [FILE + "\r"],
        ["\ufeff" + FILE],
    ],
)
def test_lines_that_no_tree_has_are_damage(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in ['{"pylightnix":"tree/1"}', *lines])
    with pytest.raises(DamageError) as caught:
        list(read_manifest(data.encode()))
    assert caught.value.where == f"manifest:{len(lines) + 1}"


@pytest.mark.parametrize("data", [b"", b"\n", b'{"pylightnix":"tree/2"}\n', b'{"pylightnix":"tree/1"}'])
def test_a_manifest_begins_with_its_kind(data: bytes) -> None:
    with pytest.raises(DamageError, match="not a manifest"):
        list(read_manifest(data))


def test_good_lines_are_good() -> None:
    lines = ['{"pylightnix":"tree/1"}', '{"kind":"directory","path":"a"}', FILE.replace('"f"', '"a/b"'), FILE]
    assert len(list(read_manifest("".join(f"{line}\n" for line in lines).encode()))) == 3


def test_a_manifest_from_a_line_on(sample: Path, tmp_path: Path) -> None:
    manifest = manifest_of(sample)
    (tmp_path / "manifest.jsonl").write_bytes(manifest)
    entries, line = list(read_manifest(manifest)), manifest.index(b"\n") + 1
    for number, entry in enumerate(entries):
        assert list(entries_from(tmp_path / "manifest.jsonl", line)) == entries[number:]
        line += len(entry.line())
    assert line == len(manifest)
    with pytest.raises(DamageError, match="not a line of a manifest"):
        list(entries_from(tmp_path / "manifest.jsonl", 1))
