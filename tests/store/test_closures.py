"""What belongs to a selection: all of it, in order; what is missing and what is damaged told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix.errors import DamageError
from pylightnix.hashing import DIGITS
from pylightnix.model.records import Context, Record
from pylightnix.model.selection import Selection, selection_of
from pylightnix.store.closures import Closure, Place, closure_of, derivation_bytes, environment_bytes, member, members
from pylightnix.store.removal import remove_tree
from pylightnix.store.store import Store
from tests.store.conftest import Maker


def chosen(store: Store, *records: Record) -> Selection:
    return selection_of(store.realization(record.ref) for record in records)


def origin(store: Store, record: Record) -> tuple[Record, Context]:
    return record, store.keeper.origin(record)


def reached(store: Store, *records: Record) -> Closure:
    return closure_of(store.keeper, chosen(store, *records))


def refs(found: Closure) -> list[str]:
    return [place.ref for place in found.order]


@pytest.fixture
def chain(store: Store, make: Maker) -> list[Record]:
    """Three realizations, each made from the one before and from the first."""
    data = make("data", "data")
    model = make("model", "model", inputs={"data": origin(store, data)}, log="trained")
    both = {"data": origin(store, data), "model": origin(store, model)}
    return [data, model, make("report", "report", inputs=both)]


def test_inputs_come_before_what_uses_them_each_once(store: Store, chain: list[Record]) -> None:
    data, model, report = chain
    assert refs(reached(store, report, model)) == [data.ref, model.ref, report.ref]
    assert refs(reached(store, model)) == [data.ref, model.ref]
    assert reached(store, report).absent == ()


def test_order_holds_over_all_contexts_that_are_followed(store: Store, make: Maker) -> None:
    """A realization that two targets use in two contexts comes after the inputs of both."""
    early, late = make("data", "early"), make("data", "late", n=1)
    model = make("model", "model", inputs={"data": origin(store, early)})
    keeper = store.keeper
    ref, document = make.describe("model", 0, {"data": origin(store, late)})
    other = make.context(ref, {"data": origin(store, late)})
    keeper.add_context(model, other, document)
    one = make("one", "one", inputs={"model": origin(store, model)})
    two = make("two", "two", inputs={"model": (model, other)})
    order = refs(reached(store, one, two))
    assert len(order) == 5
    assert max(order.index(early.ref), order.index(late.ref)) < order.index(model.ref) < order.index(two.ref)
    assert late.ref not in refs(reached(store, one))


def test_a_realization_that_is_its_own_input(store: Store, make: Maker) -> None:
    model = make("model", "same")
    ref, document = make.describe("model", 0, {"before": origin(store, model)})
    again = make.context(ref, {"before": origin(store, model)})
    store.keeper.add_context(model, again, document)
    user = make("user", "user", inputs={"model": (model, again)})
    assert refs(reached(store, user)) == [model.ref, user.ref]


def test_a_long_chain_is_walked_without_recursion(tmp_path: Path) -> None:
    store = Store(tmp_path / "quick", durability="none")
    make = Maker(store)
    before = make("stage", "0")
    for n in range(1, 1200):
        before = make("stage", str(n), n=n, inputs={"before": origin(store, before)})
    found = reached(store, before)
    assert len(found.order) == 1200
    assert found.order[-1].ref == before.ref


def test_what_is_collected_is_thin_and_what_is_removed_is_absent(store: Store, chain: list[Record]) -> None:
    data, model, report = chain
    remove_tree(store.keeper.payload_text(model))
    remove_tree(store.keeper.place(data))
    found = reached(store, report)
    assert refs(found) == [model.ref, report.ref]
    assert [(one.place.ref, one.through) for one in found.absent] == [(data.ref, model.ref)]
    assert [member(store.keeper, place).present for place in found.order] == [False, True]


def test_a_member_has_all_that_is_noted(store: Store, make: Maker, chain: list[Record]) -> None:
    data, model, _ = chain
    make("model", "model", inputs={"data": origin(store, data)}, log="again")
    ref, document = make.describe("model", 7, {})
    store.keeper.add_context(model, make.context(ref, {}), document)
    found = member(store.keeper, Place(model.home, model.ref))
    assert sorted(run.index for run in found.runs.values()) == [0, 1]
    assert len(found.contexts) == 1
    assert set(found.derivations) == {ref, *(run.derivation for run in found.runs.values())}
    directory = Path(found.directory)
    assert {"record.json", "manifest.jsonl", *found.files} == {path.name for path in directory.iterdir()}
    logs = [name for name in found.files if name.endswith(".log")]
    assert found.files[: len(logs)] == logs
    assert len(logs) == 2


def test_documents_are_checked(store: Store, chain: list[Record]) -> None:
    ref = store.keeper.origin(chain[0]).derivation
    path = store.path / "derivations" / f"{ref}.json"
    assert derivation_bytes(store.keeper, ref) == path.read_bytes()
    digest = store.keeper.environment({"python": "3"})
    environment = store.path / "environments" / f"{digest[:DIGITS]}.json"
    assert environment_bytes(store.keeper, digest) == environment.read_bytes()
    for file in (path, environment):
        file.chmod(0o644)
        file.write_bytes(file.read_bytes().replace(b"3", b"4").replace(b"data", b"date"))
    with pytest.raises(DamageError, match="not those of its name") as caught:
        derivation_bytes(store.keeper, ref)
    assert caught.value.where == str(path)
    with pytest.raises(DamageError, match="not those of its name") as caught:
        environment_bytes(store.keeper, digest)
    assert caught.value.where == str(environment)
    path.unlink()
    with pytest.raises(DamageError, match="not there"):
        derivation_bytes(store.keeper, ref)


@pytest.mark.parametrize("kind", ["record.json", "run-*.json", "run-*.log"])
@pytest.mark.parametrize("how", ["gone", "cut", "link"])
def test_damage_names_the_file(store: Store, chain: list[Record], kind: str, how: str) -> None:
    model = chain[1]
    (path,) = Path(store.keeper.place(model)).glob(kind)
    path.chmod(0o644)
    selection = chosen(store, chain[2])
    if how == "cut" and kind == "run-*.log":
        pytest.skip("a log is any bytes")
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.rename(store.path / "elsewhere")
    if how == "link":
        path.symlink_to(store.path / "elsewhere")
    if how == "gone" and kind == "run-*.json":
        with pytest.raises(DamageError, match="no run is left"):
            closure_of(store.keeper, selection)
        return
    with pytest.raises(DamageError) as caught:
        list(members(store.keeper, closure_of(store.keeper, selection)))
    assert caught.value.where == str(path)


def test_a_context_that_nobody_noted(store: Store, make: Maker, chain: list[Record]) -> None:
    data, model, _ = chain
    ref, _ = make.describe("model", 5, {})
    unnoted = make.context(ref, {})
    user = make("user", "user", inputs={"model": (model, unnoted)})
    with pytest.raises(DamageError, match="is not in the store, or damaged") as caught:
        reached(store, user)
    assert unnoted.hash[:DIGITS] in caught.value.where
    assert data.ref not in caught.value.where
