"""Every damage is named with its realization and its file, and nothing else is."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pylightnix import Dep, Realization, Store, promise, realize, stage
from pylightnix.errors import StoreError, UnknownReferenceError
from pylightnix.hashing import canonical
from pylightnix.store.removal import remove_tree
from pylightnix.store.verification import verifying
from pylightnix.store.verification.findings import Kind, Outcome
from tests.powers import gives_files


@stage(code="ignore")
def source(table: Path = promise("deep/table.txt"), tool: Path = promise("tool")) -> int:
    print("a line for the log")
    table.write_text("one two three")
    (table.parent / "empty").mkdir()
    (table.parent / "link").symlink_to("table.txt")
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    return 7


@stage(code="ignore")
def report(data: Dep = source(), text: Path = promise("text.txt")) -> None:
    text.write_text(str(data.value))


class Full(NamedTuple):
    """A store, and the two realizations in it."""

    store: Store
    top: Realization[None]
    source: Realization[int]

    @property
    def artifacts(self) -> Path:
        return self.source.path

    @property
    def notes(self) -> Path:
        return Path(self.store.keeper.place(self.source.record))


@pytest.fixture
def full(tmp_path: Path) -> Full:
    store = Store(tmp_path / "store")
    top = realize(report(), store=store, quiet=True)
    return Full(store, top, top.deps.data)


def loose(path: Path) -> None:
    """Let us change a sealed file, and the directories that it is in."""
    for above in (path.parent.parent, path.parent):
        above.chmod(0o755)
    if path.exists() and not path.is_symlink():
        path.chmod(0o755 if os.access(path, os.X_OK) and path.stat().st_mode & 0o100 else 0o644)


def seal(path: Path) -> None:
    """Make it look sealed again."""
    if path.exists() and not path.is_symlink():
        path.chmod(0o555 if path.stat().st_mode & 0o100 else 0o444)
    for above in (path.parent, path.parent.parent):
        above.chmod(0o555)


def changed(inner: str, change: Callable[[Path], object]) -> Callable[[Full], None]:
    """An artifact of the source is changed, and nothing else, its modes included."""

    def damage(full: Full) -> None:
        path = full.artifacts / inner
        loose(path)
        change(path)
        seal(path)
        (full.store.path / "store").chmod(0o755)

    return damage


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("other")


def to_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    path.chmod(0o555)


TABLE = "deep/table.txt"
ARTIFACTS = [
    pytest.param(changed(TABLE, lambda p: p.write_text("one twO three")), TABLE, "bytes", id="flip"),
    pytest.param(changed(TABLE, lambda p: p.write_text("one")), TABLE, "13 bytes and has 3", id="cut"),
    pytest.param(changed("deep/table.txt", lambda p: p.unlink()), "deep/table.txt", "not there", id="missing"),
    pytest.param(changed("deep/more.txt", lambda p: p.write_text("x")), "deep/more.txt", "not belong", id="extra"),
    pytest.param(changed("tool", lambda p: p.chmod(0o444)), "tool", "was executable and is not", id="executable"),
    pytest.param(changed("deep/link", relink), "deep/link", "'table.txt' and leads to 'other'", id="link"),
    pytest.param(changed("deep/table.txt", to_directory), "deep/table.txt", "was a file and is a directory", id="kind"),
    pytest.param(changed("deep/empty", lambda p: p.rmdir()), "deep/empty", "not there", id="empty directory"),
]  # fmt: skip


def test_a_sound_store_has_no_findings(full: Full) -> None:
    report = full.store.verify()
    assert report.sound
    assert (report.checked, report.skipped, report.leftovers) == (2, 0, ())


@pytest.mark.parametrize(("damage", "inner", "what"), ARTIFACTS)
def test_a_changed_artifact_is_named(full: Full, damage: Callable[[Full], None], inner: str, what: str) -> None:
    damage(full)
    (finding,) = full.store.verify().findings
    assert finding.kind == Kind.ARTIFACTS
    assert finding.ref == full.source.ref
    assert finding.file == f"store/{full.source.ref}/{inner}"
    assert what in finding.what


def test_a_renamed_file_is_missing_and_extra(full: Full) -> None:
    changed("deep/table.txt", lambda path: path.rename(path.with_name("renamed")))(full)
    found = {finding.file.rpartition("/")[2]: finding.what for finding in full.store.verify().findings}
    assert found == {"table.txt": "it is not there", "renamed": "this file does not belong here"}


@pytest.mark.parametrize("inner", ["deep/table.txt", "deep", ""])
def test_what_may_be_written_to_is_named(full: Full, inner: str) -> None:
    path = full.artifacts / inner
    path.chmod(path.stat().st_mode | 0o200)
    (finding,) = full.store.verify().findings
    assert finding.kind == Kind.MODE
    assert finding.file == f"store/{full.source.ref}/{inner}".rstrip("/")


@pytest.mark.parametrize(("inner", "bit"), [("tool", 0o4000), ("tool", 0o2000), ("deep", 0o1000), ("", 0o2000)])
def test_a_special_bit_is_named_and_taken_away(full: Full, inner: str, bit: int) -> None:
    path = full.artifacts / inner
    path.chmod(path.stat().st_mode | bit)
    (finding,) = full.store.verify(repair=True).findings
    assert (finding.kind, finding.what) == (Kind.MODE, "it is setuid, setgid or sticky")
    assert path.stat().st_mode & 0o7000 == 0
    assert full.store.verify().sound


def test_other_names_beside_environments_are_nobodys_business(full: Full) -> None:
    place = full.store.path / "environments"
    for name in ("notes.txt", ".nfs0001", f"{'A' * 40}.json"):
        (place / name).write_text("x")
    assert full.store.verify(repair=True).sound


def test_an_environment_that_is_no_hash_leads_nowhere(full: Full) -> None:
    (path,) = full.notes.glob("run-*.json")
    run = json.loads(path.read_bytes())
    run["facts"]["environment"] = "../format"
    path.unlink()
    path.write_bytes(canonical(run))
    assert full.store.verify(repair=True).sound
    assert (full.store.path / "format.json").exists()


NOTES = [("record.json", Kind.RECORD), ("manifest.jsonl", Kind.MANIFEST), ("run-*.json", Kind.RUN)]
CONTENTS: list[bytes | None] = [b"", b"{", b"\0\xff", b"[]", b'{"pylightnix":"x"}']
DAMAGES = [(*note, content) for note in NOTES for content in CONTENTS] + [(*note, None) for note in NOTES[:2]]


@pytest.mark.parametrize(("pattern", "kind", "content"), DAMAGES)
def test_a_damaged_note_is_named(full: Full, pattern: str, kind: Kind, content: bytes | None) -> None:
    (path,) = full.notes.glob(pattern)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    (finding,) = full.store.verify().findings
    assert (finding.kind, finding.ref) == (kind, full.source.ref)
    assert finding.file == f"records/{full.source.record.home}/{full.source.ref.digits}/{path.name}"


def test_a_missing_log_is_named(full: Full) -> None:
    (log,) = full.notes.glob("run-*.log")
    log.unlink()
    (finding,) = full.store.verify().findings
    assert finding.kind == Kind.RUN
    assert "log" in finding.what


@pytest.mark.parametrize(("place", "kind"), [("derivations", Kind.DERIVATION), ("environments", Kind.ENVIRONMENT)])
@pytest.mark.parametrize("gone", [False, True])
def test_damaged_documents_are_named_once(full: Full, place: str, kind: Kind, gone: bool) -> None:
    path = sorted((full.store.path / place).iterdir())[0]
    path.unlink()
    if not gone:
        path.write_text("{}")
    findings = full.store.verify().findings
    assert {(finding.kind, finding.file) for finding in findings} == {(kind, f"{place}/{path.name}")}


def test_a_promise_that_the_record_tells_wrongly_is_named(full: Full) -> None:
    path = full.notes / "record.json"
    kept = full.source.record.promises["table"].tree
    data = path.read_text().replace(kept, kept[::-1])
    path.unlink()
    path.write_text(data)
    (finding,) = full.store.verify().findings
    assert finding.kind == Kind.RECORD
    assert "'table'" in finding.what


def test_what_was_collected_is_no_damage_and_what_is_left_over_is_told(full: Full) -> None:
    remove_tree(full.store.path / "store" / full.source.ref)
    assert full.store.verify().sound
    left = full.store.path / "store" / f"{'a' * 40}-left"
    left.mkdir()
    report = full.store.verify()
    assert report.sound
    assert report.leftovers == (left.name,)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize(
    "name", ["record.json", "manifest.jsonl", "run-", "derivations/", "environments/", "tool", "deep"]
)
def test_where_the_system_is_at_fault_it_is_said_and_nothing_is_damaged(
    full: Full, name: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = os.open

    def refuse(path: str | bytes, *args: Any, **how: Any) -> int:
        if isinstance(path, (str, bytes)) and name in os.fsdecode(path).rpartition("store/")[2]:
            raise OSError(code, os.strerror(code))
        return right(path, *args, **how)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        with pytest.raises(StoreError, match=f"it cannot be read: {os.strerror(code)}") as caught:
            Store(full.store.path).verify(repair=True)
    assert name in caught.value.where
    assert not (full.store.path / "quarantine").exists()
    assert full.store.verify().sound


BARRED = """
import os, sys
from pathlib import Path
from pylightnix import Store
root, chosen = Path(sys.argv[1]), [Path(sys.argv[1], arg) for arg in sys.argv[2:]]
modes = {path: path.stat().st_mode & 0o777 for path in chosen}
for path in chosen:
    path.chmod(modes[path] & 0o222)
store = Store(root)
for repair in (False, True):
    report = store.verify(repair=repair)
    print(report.checked, *sorted({f"{one.kind}:{one.file}" for one in report.findings}))
print(*sorted({str(one.outcome) for one in report.repairs}), len(report.left), (root / "quarantine").exists())
print([oct(path.stat().st_mode & 0o777 & ~modes[path]) for path in chosen], store.verify().sound)
"""


@pytest.mark.parametrize(
    "inside",
    ["environments", "store", "derivations", "records", "records/HOME", "records/HOME/DIGITS", "store/REF",
     "store/REF/tool", "store/REF/deep", "records/HOME/DIGITS/record.json", "records/HOME/DIGITS/manifest.jsonl",
     "records/HOME/DIGITS/RUN", "derivations/DERIVATION", "environments/ENVIRONMENT"],
)  # fmt: skip
def test_what_may_not_be_read_is_told_and_its_owner_gets_the_right(full: Full, ordinary: Any, inside: str) -> None:
    ref = full.source.ref
    (run,) = full.notes.glob("run-*.json")
    names = {"HOME": full.source.record.home, "DIGITS": ref.digits, "REF": ref, "RUN": run.name}
    names["DERIVATION"] = f"{full.source.context.derivation}.json"
    names["ENVIRONMENT"] = sorted((full.store.path / "environments").iterdir())[0].name
    path = "/".join(names.get(part, part) for part in inside.split("/"))
    done = ordinary(BARRED, full.store.path, path)
    assert done.stderr == ""
    looked, repaired, ended, after = done.stdout.splitlines()
    assert looked.endswith(f" rights:{path}")
    assert repaired == looked
    assert ended == "restored 0 False"
    assert after == "['0o0'] True"


NOT_OURS = """
import sys
import time
from pathlib import Path
from pylightnix import Store
report = Store(sys.argv[1]).verify(repair=True)
print(*sorted({f"{one.outcome}:{one.finding.kind}" for one in report.repairs}), len(report.left) > 0)
"""


@gives_files
@pytest.mark.parametrize("inside", ["store/REF/tool", "records/HOME/DIGITS/record.json", "records/HOME"])
def test_what_others_own_and_we_may_not_read_stays(full: Full, ordinary: Any, inside: str) -> None:
    names = {"HOME": full.source.record.home, "DIGITS": full.source.ref.digits, "REF": full.source.ref}
    path = full.store.path.joinpath(*(names.get(part, part) for part in inside.split("/")))
    path.chmod(0)
    os.chown(path, 12345, 12345)
    done = ordinary(NOT_OURS, full.store.path)
    assert done.stderr == ""
    assert done.stdout == "left:rights True\n"
    assert path.lstat().st_mode & 0o777 == 0
    assert not (full.store.path / "quarantine").exists()


def test_some_realizations_are_verified_alone(full: Full) -> None:
    changed("tool", lambda path: path.chmod(0o444))(full)
    assert full.store.verify([str(full.top.ref)]).sound
    assert not full.store.verify([full.source.ref.digits[:12]]).sound


@pytest.mark.parametrize("name", ["record.json", "derivation"])
def test_a_realization_that_is_named_is_found_where_its_record_or_derivation_is_damaged(full: Full, name: str) -> None:
    path = full.notes / name
    if name == "derivation":
        path = full.store.path / "derivations" / f"{full.source.context.derivation}.json"
    path.unlink()
    path.write_text("{}")
    for digits in (5, 40):
        (finding,) = full.store.verify([full.source.ref[:digits]]).findings
        assert (finding.ref, full.store.path / finding.file) == (full.source.ref, path)
    assert full.store.verify([full.source.ref[:5]], repair=True).repairs
    with pytest.raises(UnknownReferenceError, match="nothing is named"):
        full.store.verify(["0" * 40])


def test_a_fifo_in_the_place_of_what_was_noted_does_not_hang(full: Full) -> None:
    fifo = full.store.path / "cache" / "verified"
    fifo.parent.mkdir(exist_ok=True)
    os.mkfifo(fifo)
    script = (
        "import sys; from pylightnix import Store; from pylightnix.store.verification import verifying; "
        "verifying._NOTED = 0.0; print(Store(sys.argv[1]).verify(resume=True).checked)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, full.store.path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_an_interrupted_one_goes_on_where_it_was(full: Full) -> None:
    def stop(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        full.store.verify(progress=stop)
    report = full.store.verify(resume=True)
    assert (report.checked, report.skipped, report.sound) == (1, 1, True)
    again = full.store.verify(resume=True)
    assert (again.checked, again.skipped) == (2, 0)


def test_what_is_damaged_is_not_noted_as_sound(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_NOTED", 0.0)
    changed("tool", lambda path: path.chmod(0o444))(full)

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        full.store.verify(progress=stop)
    report = full.store.verify(resume=True)
    assert (report.skipped, len(report.findings)) == (1, 1)


def test_what_is_removed_meanwhile_is_no_damage(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    right = verifying.check_realization

    def slow(layout: object, home: object, digits: str, *others: object) -> object:
        found = right(layout, home, digits, *others)  # type: ignore[arg-type]
        if digits == full.source.ref.digits and full.notes.exists():
            shutil.rmtree(full.notes)
        return found

    (full.notes / "record.json").unlink()
    monkeypatch.setattr(verifying, "check_realization", slow)
    assert full.store.verify().sound


REMOTES: dict[str, tuple[bytes | None, Kind]] = {
    "flipped": (b'{"pylightnix":"remotes/1","remotes"["/a"]}', Kind.REMOTES),
    "empty": (b"", Kind.REMOTES),
    "no list": (b'{"pylightnix":"remotes/1","remotes":"/a"}', Kind.REMOTES),
    "directory": (None, Kind.REMOTES),
    "newer": (b'{"pylightnix":"remotes/2","remotes":["/a"]}', Kind.NEWER),
}


@pytest.mark.parametrize("how", REMOTES)
def test_a_damaged_list_of_remotes_is_named_and_moved_away(full: Full, how: str) -> None:
    data, kind = REMOTES[how]
    path = full.store.path / "remotes.json"
    path.mkdir() if data is None else path.write_bytes(data)
    (finding,) = full.store.verify().findings
    assert (finding.kind, finding.file) == (kind, "remotes.json")
    assert full.store.verify(full.source).sound
    (done,) = full.store.verify(repair=True).repairs
    if kind is Kind.NEWER:
        assert done.outcome is Outcome.LEFT
        assert path.read_bytes() == data
    else:
        assert (done.outcome, done.what) == (
            Outcome.QUARANTINED, "name the remotes again: pylightnix remote --add URL"
        )  # fmt: skip
        assert full.store.verify().sound
        assert realize(report(), store=full.store, quiet=True).ref == full.top.ref


def test_an_empty_store_is_sound(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").verify().sound
    assert not (tmp_path / "none").exists()


def test_who_interrupts_does_not_wait_for_the_end_of_a_large_file(full: Full) -> None:
    large = full.artifacts / "tool"
    large.chmod(0o644)
    with large.open("r+b") as file:
        file.truncate(100 << 30)  # a hole, which takes minutes to hash and no room
    interrupted = 0.0

    def interrupt(*_: int) -> None:
        nonlocal interrupted
        interrupted = time.monotonic()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verifying.verify(full.store.keeper, progress=interrupt, workers=4)
    assert time.monotonic() - interrupted < 3


def test_what_is_collected_and_comes_back_again_and_again_is_not_named(full: Full) -> None:
    """Each look sees the files of one vanish, while another one that is whole takes its place."""
    record, beside = full.source.record, full.artifacts.with_name  # nobody but root moves what is sealed elsewhere
    whole = [Path(shutil.copytree(full.artifacts, beside(str(n)), symlinks=True)) for n in range(5)]

    def change(left: Iterator[Path] = iter(whole)) -> None:
        if (fresh := next(left, None)) is not None:
            gone = full.artifacts.rename(beside(f"{fresh.name}-gone"))
            fresh.rename(full.artifacts)
            remove_tree(gone)

    found = verifying._check(full.store.keeper.layout, record.home, record.ref.digits, change)
    assert found == []
    assert list(whole[-1].parent.glob("[0-9]")) == [], "all were put there"


def test_what_stays_damaged_is_named_though_its_record_changes(full: Full) -> None:
    """Somebody adds runs all the time."""
    full.artifacts.chmod(0o755)
    looks = iter(range(10_000))

    def change() -> None:
        (full.notes / f"context-{next(looks):040}.json").touch()

    record = full.source.record
    found = verifying._check(full.store.keeper.layout, record.home, record.ref.digits, change)
    assert any(one.kind is Kind.MODE for one in found)
