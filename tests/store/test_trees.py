"""Tree hashes, manifests, sealing and removal, on real directories."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from pylightnix.errors import StoreError
from pylightnix.hashing import canonical
from pylightnix.store.filehash import hash_file
from pylightnix.store.manifests import read_manifest
from pylightnix.store.removal import remove_tree
from pylightnix.store.sealing import Walk, open_file, seal_top
from pylightnix.store.trees import Artifact, hash_tree, list_files
from tests.powers import as_ordinary_user, can_give_files
from tests.store.samples import SAMPLE, Model, make_tree, manifest_of, mode

KIB, MIB = 1 << 10, 1 << 20

# What the hash is


def test_golden_manifest_and_hashes(sample: Path) -> None:
    sink = io.BytesIO()
    tree = hash_tree(sample, ["plots", "model.bin", "link"], sink)
    assert sink.getvalue().decode() == (
        '{"pylightnix":"tree/1"}\n'
        '{"kind":"directory","path":"empty"}\n'
        '{"kind":"link","path":"gone","target_hex":"2f6e6f77686572652fff"}\n'
        '{"hash":"6699775666cc5768c85f63418472c290131d6cf86de1b2225977fbfbbf81ae40",'
        '"kind":"file","path":"grün","size":5}\n'
        '{"kind":"link","path":"link","target":"plots/roc.png"}\n'
        '{"hash":"3edc5c4a5df8c79ef4f8dbdc373cd21ca041ccf39fe5693250d004092094dc4a",'
        '"kind":"file","path":"model.bin","size":7}\n'
        '{"hash":"59451e88655d6b928200bc601bdbe9e175daeade4d41e58da1ea237ebfa646ce",'
        '"kind":"file","path":"odd \\"name\\"\\n","size":3}\n'
        '{"kind":"directory","path":"plots"}\n'
        '{"kind":"directory","path":"plots/deep"}\n'
        '{"hash":"81c4b7f7e0549f1514e9cae97cf40cf133920418d3dc71bedbf60ec9bd6148cb",'
        '"kind":"file","path":"plots/deep/a.txt","size":2}\n'
        '{"hash":"87da8eea1705a3b5da471f2e9ff924794004aef45804b611c8b0323c1049eae7",'
        '"kind":"file","path":"plots/roc.png","size":4}\n'
        '{"hash":"af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",'
        '"kind":"file","path":"plots.txt","size":0}\n'
        '{"executable":true,"hash":"bc1f407a11c9377c8b9b13f956b279c8462775105eb958fc9ae3c40de87cc96e",'
        '"kind":"file","path":"run.sh","size":10}\n'
        '{"hash":"1c62220430ecaa015836599cbe1174d5ac5b7d9fc6a0ca08d8680bf403421ef4",'
        '"kind":"file","path_hex":"fffe","size":9}\n'
    )
    assert tree.digest == "41142053749ec9d8218af7339467f0545fd53a01bc051e45d1e54b1d12d6dc6d"
    assert tree.artifacts == {
        "plots": Artifact("directory", "cb710b9800c4e97abf4ba61c3e495461c85f947bfe6dd21fa2c3b222738fe773"),
        "model.bin": Artifact("file", "af95f9065ae89d433ae740ef0bcf561494521e0f404785247e456b2887da290e"),
        "link": Artifact("link", "da7fb0526ea131919148cc8e245ae8748cf16e37c8ea494b40e527a535294226"),
    }


def test_golden_empty_tree(tmp_path: Path) -> None:
    tree = hash_tree(tmp_path)
    assert tree.digest == blake3(b'{"pylightnix":"tree/1"}\n').hexdigest()
    assert (tree.size, tree.files, tree.artifacts) == (0, 0, {})


def test_the_tree_hash_is_that_of_the_manifest_and_every_line_is_canonical(sample: Path) -> None:
    sink = io.BytesIO()
    tree = hash_tree(sample, (), sink)
    manifest = sink.getvalue()
    assert blake3(manifest).hexdigest() == tree.digest
    assert manifest.endswith(b"\n")
    for line in manifest.splitlines():
        assert canonical(json.loads(line)) == line
    files = [content for kind, *rest in SAMPLE.values() if kind == "file" for content in rest[:1]]
    assert (tree.files, tree.size) == (len(files), sum(len(c) for c in files if isinstance(c, bytes)))


def test_a_long_manifest_is_hashed_and_written_in_portions(tmp_path: Path) -> None:
    model: Model = {b"many/%05d" % i: ("link", b"x" * 100) for i in range(2000)}
    make_tree(tmp_path / "tree", {**model, b"zero": ("file", b"0", False)})
    sink = io.BytesIO()
    tree = hash_tree(tmp_path / "tree", ["many", "many/00007"], sink)
    assert len(sink.getvalue()) > 200_000
    assert blake3(sink.getvalue()).hexdigest() == tree.digest
    (tmp_path / "tree/zero").unlink()
    assert hash_tree(tmp_path / "tree").digest == tree.artifacts["many"].digest


@pytest.mark.parametrize("path", ["plots", "plots/deep", "plots/deep/a.txt", "run.sh", "link", "empty", "grün"])
def test_a_single_artifact_has_the_hash_of_a_tree_in_which_it_is_alone(sample: Path, tmp_path: Path, path: str) -> None:
    artifact = hash_tree(sample, [path, "plots.txt"]).artifacts[path]
    alone = tmp_path / "alone"
    alone.mkdir()
    (sample / path).rename(alone / Path(path).name)
    assert artifact.digest == hash_tree(alone).digest
    assert artifact.kind == SAMPLE[path.encode()][0]


def test_artifacts_in_artifacts(sample: Path) -> None:
    paths = ["plots/deep/a.txt", "plots", "plots/deep", "plots/roc.png", "plots.txt"]
    together = hash_tree(sample, paths).artifacts
    assert together == {path: hash_tree(sample, [path]).artifacts[path] for path in paths}
    assert len({artifact.digest for artifact in together.values()}) == len(paths)


@pytest.mark.parametrize("path", ["none", "plots/none", "model", "link/x", "plots/"])
def test_an_artifact_that_is_not_there(sample: Path, path: str) -> None:
    with pytest.raises(StoreError, match="no artifact") as caught:
        hash_tree(sample, [path])
    assert caught.value.fields["path"] == path


def test_what_is_behind_a_link_is_not_there(sample: Path) -> None:
    (sample / "way").symlink_to("plots")
    with pytest.raises(StoreError, match="through a link"):
        hash_tree(sample, ["way/roc.png"])


# Equal hashes, equal content

NAMES = st.sampled_from([b"a", b"a.b", b"a-", b"b", "é".encode(), b"\xff", b"ff", b'"', b"\n"])
LEAVES = st.one_of(
    st.just(("directory",)),
    st.tuples(st.just("file"), st.sampled_from([b"", b"x", b"y"]), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from([b"a", b"b", b"\xff", b"a/b"])),
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A tree: what is below a file or link is dropped, directories on the way are added."""
    drawn = draw(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), LEAVES, max_size=6))
    model: Model = {}
    for parts in sorted(drawn):
        above = [b"/".join(parts[:i]) for i in range(1, len(parts))]
        if all(model.get(path, ("directory",)) == ("directory",) for path in above):
            model.update(dict.fromkeys(above, ("directory",)))
            model[b"/".join(parts)] = drawn[parts]
    return model


@given(models(), models())
@settings(deadline=None, max_examples=150)
def test_two_trees_have_equal_hashes_iff_they_are_equal(one: Model, other: Model) -> None:
    with tempfile.TemporaryDirectory() as place:
        first, second = make_tree(Path(place, "1"), one), make_tree(Path(place, "2"), other)
        again = make_tree(Path(place, "3"), dict(reversed(one.items())))
        assert (hash_tree(first).digest == hash_tree(second).digest) == (one == other)
        assert hash_tree(first).digest == hash_tree(again).digest
        read = {
            entry.name: ("directory",)
            if entry.kind == "directory"
            else ("link", entry.target)
            if entry.kind == "link"
            else ("file", one[entry.name][1], entry.executable)
            for entry in read_manifest(manifest_of(first))
        }
        assert read == one
        assert list(read) == sorted(one, key=lambda path: path.split(b"/"))


def _swap(one: Path, other: Path) -> None:
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def _relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _replace(path: Path, make_it: Callable[[Path], object]) -> None:
    remove_tree(path)
    make_it(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "one flipped bit": lambda r: (r / "model.bin").write_bytes(b"weightr"),
    "truncated by one byte": lambda r: os.truncate(r / "model.bin", 6),
    "truncated to nothing": lambda r: os.truncate(r / "model.bin", 0),
    "a byte more": lambda r: (r / "model.bin").write_bytes(b"weights\0"),
    "a missing file": lambda r: (r / "plots/deep/a.txt").unlink(),
    "a missing empty file": lambda r: (r / "plots.txt").unlink(),
    "a missing empty directory": lambda r: (r / "empty").rmdir(),
    "a missing link": lambda r: (r / "gone").unlink(),
    "an extra file": lambda r: (r / "extra").touch(),
    "an extra hidden file": lambda r: (r / "plots/.x").touch(),
    "an extra directory": lambda r: (r / "empty/x").mkdir(),
    "a renamed file": lambda r: (r / "model.bin").rename(r / "model.bim"),
    "a renamed directory": lambda r: (r / "plots").rename(r / "plot"),
    "a file moved up": lambda r: (r / "plots/deep/a.txt").rename(r / "plots/a.txt"),
    "contents swapped": lambda r: _swap(r / "model.bin", r / "run.sh"),
    "an executable bit more": lambda r: (r / "model.bin").chmod(0o744),
    "an executable bit less": lambda r: (r / "run.sh").chmod(0o644),
    "another link target": lambda r: _relink(r / "link", "plots/roc.pnG"),
    "a file instead of a link": lambda r: _replace(r / "link", lambda p: p.write_bytes(b"plots/roc.png")),
    "a link instead of a file": lambda r: _replace(r / "plots.txt", lambda p: p.symlink_to("x")),
    "a directory instead of a file": lambda r: _replace(r / "plots.txt", Path.mkdir),
    "a link instead of a directory": lambda r: _replace(r / "empty", lambda p: p.symlink_to("plots")),
    "UTF-8 instead of bytes": lambda r: os.rename(os.fsencode(r) + b"/\xff\xfe", os.fsencode(r) + b"/fffe"),
}


def test_every_damage_gives_another_hash(tmp_path: Path) -> None:
    seen = {hash_tree(make_tree(tmp_path / "whole", SAMPLE)).digest: "whole"}
    for name, damage in DAMAGE.items():
        root = make_tree(tmp_path / name, SAMPLE)
        damage(root)
        digest = hash_tree(root).digest
        assert digest not in seen, (name, seen[digest])
        seen[digest] = name


def test_times_owners_and_rights_do_not_count(sample: Path) -> None:
    before = hash_tree(sample).digest
    for path in [sample, *sample.rglob("*")]:
        if not path.is_symlink():
            os.utime(path, (1, 1))
            path.chmod(path.stat().st_mode & 0o7500 | 0o222)
            if can_give_files():
                os.chown(path, 1234, 1234)
    assert hash_tree(sample).digest == before
    (sample / "run.sh").chmod(0o4511)
    assert hash_tree(sample).digest == before


# Content


@pytest.mark.parametrize(
    "size",
    [0, 1, 3000, *(edge + i for edge in (128 * KIB, MIB, 16 * MIB) for i in (-1, 0, 1)), 5 * MIB + 3, 41 * MIB + 7],
)
def test_content_of_any_size_is_hashed_and_a_lying_size_is_an_error(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "f").write_bytes(data)
    before = set(threading.enumerate())
    with open(tmp_path / "f", "rb") as file:
        assert hash_file(file.fileno(), size) == blake3(data).hexdigest()
        for lie in {size - 1, size + 1, size // 2, 2 * size + 1} - {size, -1}:
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            with pytest.raises(StoreError, match="changed while it was read"):
                hash_file(file.fileno(), lie)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("size", [1000, MIB, 64 * MIB])
def test_a_file_that_grows_without_end_is_left(size: int) -> None:
    with open("/dev/zero", "rb") as file, pytest.raises(StoreError, match="changed while it was read"):
        hash_file(file.fileno(), size)


@pytest.mark.parametrize("size", [1000, MIB, 64 * MIB])
def test_an_error_while_reading_is_told_and_leaves_no_thread(tmp_path: Path, size: int) -> None:
    before = set(threading.enumerate())
    fd = os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="Bad file descriptor"):
        hash_file(fd, size)
    os.close(fd)
    assert set(threading.enumerate()) <= before


MEMORY = """
import re, sys
from pathlib import Path
from pylightnix.store.trees import hash_tree
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
small, big = map(Path, sys.argv[1:])
hash_tree(small)
before = peak()
hash_tree(big)
print(peak() - before)
"""


def run_python(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_memory_does_not_grow_with_the_size_of_a_file(tmp_path: Path) -> None:
    for name, size in (("small", 1000), ("big", 512 * MIB)):
        (tmp_path / name).mkdir()
        with open(tmp_path / name / "f", "wb") as file:
            file.truncate(size)
    assert int(run_python(MEMORY, tmp_path / "small", tmp_path / "big")) < 14 * KIB


FORKED = """
import os, signal, sys
from pathlib import Path
from pylightnix.store.trees import hash_tree
tree = hash_tree(Path(sys.argv[1]))
child = os.fork()
if not child:
    signal.alarm(10)
    os._exit(0 if hash_tree(Path(sys.argv[1])) == tree else 1)
print(os.waitpid(child, 0)[1])
"""


def test_a_forked_child_can_hash_big_files_too(tmp_path: Path) -> None:
    with open(tmp_path / "f", "wb") as file:
        file.truncate(40 * MIB)
    assert run_python(FORKED, tmp_path) == "0\n"


# What is not taken


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(path.parent)
        server.bind(path.name)
        os.chdir(here)


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize("create", [os.mkfifo, _socket], ids=["fifo", "socket"])
def test_a_fifo_or_socket_is_an_error_and_does_not_hang(
    sample: Path, create: Callable[[Path], object], seal: bool
) -> None:
    create(sample / "plots" / "pipe")
    signal.alarm(10)
    with pytest.raises(StoreError, match="fifo, socket or device") as caught:
        hash_tree(sample, seal=seal)
    with closing(Walk(sample / "plots").steps()) as steps:
        next(steps)
    signal.alarm(0)
    assert caught.value.where == str(sample / "plots" / "pipe")


def test_a_file_that_became_a_fifo_or_link_after_the_directory_was_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/hostname")
    fd = os.open(tmp_path, os.O_RDONLY)
    signal.alarm(10)
    for rights in (None, 0o555):
        with pytest.raises(StoreError, match="fifo"):
            open_file(b"pipe", fd, rights)
        with pytest.raises(OSError, match="symbolic links"):
            open_file(b"link", fd, rights)
    signal.alarm(0)
    os.close(fd)


@pytest.mark.parametrize("what", ["missing", "file", "link"])
def test_the_top_must_be_a_directory(sample: Path, what: str) -> None:
    (sample.parent / "file").touch()
    (sample.parent / "link").symlink_to(sample)
    for call in (hash_tree, list_files, seal_top):
        with pytest.raises(StoreError, match="No such file" if what == "missing" else "no directory") as caught:
            call(sample.parent / what)
        assert what in caught.value.where


def test_a_directory_that_moves_while_it_is_walked(sample: Path) -> None:
    with closing(Walk(sample).steps()) as steps:
        while next(steps)[1] != b"plots/deep/a.txt":
            pass
        (sample / "plots/deep").rename(sample / "deep")
        with pytest.raises(StoreError, match="moved"):
            list(steps)


def test_an_error_of_the_sink_comes_as_it_is(sample: Path) -> None:
    with open("/dev/full", "wb", buffering=0) as sink, pytest.raises(OSError, match="No space left"):
        hash_tree(sample, (), sink)


def test_no_descriptor_is_left_open_and_their_limit_is_a_clear_error(sample: Path) -> None:
    before = os.listdir("/proc/self/fd")
    os.link(sample / "model.bin", sample / "another")
    hash_tree(sample, seal=True)
    list_files(sample)
    with pytest.raises(StoreError):
        hash_tree(sample, ["none"])
    assert os.listdir("/proc/self/fd") == before
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, limits[1]))
    try:
        with pytest.raises(StoreError, match="Too many open files") as caught:
            hash_tree(sample)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.fields["errno"] == errno.EMFILE


# Sealing


def test_sealing_takes_all_rights_but_reading_and_leaves_the_top(sample: Path) -> None:
    sample.chmod(0o755)
    (sample / "model.bin").chmod(0o4666)
    (sample / "plots").chmod(0o3777)
    before = manifest_of(sample)
    sink = io.BytesIO()
    hash_tree(sample, (), sink, seal=True)
    assert sink.getvalue() == before == manifest_of(sample)
    for path in sample.rglob("*"):
        if not path.is_symlink():
            assert mode(path) == (0o555 if path.is_dir() or path.name == "run.sh" else 0o444), path
    assert mode(sample) == 0o755
    seal_top(sample)
    assert mode(sample) == 0o555
    assert manifest_of(sample) == before


@pytest.mark.parametrize(("top", "files", "others"), [(0o750, 0o440, 0o550), (0o700, 0o400, 0o500), (0, 0o400, 0o500)])
def test_nobody_may_read_what_is_in_a_directory_that_he_may_not_read(
    sample: Path, top: int, files: int, others: int
) -> None:
    sample.chmod(top)
    hash_tree(sample, seal=True)
    seal_top(sample)
    assert (mode(sample), mode(sample / "plots"), mode(sample / "run.sh")) == (others,) * 3
    assert mode(sample / "model.bin") == files


def test_the_owner_can_always_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o222)
    hash_tree(tmp_path, seal=True)
    seal_top(tmp_path)
    assert mode(tmp_path) == 0o500


def test_a_file_that_is_sealed_already_is_left_alone(sample: Path) -> None:
    hash_tree(sample, seal=True)
    changed = os.stat(sample / "model.bin").st_ctime_ns
    hash_tree(sample, seal=True)
    assert os.stat(sample / "model.bin").st_ctime_ns == changed


def test_sealing_never_goes_through_a_link(sample: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "inner").mkdir(parents=True)
    (mine / "data").write_bytes(b"mine")
    mine.chmod(0o777)
    (mine / "data").chmod(0o666)
    (sample / "to-file").symlink_to(mine / "data")
    (sample / "to-directory").symlink_to(mine)
    hash_tree(sample, seal=True)
    assert (mode(mine), mode(mine / "data"), mode(mine / "inner")) == (0o777, 0o666, 0o755)


def test_a_file_that_is_linked_from_elsewhere_becomes_a_copy(sample: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine" * MIB)
    mine.chmod(0o766)
    before = os.stat(mine)
    os.link(mine, sample / "plots/one")
    os.link(mine, sample / "two")
    plain = hash_tree(sample).digest
    assert os.stat(mine).st_nlink == 3, "hashing alone changes nothing"
    assert hash_tree(sample, seal=True).digest == plain
    after = os.stat(mine)
    assert (after.st_mode, after.st_mtime_ns, after.st_nlink) == (before.st_mode, before.st_mtime_ns, 1)
    for inner in ("plots/one", "two"):
        assert mode(sample / inner) == 0o555
        assert (sample / inner).read_bytes() == mine.read_bytes()
    assert hash_tree(sample).digest == plain
    assert len(list_files(sample)) == len([1 for kind, *_ in SAMPLE.values() if kind != "directory"]) + 2


def test_a_copy_of_a_sealed_file_is_sealed(sample: Path, tmp_path: Path) -> None:
    for name, rights in (("plain", 0o444), ("program", 0o555)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(rights)
        os.link(tmp_path / name, sample / name)
    hash_tree(sample, seal=True)
    assert (mode(sample / "plain"), mode(sample / "program")) == (0o444, 0o555)
    assert (sample / "plain").stat().st_nlink == 1


def test_a_copy_that_fails_leaves_no_debris(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x" * MIB)
    os.link(tmp_path / "mine", sample / "big")
    before = sorted(os.listdir(sample))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (KIB, limits[1]))
    try:
        with pytest.raises(StoreError, match="File too large") as caught:
            hash_tree(sample, seal=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert caught.value.where == str(sample / "big")
    assert sorted(os.listdir(sample)) == before


def test_what_its_owner_cannot_read_is_made_readable(tmp_path: Path) -> None:
    def work() -> list[int]:
        root = make_tree(tmp_path / "tree", {**SAMPLE, b"dark/inner/f": ("file", b"f", False)})
        expected = hash_tree(root).digest
        for path in ("model.bin", "dark/inner/f", "dark/inner", "dark", "empty"):
            (root / path).chmod(0)
        (root / "run.sh").chmod(0o100)
        with pytest.raises(StoreError, match="Permission denied") as caught:
            hash_tree(root)
        assert caught.value.where == str(root / "dark")
        assert hash_tree(root, seal=True).digest == expected
        assert hash_tree(root).digest == expected
        return [mode(root / path) for path in ("model.bin", "dark", "run.sh")]

    assert as_ordinary_user(work) == [0o444, 0o555, 0o555]


def test_somebody_elses_unreadable_file_is_not_made_readable(tmp_path: Path) -> None:
    def work() -> int:
        root = make_tree(tmp_path / "tree", SAMPLE)
        (tmp_path / "mine").write_bytes(b"secret")
        os.link(tmp_path / "mine", root / "secret")
        (tmp_path / "mine").chmod(0)
        with pytest.raises(StoreError, match="name elsewhere"):
            hash_tree(root, seal=True)
        return mode(tmp_path / "mine")

    assert as_ordinary_user(work) == 0


# Depth


def test_a_very_deep_tree_is_hashed_listed_sealed_and_removed(tmp_path: Path) -> None:
    depth = 2500  # deeper than recursion, descriptors and PATH_MAX allow
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("dd", dir_fd=fd)
        inner = os.open("dd", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)
    sink = io.BytesIO()
    with open(tmp_path / "zz", "wb"):
        pass
    tree = hash_tree(tmp_path, ["dd/dd"], sink, seal=True)
    entries = list(read_manifest(sink.getvalue(), tree.digest))
    assert len(entries) == depth + 2
    assert list_files(tmp_path) == ("dd/" * depth + "leaf", "zz")
    remove_tree(tmp_path / "dd")
    assert os.listdir(tmp_path) == ["zz"]


# Listing


def test_list_files_gives_files_and_links_in_order_and_can_be_pickled(sample: Path) -> None:
    found = pickle.loads(pickle.dumps(list_files))(sample)
    assert found == tuple(entry.path for entry in read_manifest(manifest_of(sample)) if entry.kind != "directory")
    assert os.fsdecode(b"\xff\xfe") in found
    assert found.index("plots/roc.png") < found.index("plots.txt"), "a directory's files stand together"
    assert {os.fsencode(path) for path in found} == {p for p, (kind, *_) in SAMPLE.items() if kind != "directory"}
