"""Fetched instead of built: who is asked, who is believed, what is told, and what a remote that is no use may cost."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Remote, Store, match, plan, promise, pull, push, realize, realize_many, stage
from pylightnix.engine.events import Silent
from pylightnix.errors import RemoteError
from pylightnix.model.plan import Step
from pylightnix.remotes.directory import Directory
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.session.elsewhere import VARIABLE
from pylightnix.session.substituting import RemoteWarning

RUNS: list[str] = []


@stage(code="ignore")
def data(number: int = 0, table: Path = promise("table.txt")) -> None:
    RUNS.append("data")
    table.write_text(f"one two {number}")


@stage(code="ignore", matcher=match.best("score", of=2))
def model(build: Build, source: Dep = data(), weights: Path = promise("w.bin")) -> dict[str, float]:
    RUNS.append("model")
    weights.write_text(f"{source.table.read_text()} {build.run}")
    return {"score": build.run + 0.5}


@stage(code="ignore")
def report(best: Dep = model(), text: Path = promise("report.txt")) -> float:
    RUNS.append("report")
    text.write_text(best.weights.read_text())
    return 1.0


class Slow(Directory):
    """Answers late."""

    wait = 0.0

    def names(self, prefix: str) -> Iterator[str]:
        time.sleep(self.wait)
        return super().names(prefix)


class Broken(Directory):
    """Tells what it has, and gives none of it."""

    def get(self, name: str, most: int) -> bytes | None:
        if name.startswith("trees"):
            raise RemoteError("the connection was lost", where=self.url, again=True)
        return super().get(name, most)


class Told(Silent):
    """Notes what was decided."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    def decided(self, step: Step) -> None:
        self.actions.append(step.action)


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One person, who trusts themselves."""
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "keys"))
    Keys().trust("me", Keys().generate().public)
    RUNS.clear()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A remote with everything."""
    store = Store(tmp_path / "one", durability="none")
    done = realize(report(), store=store, quiet=True)
    push(store.realizations(name="model"), tmp_path / "remote", store=store)
    push(done, tmp_path / "remote", store=store)
    RUNS.clear()
    return tmp_path / "remote"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "two", durability="none")


def actions(asked: Any, **options: Any) -> dict[str, str]:
    return {step.derivation.name: step.action for step in plan(asked, **options)}


def test_nothing_is_built_that_can_be_had(place: Path, store: Store) -> None:
    planned = plan(report(), store=store, remotes=[place])
    assert {step.derivation.name: step.action for step in planned} == {
        "data": "reuse",
        "model": "reuse",
        "report": "fetch",
    }
    assert f"from {place}" in planned.steps[-1].why
    assert "B" in planned.steps[-1].why
    assert not store.path.exists(), "a plan writes nothing"
    done = realize(report(), store=store, remotes=[place], quiet=True)
    assert RUNS == []
    assert done.text.read_text() == "one two 0 1"
    assert store.verify().findings == ()
    assert set(actions(report(), store=store).values()) == {"reuse"}


def test_what_is_not_needed_is_not_fetched(place: Path, store: Store) -> None:
    """Only the report's bytes come; of what it was made from, what is known."""
    done = realize(report(), store=store, remotes=[place], quiet=True)
    best = done.deps.best
    assert best.value == {"score": 1.5}
    assert not best.path.exists()
    assert best.deps.source.params["number"] == 0


def test_what_a_run_needs_is_fetched(place: Path, store: Store) -> None:
    @stage(code="ignore")
    def other(best: Dep = model()) -> int:
        return len(best.weights.read_text())

    assert actions(other(), store=store, remotes=[place]) == {"data": "reuse", "model": "fetch", "other": "build"}
    assert realize(other(), store=store, remotes=[place], quiet=True).value == 11
    assert RUNS == []


def test_candidates_from_elsewhere_take_part(place: Path, store: Store) -> None:
    """Two of five runs are there: three are made."""
    more = model().with_matcher(match.best("score", of=5))
    assert [step.wanted for step in plan(more, store=store, remotes=[place])] == [0, 3]
    best = realize(more, store=store, remotes=[place], quiet=True)
    assert RUNS == ["model"] * 3
    assert best.value == {"score": 4.5}


def test_runs_from_elsewhere_count(place: Path, store: Store, tmp_path: Path) -> None:
    """Also those of what is known here alone; a plan says what a realize does."""

    @stage(code="ignore")
    def same(table: Path = promise("table.txt")) -> None:
        RUNS.append("same")
        table.write_text("the same")

    more = same().with_matcher(match.all(of=3))
    other = Store(tmp_path / "one", durability="none")
    few = realize(same(), store=other, quiet=True)
    push(few, place, store=other)
    pull(few.ref, place, store=store, only=[])
    push(realize_many(more, store=other, quiet=True), place, store=other)
    RUNS.clear()
    assert [step.wanted for step in plan(more, store=store).steps] == [2]
    assert [step.action for step in plan(more, store=store, remotes=[place]).steps] == ["fetch"]
    (found,) = realize_many(more, store=store, remotes=[place], quiet=True)
    assert (RUNS, len(found.runs)) == ([], 3)


class Far(Directory):
    """Takes its time for each answer."""

    def get(self, name: str, most: int) -> bytes | None:
        time.sleep(0.05)
        return super().get(name, most)

    def names(self, prefix: str) -> Iterator[str]:
        time.sleep(0.05)
        return super().names(prefix)


def test_many_candidates_of_one_key(place: Path, store: Store, tmp_path: Path) -> None:
    """Are looked at several at once: one after the other they would take longer than anybody waits."""
    many = model().with_matcher(match.best("score", of=40))
    source = Store(tmp_path / "one", durability="none")
    realize(many, store=source, quiet=True)
    push(source.realizations(name="model"), place, store=source)
    RUNS.clear()
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        best = realize(many, store=store, remotes=[Remote(place, backend=Far(str(place)))], quiet=True)
    assert (RUNS, best.value) == ([], {"score": 39.5})
    assert before.issuperset(threading.enumerate()), "no thread is left"


def test_what_is_there_asks_nobody(place: Path, store: Store) -> None:
    realize(report(), store=store, quiet=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        realize(report(), store=store, remotes=["/nowhere/that/is"], quiet=True)


def test_who_is_not_trusted_is_not_chosen(place: Path, store: Store) -> None:
    Keys().revoke("me", "2026-03-01")
    with pytest.warns(RemoteWarning, match="not taken: .*revoked"):
        assert actions(report(), store=store, remotes=[place])["data"] == "build"
    with pytest.warns(RemoteWarning, match="not taken"):
        realize(report(), store=store, remotes=[place], quiet=True)
    assert len(RUNS) == 4


def test_a_slow_remote_costs_five_seconds_and_a_warning(
    place: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pylightnix.remotes.substituting.PATIENCE", 0.5)
    slow = Slow(str(place))
    slow.wait = 3.0
    begun = time.monotonic()
    with pytest.warns(RemoteWarning, match="does not answer") as warned:
        realize([data(number) for number in range(20)], store=store, remotes=[Remote(place, backend=slow)], quiet=True)
    assert time.monotonic() - begun < 2.5
    assert len(warned) == 1
    assert RUNS == ["data"] * 20


def test_many_fruitless_answers_are_slow_too(place: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pylightnix.remotes.substituting.PATIENCE", 0.5)
    slow = Slow(str(place))
    slow.wait = 0.2
    begun = time.monotonic()
    with pytest.warns(RemoteWarning, match="does not answer"):
        realize(
            [data(number + 1) for number in range(100)], store=store, remotes=[Remote(place, backend=slow)], quiet=True
        )
    assert time.monotonic() - begun < 2.5


def test_a_dead_remote_is_told_once(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:  # accepts, and never answers
        url = f"http://127.0.0.1:{busy.getsockname()[1]}/x"
        begun = time.monotonic()
        with pytest.warns(RemoteWarning) as warned:
            realize(report(), store=store, remotes=[url], quiet=True)
    assert time.monotonic() - begun < 8
    assert len(warned) == 1
    assert len(RUNS) == 4


def test_a_remote_that_breaks_while_fetching(place: Path, store: Store) -> None:
    """What was chosen there is had from another one, else made again with its seed."""
    broken = Remote(place, backend=Broken(str(place)))
    with pytest.warns(RemoteWarning, match="connection was lost"):
        done = realize(report(), store=store, remotes=[broken, place], quiet=True)
    assert RUNS == []
    assert done.text.exists()
    third = Store(store.path.with_name("three"), durability="none")
    told = Told()
    with pytest.warns(RemoteWarning, match="connection was lost"):
        done = realize(report(), store=third, remotes=[Remote(place, backend=Broken(str(place)))], listener=told)
    assert "fetch" not in told.actions, "nothing came from there"
    assert done.text.read_text() == "one two 0 1"
    assert RUNS


def test_what_is_damaged_in_one_remote_comes_from_the_next(place: Path, store: Store, tmp_path: Path) -> None:
    """Also what is known of a result."""
    damaged = tmp_path / "damaged"
    shutil.copytree(place, damaged)
    for offer in damaged.glob("claims/*-report/*@*"):
        for label, _ in json.loads(offer.read_bytes())["manifest"]:
            (damaged / "blobs" / label[:2] / label).unlink()
    with pytest.warns(RemoteWarning, match="damaged was not asked any more"):
        realize(report(), store=store, remotes=[damaged, place], quiet=True)
    assert RUNS == []


def test_who_is_believed_need_not_have_made_all(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ann's data, Bob's report of it; who trusts Bob alone, and has the data by its record, takes the report."""
    place = tmp_path / "both"
    public: dict[str, str] = {}
    plain = report(best=model().with_matcher(match.latest()))
    for name in ("ann", "bob"):
        monkeypatch.setenv(DIRECTORY, str(tmp_path / name))
        public[name] = Keys().generate().public
        for other, key in public.items():
            Keys().trust(other, key)
        theirs = Store(tmp_path / f"of-{name}", durability="none")
        done = realize(plain if name == "bob" else data(), store=theirs, remotes=[place], quiet=True)
        push(done, place, store=theirs)
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "carl"))
    pull(done.deps.best.deps.source.ref, place, store=store, only=[], unsigned=True)
    Keys().trust("bob", public["bob"])
    RUNS.clear()
    assert actions(plain, store=store, remotes=[place])["report"] == "fetch"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = realize(plain, store=store, remotes=[place], quiet=True)
    assert (RUNS, found.text.read_text()) == ([], done.text.read_text())
    assert store.verify().findings == ()


def test_artifacts_that_were_collected_come_back(place: Path, store: Store) -> None:
    realize(report(), store=store, quiet=True)
    store.gc(unreachable=True, trash="0d", older_than="0d")
    RUNS.clear()
    steps = plan(report(), store=store, remotes=[place]).steps
    if steps[-1].action == "reuse":
        pytest.skip("nothing was collected: it was in use")
    assert steps[-1].action == "fetch"
    realize(report(), store=store, remotes=[place], quiet=True)
    assert RUNS == []


def test_which_remotes_are_meant(place: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert actions(report(), store=store)["data"] == "build"
    monkeypatch.setenv(VARIABLE, f"  {place} ")
    assert actions(report(), store=store)["report"] == "fetch"
    assert actions(report(), store=store, remotes=[])["report"] == "waiting"
    monkeypatch.delenv(VARIABLE)
    store.remotes = [str(place)]
    assert store.remotes == (str(place),)
    monkeypatch.chdir(place.parent)
    store.remotes = place.name
    assert store.remotes == (str(place),), "one alone, and the same from anywhere"
    with pytest.raises(RemoteError, match="empty address"):
        store.remotes = [""]
    assert store.remotes == (str(place),)
    assert actions(report(), store=store)["report"] == "fetch"
    with pytest.raises(RemoteError, match="no kind of remote"):
        plan(report(), store=store, remotes=["gopher://x"])


def test_what_was_built_is_pushed(tmp_path: Path, store: Store) -> None:
    realize(report(), store=store, push_to=tmp_path / "sent", quiet=True)
    RUNS.clear()
    other = Store(tmp_path / "three", durability="none")
    realize(report(), store=other, remotes=[tmp_path / "sent"], quiet=True)
    assert RUNS == []


@pytest.mark.parametrize("address", ["gopher://x", "http://127.0.0.1:9/x", "", 5])
def test_where_it_cannot_be_pushed_is_told_before_anything_is_built(store: Store, address: object) -> None:
    RUNS.clear()
    with pytest.raises(RemoteError):
        realize(report(), store=store, push_to=address, quiet=True)
    assert RUNS == []


def test_what_could_not_be_pushed_is_kept_under_its_root(tmp_path: Path, store: Store) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").touch()
    with pytest.raises(RemoteError, match="something else"):
        realize(report(), store=store, push_to=tmp_path / "other", root="paper", quiet=True)
    assert [one.name for one in store.roots()] == ["paper"]
