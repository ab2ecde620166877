"""Archives from strangers: whatever is in them, either all of it is right, or nothing becomes visible."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import tarfile
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pylightnix.errors import DamageError, StoreError
from pylightnix.hashing import digest_bytes
from pylightnix.model.records import Record
from pylightnix.model.selection import Selection, selection_of
from pylightnix.store.archives.format import HEAD, Header
from pylightnix.store.archives.importing import import_archive
from pylightnix.store.archives.writing import export_closure
from pylightnix.store.manifests import Entry
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from tests.dying import EVERY, dies_at
from tests.store.archives.conftest import Member, put_together, taken_apart
from tests.store.conftest import Maker

GOLDEN = Path(__file__).parents[2] / "golden" / "archive-1.plx.gz"
Craft = Callable[..., list[Member]]


def file(path: bytes, data: bytes = b"x", *, executable: bool = False, size: int | None = None) -> Entry:
    return Entry("file", path, digest_bytes(data), len(data) if size is None else size, executable)


def chosen(store: Store, record: Record) -> Selection:
    return selection_of([store.realization(record.ref)])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two realizations, one made from the other; a log, an executable and a link."""
    store = Store(tmp_path / "from", durability="none")
    make = Maker(store)
    data = make("data", "data", more={"deep/a.txt": "a"}, log="said")
    model = make("model", "model", inputs={"data": (data, store.keeper.origin(data))}, value={"score": 1.5})
    path = tmp_path / "good.plx"
    export_closure(store.keeper, chosen(store, model), str(path))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Store:
    return Store(tmp_path / "to", durability="none")


def take(target: Store, data: bytes, most: int | None = None) -> None:
    path = target.path.parent / "given.plx"
    path.write_bytes(data)
    import_archive(target.keeper, str(path), most=most)


def is_untouched(store: Store) -> bool:
    """Nothing is visible, and nothing lies about."""
    places = ("derivations", "store", "records", "environments", "tmp", "roots")
    return not [one for place in places for one in (store.path / place).glob("*")]


def refuses(target: Store, data: bytes, what: str, kind: type[StoreError] = DamageError) -> None:
    with pytest.raises(kind, match=what):
        take(target, data)
    assert is_untouched(target)


def test_there_and_back(archive: Path, target: Store, tmp_path: Path) -> None:
    done = import_archive(target.keeper, str(archive))
    assert [(one.ref.name, one.how) for one in done.copied.moved] == [("data", "copied"), ("model", "copied")]
    assert target.verify().sound
    (model,) = target.realizations(name="model")
    assert model.deps.data.log == "said"
    assert export_closure(target.keeper, done.selection, str(tmp_path / "back.plx")).size == archive.stat().st_size
    assert (tmp_path / "back.plx").read_bytes() == archive.read_bytes()
    again = import_archive(target.keeper, str(archive))
    assert [one.how for one in again.copied.moved] == ["there", "there"]
    assert list((target.path / "tmp").iterdir()) == []


def test_tar_itself_reads_it_and_hashes_check_it(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        found = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    assert list(found)[:-1] == [name for name, _ in taken_apart(archive.read_bytes())]
    assert list(found)[-1] == "end.json"


def test_an_archive_is_one_of_a_kind(archive: Path) -> None:
    data = archive.read_bytes()
    assert put_together(taken_apart(data)) == data


def test_the_format_is_what_it_was(target: Store, tmp_path: Path) -> None:
    done = import_archive(target.keeper, str(GOLDEN))
    assert target.verify().sound
    assert [(one.ref, one.how) for one in done.copied.moved] == [
        ("c35f5bea4dda43f94ece74a7c167e316584a130f-data", "copied"),
        ("d5ab51ae2d30dc86e7a301551391dcd8b50347bf-model", "copied"),
    ]
    export_closure(target.keeper, done.selection, str(tmp_path / "again.plx"))
    assert (tmp_path / "again.plx").read_bytes() == gzip.decompress(GOLDEN.read_bytes())


def test_every_truncation_is_noticed(archive: Path, target: Store) -> None:
    data = archive.read_bytes()
    for size in [*range(0, len(data), 2999), len(data) - 1, len(data) - 10_240]:
        refuses(target, data[:size], "ends early|no archive|none of an archive")
    refuses(target, data + b"\0", "behind its end")
    packed = gzip.compress(data)
    refuses(target, packed[:-9], "damaged|ends early")


@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
@example(at=0, bit=0)
@example(at=156, bit=1)
def test_every_changed_bit_is_noticed(at: int, bit: int) -> None:
    data = bytearray(gzip.decompress(GOLDEN.read_bytes()))
    data[at % len(data)] ^= 1 << bit
    _is_taken_or_refused(bytes(data), refused=True)


@given(
    st.lists(
        st.tuples(st.sampled_from(["cut", "put", "swap", "double"]), st.integers(0, 10**6), st.binary(max_size=600)),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_no_other_bytes_do_harm(edits: list[tuple[str, int, bytes]]) -> None:
    data = gzip.decompress(GOLDEN.read_bytes())
    for how, at, more in edits:
        place = at % max(len(data), 1)
        if how == "cut":
            data = data[:place] + data[place + len(more) + 1 :]
        elif how == "put":
            data = data[:place] + more + data[place:]
        elif how == "double":
            data = data[:place] + data[place : place + 512] + data[place:]
        else:
            data = data[place:] + data[:place]
    _is_taken_or_refused(data, refused=False)


@given(
    st.lists(st.tuples(st.sampled_from(["drop", "twice", "move", "content", "name"]), st.integers(0, 50), st.binary()),
             min_size=1, max_size=3)
)  # fmt: skip
def test_members_that_are_changed_and_hashed_anew(edits: list[tuple[str, int, bytes]]) -> None:
    """Whoever changes an archive can make its last member right."""
    members = taken_apart(gzip.decompress(GOLDEN.read_bytes()))
    for how, at, data in edits:
        if not members:
            break
        place = at % len(members)
        name, content = members[place]
        if how == "drop":
            del members[place]
        elif how == "twice":
            members.insert(place, members[place])
        elif how == "move":
            members.insert(len(members) - place, members.pop(place))
        elif how == "content":
            members[place] = (name, data or content[:-1])
        else:
            members[place] = (name[:-1] + "x", content)
    _is_taken_or_refused(put_together(members), refused=False)


def _is_taken_or_refused(data: bytes, *, refused: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        target = Store(Path(place) / "to", durability="none")
        try:
            take(target, data)
        except StoreError:
            assert is_untouched(target)
        else:
            assert not refused
            assert target.verify().sound
            remove_tree(target.path)


HOSTILE = {
    "outside": b"../x", "absolute": b"/abs", "empty": b"", "point": b".", "inner point": b"a/../../x", "NUL": b"a\0b",
    "double": b"a//b", "slash": b"a/", "no directory": b"a/b",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_names_that_lead_astray(craft: Craft, target: Store, name: bytes, kind: str) -> None:
    entry = {"file": file(name), "link": Entry("link", name, target=b"t"), "directory": Entry("directory", name)}[kind]
    refuses(target, put_together(craft([entry], [b"x"] if kind == "file" else [])), "not a line of a manifest")
    assert not (target.path.parent / "x").exists()


TREES = {
    "a link as parent": [Entry("link", b"a", target=b"/tmp"), file(b"a/b")],
    "a file as parent": [file(b"a"), file(b"a/b")],
    "twice": [file(b"a"), file(b"a")],
    "unsorted": [file(b"b"), file(b"a")],
    "a fifo": [b'{"kind":"fifo","path":"a"}\n'],
    "a device": [b'{"kind":"device","path":"a"}\n'],
    "setuid": [b'{"hash":"%b","kind":"file","mode":2541,"path":"a","size":1}\n' % digest_bytes(b"x").encode()],
    "not canonical": [b'{"kind": "directory", "path": "a"}\n'],
    "no JSON": [b"[" * 100_000 + b"\n"],
    "a size below zero": [file(b"a", size=-1)],
    "a hash that is none": [file(b"a")._replace(hash="x" * 64)],
}


@pytest.mark.parametrize("entries", TREES.values(), ids=TREES)
def test_trees_that_are_none(craft: Craft, target: Store, entries: list[Entry | bytes]) -> None:
    refuses(target, put_together(craft(entries, [b"x"] * 2)), "not a line of a manifest")


@pytest.mark.parametrize("name", [b"back\\slash", b"con\x1btrol\n", "\u202egpj".encode(), b"\xff", b"a" * 255])
def test_names_that_a_file_system_takes_are_kept(craft: Craft, target: Store, name: bytes) -> None:
    take(target, put_together(craft([file(name)], [b"x"])))
    (made,) = target.realizations()
    assert os.listdir(os.fsencode(made.path)) == [name]
    assert target.verify().sound


def test_links_lead_where_they_say_and_are_not_followed(craft: Craft, target: Store) -> None:
    outside = target.path.parent / "outside"
    outside.write_text("untouched")
    members = craft([Entry("link", b"a", target=os.fsencode(outside)), Entry("link", b"b", target=b"..")])
    take(target, put_together(members))
    (made,) = target.realizations()
    assert os.readlink(made.path / "a") == str(outside)
    assert outside.read_text() == "untouched"
    assert target.verify().sound


def test_an_over_long_name(craft: Craft, target: Store) -> None:
    refuses(target, put_together(craft([file(b"a" * 256)], [b"x"])), "too long", StoreError)


def test_sizes_and_contents_that_lie(craft: Craft, target: Store) -> None:
    refuses(target, put_together(craft([file(b"a", size=5)], [b"x"])), "has 1 bytes, and its manifest says 5")
    refuses(target, put_together(craft([file(b"a", b"y")], [b"x"])), "a is not what its record says")
    refuses(target, put_together(craft([file(b"a")], [b"x"], size=7)), "promises and sizes is not so")
    refuses(target, put_together(craft([file(b"a"), file(b"b")], [b"x"])), "not all of it")
    refuses(target, put_together(craft([file(b"a")], [b"x"] * 2)), "not what an export writes")
    refuses(target, put_together(craft([file(b"a")], [b"x"], made_in="1" * 64)), "no context is there")


def test_nothing_is_visible_before_the_end(archive: Path, target: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes."""
    monkeypatch.setattr("pylightnix.store.receiving.LONGEST", -1.0)
    members = taken_apart(archive.read_bytes())
    refuses(target, put_together(members, end=b"{}"), "its last member is not")
    take(target, archive.read_bytes())


def test_members_that_no_export_writes(archive: Path, target: Store) -> None:
    members = taken_apart(archive.read_bytes())
    for name in ("../x", "/abs", "format.json", "realizations/../x", "derivations/../../x.json", "roots/x.json"):
        refuses(target, put_together([members[0], (name, b"{}"), *members[1:]]), "not what an export writes")
    record = next(at for at, (name, _) in enumerate(members) if name.endswith("record.json"))
    base = members[record][0].removesuffix("record.json")
    for name in ("../x", "files/../x", "other.json", "record.json/x", "files/0"):
        bad = [*members[: record + 1], (base + name, b"x"), *members[record + 1 :]]
        refuses(target, put_together(bad), "not what an export writes")
    for at in range(len(members)):  # whatever is missing
        refuses(target, put_together(members[:at] + members[at + 1 :]), ".")
    for at in range(1, len(members) - 1):  # or comes a second time
        refuses(target, put_together(members[: at + 1] + members[at:]), ".")


def test_what_was_used_must_be_in_it(archive: Path, target: Store) -> None:
    members = taken_apart(archive.read_bytes())
    rest = [one for one in members if not (one[0].startswith("realizations/") and "-data/" in one[0])]
    refuses(target, put_together(rest), "data [0-9a-f]{8} belongs to it and is not in it")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE,
                                  tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE, tarfile.XGLTYPE])  # fmt: skip
def test_headers_of_other_kinds(archive: Path, target: Store, kind: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.linkname = kind, "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    first = Header(HEAD, len(taken_apart(archive.read_bytes())[0][1]))
    start = len(first.to_bytes()) + first.size + first.padding
    data = archive.read_bytes()
    refuses(target, data[:start] + info.tobuf(tarfile.PAX_FORMAT) + data[start:], "none of an archive")


def test_headers_with_more_in_them(archive: Path, target: Store) -> None:
    for change in ({"mode": 0o4755}, {"mtime": 1}, {"uname": "root"}, {"uid": 7}):
        info = tarfile.TarInfo(HEAD)
        info.size, info.mode = len(taken_apart(archive.read_bytes())[0][1]), 0o444
        for name, value in change.items():
            setattr(info, name, value)
        refuses(target, info.tobuf(tarfile.PAX_FORMAT) + archive.read_bytes()[512:], "no archive of results")
    info = tarfile.TarInfo("x" * 5000)
    refuses(target, info.tobuf(tarfile.PAX_FORMAT) + bytes(1 << 14), "no archive of results")


def test_what_is_no_archive(target: Store, tmp_path: Path) -> None:
    refuses(target, b"", "no archive of results")
    refuses(target, b"<html>" * 1000, "no archive of results")
    refuses(target, b"\x1f\x8b" + bytes(100), "damaged")
    refuses(target, put_together([]), "no archive of results")
    refuses(target, put_together([("other.json", b"{}")]), "no archive of results")
    refuses(target, put_together([(HEAD, b'{"pylightnix":"archive/2"}')]), "not a document of kind archive/1")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DamageError, match="no regular file"):
        import_archive(target.keeper, str(tmp_path / "fifo"))
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StoreError, match="cannot be read"):
            import_archive(target.keeper, str(path))


def test_a_bomb_is_bounded(craft: Craft, target: Store) -> None:
    data = bytes(4 << 20)
    bomb = gzip.compress(put_together(craft([file(b"a", data)], [data])))
    path = target.path.parent / "given.plx"
    path.write_bytes(bomb)
    with pytest.raises(DamageError, match="much more comes out"):
        import_archive(target.keeper, str(path), most=1 << 20)
    assert is_untouched(target)
    take(target, bomb, most=5 << 20)


def test_memory_does_not_grow_with_files(tmp_path: Path, target: Store) -> None:
    store = Store(tmp_path / "from", durability="none")
    record = Maker(store)("big", "x" * (48 << 20))
    path = str(tmp_path / "big.plx.gz")
    tracemalloc.start()
    try:
        export_closure(store.keeper, chosen(store, record), path)
        import_archive(target.keeper, path)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_a_damaged_store_exports_nothing(archive: Path, target: Store, tmp_path: Path) -> None:
    import_archive(target.keeper, str(archive))
    (data,) = target.realizations(name="data")
    path = data.path / "deep" / "a.txt"
    path.chmod(0o644)
    for content in ("b", "ab", ""):
        path.write_text(content)
        with pytest.raises(DamageError, match="not what its record says") as caught:
            export_closure(target.keeper, chosen(target, data.record), str(tmp_path / "x.plx"))
        assert caught.value.where == str(path)
        assert not [one for one in tmp_path.iterdir() if "x.plx" in one.name]


def test_an_archive_that_cannot_be_written(archive: Path, target: Store, tmp_path: Path) -> None:
    import_archive(target.keeper, str(archive))
    (data,) = target.realizations(name="data")
    with pytest.raises(StoreError, match="cannot be written"):
        export_closure(target.keeper, chosen(target, data.record), str(tmp_path / "no" / "x.plx"))


def test_killed_at_any_change_the_next_attempt_completes(archive: Path, tmp_path: Path) -> None:
    for point in itertools.count(0, EVERY):
        path = tmp_path / f"t{point}"
        died = dies_at(point, lambda path=path: import_archive(Store(path).keeper, str(archive)))
        half = Store(path, durability="none")
        assert half.verify().sound
        assert [one.name for one in half.realizations()] in ([], ["data"], ["data", "model"])
        import_archive(half.keeper, str(archive))
        assert half.verify().sound
        assert len(half.realizations()) == 2
        half.gc(unreachable=True, older_than="1d")
        assert list((path / "tmp").iterdir()) == []
        if not died:
            assert point > 30
            return
        remove_tree(path)
