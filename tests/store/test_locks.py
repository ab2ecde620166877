"""Locks between real processes: who excludes whom, what ends a lock, and what does not inherit one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylightnix.store import changes, locks

HOLDER = """
import sys
from pylightnix.store.locks import take
lock = take(sys.argv[1], exclusive=sys.argv[2] == "exclusive", wait=False)
print("no" if lock is None else "held", flush=True)
sys.stdin.read(1)
if sys.argv[3] == "release":
    lock.release()
    print("released", flush=True)
    sys.stdin.read(1)
"""

LEAVER = """
import os, subprocess, sys, time
from pylightnix.store.locks import take
lock = take(sys.argv[1])
match sys.argv[2]:
    case "fork":
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            lock.release(remove=True)
            os.write(writer, b"x")
            time.sleep(60)
            os._exit(0)
        os.read(reader, 1)
    case "subprocess":
        child = subprocess.Popen(["sleep", "60"], close_fds=False, start_new_session=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid
    case "multiprocessing":
        import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        process.start()
        child = process.pid
print(child, flush=True)
sys.stdin.read(1)
os._exit(0)
"""


class Other:
    """A process that holds a lock."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.said = self.hear()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"x")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def others() -> Iterator[list[Other]]:
    started: list[Other] = []
    yield started
    for other in started:
        other.end()


def holder(others: list[Other], path: Path, kind: str = "exclusive", then: str = "end") -> Other:
    others.append(Other(HOLDER, path, kind, then))
    return others[-1]


def take(path: Path, *, exclusive: bool = True) -> bool:
    with locks.held(str(path), exclusive=exclusive, wait=False) as is_held:
        return is_held


@pytest.fixture
def open_before() -> set[int]:
    """Descriptors of locks that tests before this one have left to whoever holds what they made."""
    return set(locks._descriptors)


def test_who_excludes_whom(tmp_path: Path, others: list[Other]) -> None:
    path = tmp_path / "lock"
    assert holder(others, path, "shared").said == "held"
    assert take(path, exclusive=False)
    assert not take(path)
    assert holder(others, path, "shared").said == "held"
    others[0].end()
    others[1].end()
    assert take(path)
    assert holder(others, path).said == "held"
    assert not take(path)
    assert not take(path, exclusive=False)
    assert not locks.is_free(str(path))
    assert path.read_bytes() == b""


def test_who_waits_gets_it_when_it_is_given_back(tmp_path: Path, others: list[Other]) -> None:
    path = tmp_path / "lock"
    other = holder(others, path, then="release")
    got: list[float] = []

    def wait() -> None:
        with locks.held(str(path)) as is_held:
            assert is_held
            got.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    assert not got
    released = time.monotonic()
    other.go_on()
    assert other.hear() == "released"
    thread.join(10)
    assert got[0] >= released


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_dies_with_its_holder(tmp_path: Path, others: list[Other], number: signal.Signals) -> None:
    path = tmp_path / "lock"
    other = holder(others, path)
    assert not take(path)
    other.process.send_signal(number)
    other.process.wait()
    assert locks.is_free(str(path))
    assert take(path)


@pytest.mark.parametrize("how", ["fork", "subprocess", "multiprocessing"])
@pytest.mark.parametrize("end", ["kill", "exit"])
def test_what_a_holder_leaves_running_does_not_have_its_lock(
    tmp_path: Path, others: list[Other], how: str, end: str
) -> None:
    path = tmp_path / "lock"
    others.append(other := Other(LEAVER, path, how))
    child = int(other.said)
    try:
        assert not take(path)
        assert path.exists()
        if end == "kill":
            other.process.kill()
        else:
            other.go_on()
        other.process.wait()
        end_of_patience = time.monotonic() + 5  # a child closes its copies as the first thing it does
        while not (is_ours := take(path)) and time.monotonic() < end_of_patience:
            time.sleep(0.01)
        os.kill(child, 0)
        assert is_ours
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_lock_is_free_although_a_child_has_a_copy_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = locks.take(str(path))
    assert lock is not None
    copy = os.dup(lock._handle)  # as a child between fork and exec has it
    lock.release()
    assert take(path)
    os.close(copy)


def test_threads_exclude_each_other(tmp_path: Path, open_before: set[int]) -> None:
    path = str(tmp_path / "lock")
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locks.held(path):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert locks._descriptors <= open_before


@pytest.mark.parametrize("how", ["unlinked", "replaced"])
def test_the_path_is_looked_at_again_after_locking(tmp_path: Path, others: list[Other], how: str) -> None:
    path = tmp_path / "lock"

    def pull_away(name: str, paths: tuple[object, ...]) -> None:
        if name == "flock" and seen.append(name) is None and len(seen) == 1:
            path.unlink()
            if how == "replaced":
                assert holder(others, path).said == "held"

    seen: list[str] = []
    with changes.observed(pull_away):
        lock = locks.take(str(path), wait=False)
    if how == "replaced":
        assert lock is None, "the file that was locked is not the one that others lock"
        return
    assert lock is not None
    assert path.exists()
    assert not take(path)
    lock.release(remove=True)
    assert not path.exists()


def test_many_who_remove_the_file_are_never_two(tmp_path: Path) -> None:
    path, log = tmp_path / "lock", tmp_path / "log"
    script = """
import os, sys
from pylightnix.store.locks import take
for _ in range(300):
    lock = take(sys.argv[1])
    handle = os.open(sys.argv[2], os.O_CREAT | os.O_EXCL)
    os.close(handle)
    os.unlink(sys.argv[2])
    lock.release(remove=True)
"""
    running = [subprocess.Popen([sys.executable, "-c", script, path, log]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert not path.exists()


def test_creating_is_for_one(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    lock = locks.create(path)
    with pytest.raises(FileExistsError):
        locks.create(path)
    assert not locks.is_free(path)
    lock.release(remove=True)
    lock.release(remove=True)
    assert locks.is_free(path)
    assert not os.path.exists(path)


@pytest.mark.parametrize("planted", ["link", "fifo", "directory"])
def test_only_regular_files_are_locked(tmp_path: Path, planted: str, open_before: set[int]) -> None:
    path = tmp_path / "lock"
    match planted:
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
    with pytest.raises(OSError, match=r"link|regular|directory"):
        locks.take(str(path))
    assert not (tmp_path / "elsewhere").exists()
    assert locks._descriptors <= open_before


def test_ctrl_c_ends_the_waiting(tmp_path: Path, others: list[Other]) -> None:
    path = tmp_path / "lock"
    holder(others, path)
    script = "import sys; from pylightnix.store.locks import take; print('here', flush=True); take(sys.argv[1])"
    waiter = Other(script, path)
    others.append(waiter)
    time.sleep(0.1)
    waiter.process.send_signal(signal.SIGINT)
    assert waiter.process.wait(5) == -signal.SIGINT


def test_locks_work_here(tmp_path: Path) -> None:
    assert locks.self_test(str(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
    assert "No such file" in (locks.self_test(str(tmp_path / "missing")) or "")


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS])
def test_the_self_test_sees_a_file_system_without_locks(tmp_path: Path, number: int, open_before: set[int]) -> None:
    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == "flock":
            raise OSError(number, os.strerror(number))

    with changes.observed(refuse):
        assert os.strerror(number) in (locks.self_test(str(tmp_path)) or "")
    assert number in locks.UNSUPPORTED
    assert list(tmp_path.iterdir()) == []
    assert locks._descriptors <= open_before


def test_the_self_test_sees_locks_that_exclude_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "lock", lambda handle, operation: None)
    assert "given to another" in (locks.self_test(str(tmp_path)) or "")


def test_the_warning_names_the_place(tmp_path: Path) -> None:
    with pytest.warns(locks.LocksWarning, match="somewhere: locks do not work here"):
        locks.warn_of_locks("somewhere", "no")


def test_a_read_only_store_can_be_locked_where_the_file_is_there(tmp_path: Path, ordinary) -> None:  # type: ignore[no-untyped-def]
    script = """
import sys
from pylightnix.store import locks
with locks.held(sys.argv[1]) as first, locks.held(sys.argv[1], wait=False) as second:
    print(first, second)
try:
    locks.take(sys.argv[2])
except PermissionError:
    print("refused")
"""
    place = tmp_path / "store"
    place.mkdir()
    (place / "lock").touch(mode=0o444)
    (place / "lock").chmod(0o444)
    place.chmod(0o555)
    done = ordinary(script, place / "lock", place / "missing")
    assert done.stdout.split() == ["True", "False", "refused"], done.stderr
    place.chmod(0o755)


def test_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: list[Other]) -> None:
    monkeypatch.delattr(os, "fork")
    path = tmp_path / "lock"
    assert locks.self_test(str(tmp_path)) is None
    lock = locks.take(str(path))
    assert lock is not None
    assert not take(path)
    assert not locks.is_free(str(path))
    lock.release(remove=True)
    assert take(path)
    lock = locks.create(str(tmp_path / "other"))
    assert not take(tmp_path / "other")
    lock.release()
