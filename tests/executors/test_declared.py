"""Each rule of what counts as undeclared, on the thing itself: a watch, a request, and what is found."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix.executors import declared as declared_
from pylightnix.executors import watching
from pylightnix.executors.declared import Declared
from pylightnix.executors.watching import Unwatched, Watch
from pylightnix.model.build import BuildRequest, Finding
from pylightnix.threads import start_thread

OLD = time.time() - 1000


@pytest.fixture
def request_(tmp_path: Path) -> BuildRequest:
    places = [str(tmp_path / "run" / name) for name in ("out", "scratch", "checkpoint", "log")]
    return BuildRequest("stage", int, False, {}, {}, "key", 0, 0, *places)


def found(request: BuildRequest, builder: Callable[[], object], started: float | None = None) -> tuple[Finding, ...]:
    declared = Declared(request)
    with Watch(declared.is_clear) as watch:
        builder()
    return declared.findings(watch, time.time() + 1000 if started is None else started)[0]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "data"
    path.parent.mkdir()
    path.write_text("1")
    return path


@pytest.mark.parametrize("place", ["out", "scratch", "checkpoint"])
def test_directories_of_the_run_are_its_own_whenever_their_files_were_made(request_: BuildRequest, place: str) -> None:
    path = Path(getattr(request_, place)) / "x"
    path.parent.mkdir(parents=True)
    path.write_text("1")
    assert found(request_, path.read_text) == ()


def test_what_was_made_meanwhile_is_no_finding(request_: BuildRequest, data: Path) -> None:
    """By whomever: C code and children are not seen."""
    assert found(request_, data.read_text, OLD) == ()
    assert found(request_, data.read_text) == (Finding("file", str(data)),)


@pytest.mark.parametrize("others", ["descriptors", "bytes", "mixed", "beside", "none"])
def test_one_of_many_in_another_place_is_found(request_: BuildRequest, tmp_path: Path, data: Path, others: str) -> None:
    own = Path(request_.out)
    (own / "below").mkdir(parents=True)

    def builder() -> None:
        for name in ("x", "y", "below/z"):
            (own / name).write_text("1")
            with open(own / name, "rb") as stream:
                if others in ("descriptors", "mixed"):
                    os.fdopen(os.dup(stream.fileno())).close()
            if others in ("bytes", "mixed"):
                open(os.fsencode(own / name)).close()
        if others in ("mixed", "beside"):
            data.read_text()

    assert found(request_, builder) == ((Finding("file", str(data)),) if others in ("mixed", "beside") else ())


def test_descriptors_alone_are_no_findings(request_: BuildRequest, data: Path) -> None:
    handle = os.open(data, os.O_RDONLY)
    assert found(request_, lambda: os.fdopen(handle).close()) == ()


@pytest.mark.parametrize("name", ["site-packages", "dist-packages", "__pycache__", "x-1.0.dist-info"])
def test_what_is_installed_is_no_finding(request_: BuildRequest, tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "x.txt"
    path.parent.mkdir()
    path.write_text("1")
    assert found(request_, path.read_text) == ()


def test_what_is_in_a_directory_that_was_made_is_no_finding(request_: BuildRequest, tmp_path: Path, data: Path) -> None:
    """However its files came there, with their old times."""

    def make() -> None:
        (tmp_path / "made").mkdir()
        os.link(data, tmp_path / "made" / "x")
        (tmp_path / "made" / "x").read_text()
        (tmp_path / "made").rename(tmp_path / "renamed")
        (tmp_path / "renamed" / "x").read_text()

    assert found(request_, make) == ()


def test_a_directory_that_was_there_is_not_made_by_asking_for_it(request_: BuildRequest, data: Path) -> None:
    def make() -> None:
        data.parent.mkdir(exist_ok=True)
        data.read_text()

    assert found(request_, make) == (Finding("file", str(data)),)


def test_declared_paths_are_so_by_all_their_names(request_: BuildRequest, tmp_path: Path, data: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(data)
    declared = request_._replace(inputs=(str(link),))
    assert found(declared, data.read_text) == ()
    assert found(declared, link.read_text) == ()
    folder = request_._replace(inputs=(str(data.parent),))
    assert found(folder, link.read_text) == ()


def test_code_that_is_executed_by_its_path_is_code(request_: BuildRequest, tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("1")
    assert found(request_, lambda: exec(compile(path.read_text(), str(path), "exec"))) == ()
    assert found(request_, path.read_text) == (Finding("file", str(path)),)


def test_a_run_within_a_run_gives_the_watch_back(request_: BuildRequest, data: Path) -> None:
    def nest() -> None:
        assert found(request_, lambda: None) == ()
        data.read_text()

    assert found(request_, nest) == (Finding("file", str(data)),)


def test_what_listeners_do_is_not_the_builders(request_: BuildRequest, data: Path) -> None:
    def listen() -> None:
        with Unwatched():
            data.read_text()

    assert found(request_, listen) == ()


def test_what_threads_that_were_there_before_do_is_not_the_builders(request_: BuildRequest, data: Path) -> None:
    begin = threading.Event()
    done: list[int] = []

    def read() -> None:
        begin.wait()
        data.read_text()
        done.append(1)

    def builder() -> None:
        begin.set()
        while len(done) < wanted:
            time.sleep(0.001)

    for kinds in ("user", "own", "user own", "own user"):
        begin.clear()
        done.clear()
        wanted = len(kinds.split())
        for kind in kinds.split():
            threading.Thread(target=read, daemon=True).start() if kind == "user" else start_thread(read)
        assert found(request_, builder) == (), kinds


def test_a_thread_of_the_builder_with_the_number_of_one_that_is_over_is_the_builders(
    request_: BuildRequest, data: Path
) -> None:
    over = threading.Event()

    def wait() -> None:
        over.wait()

    def builder() -> None:
        over.set()
        time.sleep(0.1)
        for _ in range(20):
            thread = threading.Thread(target=data.read_text)
            thread.start()
            thread.join()

    start_thread(wait)
    time.sleep(0.1)
    assert found(request_, builder) == (Finding("file", str(data)),)


def test_one_of_two_files_of_a_name_is_not_guessed(
    request_: BuildRequest, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(request_.scratch)
    own.mkdir(parents=True)
    (own / "data").write_text("1")
    monkeypatch.chdir(data.parent)

    def read() -> None:
        place = os.open(own, os.O_RDONLY)
        os.close(os.open("data", os.O_RDONLY, dir_fd=place))
        os.close(place)

    assert found(request_, read) == ()


def test_what_is_not_noted_any_more_is_counted(
    request_: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_NOTED", 2)
    declared = Declared(request_)
    with Watch(declared.is_clear) as watch:
        for name in "abcd":
            with pytest.raises(FileNotFoundError):
                (tmp_path / name).read_text()
    assert declared.findings(watch, OLD) == ((), 2)


def test_of_files_in_an_input_only_the_first_is_asked_about(request_: BuildRequest, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name in "abc":
        (given / name).write_text("1")
    asked: list[str] = []
    declared = Declared(request_._replace(inputs=(str(given),)))

    def is_clear(folder: str) -> bool:
        asked.append(folder)
        return declared.is_clear(folder)

    with Watch(is_clear) as watch:
        for name in "abc":
            (given / name).read_text()
    assert (asked, watch.opened, watch.idle) == ([str(given)], {}, True)


def test_a_directory_that_is_forgotten_is_asked_about_again(
    request_: BuildRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (watching, declared_):
        monkeypatch.setattr(module, "MOST_KNOWN", 2)
    given = tmp_path / "given"
    for name in "abcd":
        for place in (given, tmp_path / "other"):
            (place / name).mkdir(parents=True)
            (place / name / "file").write_text("1")

    def read() -> None:
        for name in [*"abcd", *"abcd"]:
            (given / name / "file").read_text()
            (tmp_path / "other" / name / "file").read_text()

    told = found(request_._replace(inputs=(str(given),)), read)
    assert [one.what for one in told] == [str(tmp_path / "other" / name / "file") for name in "abcd"]


def test_a_builder_gets_its_own_error_for_what_is_no_path(request_: BuildRequest, tmp_path: Path) -> None:
    def read() -> None:
        for path in (f"{tmp_path}/a\0b/c", f"{tmp_path}/\ud800/c"):
            with pytest.raises((ValueError, FileNotFoundError)):
                open(path).close()

    assert found(request_, read) == ()


def test_an_address_is_told_by_its_name_alone(request_: BuildRequest) -> None:
    declared = Declared(request_)
    watch = Watch(declared.is_clear)
    watch.contacts = dict.fromkeys([("example.org", "80"), ("192.0.2.1", "80"), ("192.0.2.1", "81"), ("", "0")])
    told, _ = declared.findings(watch, OLD)
    assert [one.what for one in told] == ["example.org:80", "192.0.2.1:81"]


def test_variables_that_packages_ask_for_are_no_findings(request_: BuildRequest) -> None:
    ask = compile("import os; os.environ.get('PLX_ASKED')", pytest.__file__, "exec")
    assert found(request_, lambda: exec(ask)) == ()
    assert found(request_, lambda: os.environ.get("PLX_ASKED")) == (Finding("variable", "PLX_ASKED"),)


def test_sockets_of_this_machine_are_no_network(request_: BuildRequest, tmp_path: Path) -> None:
    def bind() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(os.path.relpath(tmp_path / "s"))

    assert found(request_, bind) == ()
