"""What goes by name and what by value, and what is said of what cannot go at all."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

from pylightnix.executors import ProcessExecutor
from pylightnix.executors.modules import Modules
from pylightnix.executors.transport import NotPortableError, pack
from pylightnix.model.promises import Promise
from pylightnix.testing import builders
from pylightnix.testing.bench import Bench, failure_of, value_of

LOCKED_MODULE = """
import threading
LOCK = threading.Lock()

def use_lock():
    with LOCK:
        pass

def use_user_of_lock():
    use_lock()
"""
WRAPPED_MODULE = """
import functools, threading
LOCK = threading.Lock()

class Stage:
    def __init__(self, function):
        functools.update_wrapper(self, function)

def helper():
    return 1

@Stage
def builder():
    with LOCK:
        return helper()
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    executor = ProcessExecutor()
    yield Bench(executor, tmp_path)
    executor.stop()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path, whose modules are forgotten afterwards."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(bench: Bench, builder: Callable[..., object], **arguments: Any) -> str:
    with pytest.raises(NotPortableError) as caught:
        pack(bench.request(builder, **arguments), Modules())
    failure = caught.value.failure
    assert failure.kind == "transport"
    assert "inline executor" in failure.hint
    return failure.what


def test_the_cause_is_named(bench: Bench, tmp_path: Path) -> None:
    lock = threading.Lock()
    (tmp_path / "locked.py").write_text(LOCKED_MODULE)
    locked = load("locked", tmp_path / "locked.py", register=False)

    def capture() -> None:
        with lock:
            pass

    def default(number: int, *, guard: object = lock) -> None:
        print(number, guard)

    ending = "cannot be sent to another process: TypeError: cannot pickle '_thread.lock' object"
    assert refusal(bench, builders.give, value=lock) == f"the argument 'value' (_thread.lock) {ending}"
    assert refusal(bench, locked.use_lock).startswith("the global 'LOCK' (_thread.lock), which use_lock names, cannot")
    assert refusal(bench, locked.use_user_of_lock).startswith("the global 'LOCK' (_thread.lock), which use_lock names,")
    assert "the captured variable 'lock' (_thread.lock), which test_the_cause" in refusal(bench, capture)
    assert "the default 'guard' (_thread.lock), which" in refusal(bench, default, number=1)
    check = {"table": Promise("t", check=lambda _: lock.locked())}
    assert "the captured variable 'lock'" in refusal(bench, builders.note, promises=check, text="x")
    assert "the builder of stage cannot" in refusal(bench, functools.partial(builders.give, lock))


def test_the_executor_tells_it_as_a_failure(bench: Bench) -> None:
    lock = threading.Lock()
    assert "the builder of stage" in failure_of(bench.run(lock.locked), "transport").what
    assert value_of(bench.run(builders.give, value=1)) == 1


def test_defaults_of_what_is_given_do_not_go(bench: Bench) -> None:
    """An input stands there when the stage is described, with all that made it."""

    def builder(lock: object = threading.Lock(), *, other: object = sys.stdout) -> list[object]:
        return [lock, other]

    assert value_of(bench.run(builder, lock=1, other=2)) == [1, 2]


def test_by_name_below_a_decorator(bench: Bench, project: Path) -> None:
    """The lock beside the builder need not be carried: the worker imports the module."""
    (project / "wrapped_stage.py").write_text(WRAPPED_MODULE)
    wrapped_stage = import_module("wrapped_stage")
    assert value_of(bench.run(wrapped_stage.builder.__wrapped__)) == 1


def load(name: str, path: Path, *, register: bool) -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if register:
        sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("register", [True, False])
def test_a_module_loaded_by_path(bench: Bench, tmp_path: Path, project: Path, register: bool) -> None:
    path = tmp_path / "not a module.py"
    path.write_text(
        "class Point:\n    x = 3\n\ndef inner():\n    return Point().x\n\ndef builder():\n    return inner()\n"
    )
    module = load("loaded_by_path", path, register=register)
    assert value_of(bench.run(module.builder)) == 3
    assert not cloudpickle.list_registry_pickle_by_value()


def test_a_name_that_leads_to_another_file(bench: Bench, tmp_path: Path, project: Path) -> None:
    (project / "twice.py").write_text("def builder():\n    return 'the other'\n")
    path = tmp_path / "twice.py"
    path.write_text("def builder():\n    return 'loaded'\n")
    assert value_of(bench.run(load("twice", path, register=True).builder)) == "loaded"


def test_a_file_that_changed_since(bench: Bench, project: Path) -> None:
    """What runs is what is loaded here, and identified, not what somebody just saved."""
    (project / "edited_inner.py").write_text("def inner():\n    return 'loaded'\n")
    (project / "edited_outer.py").write_text("import edited_inner\n\ndef builder():\n    return edited_inner.inner()\n")
    edited_outer = import_module("edited_outer")
    assert value_of(bench.run(edited_outer.builder)) == "loaded"
    (project / "edited_inner.py").write_text("def inner():\n    return 'just saved'\n")
    assert value_of(bench.run(edited_outer.builder)) == "loaded"


def test_packages_of_the_project_go_by_name(project: Path) -> None:
    for name in ("pack_one", "pack_one/inner"):
        (project / name).mkdir()
        (project / name / "__init__.py").touch()
    (project / "pack_one" / "inner" / "leaf.py").touch()
    (project / "space_one").mkdir()
    (project / "space_one" / "leaf.py").touch()
    import_module("pack_one.inner.leaf")
    import_module("space_one.leaf")
    made = sys.modules["made_by_hand"] = ModuleType("made_by_hand")
    foreign = Modules().foreign()
    ours = [m for m in foreign if m.__name__.partition(".")[0] in ("pack_one", "space_one", "made_by_hand")]
    assert ours == [made]


def test_looking_again_is_cheap_and_finds_what_is_new(project: Path, tmp_path: Path) -> None:
    modules = Modules()
    before = modules.foreign()
    (tmp_path / "later.py").touch()
    later = load("loaded_later", tmp_path / "later.py", register=True)
    assert [m for m in modules.foreign() if m not in before] == [later]


def test_a_module_that_the_worker_cannot_import(bench: Bench, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "vanishing.py").write_text("def builder():\n    pass\n")
    vanishing = import_module("vanishing")
    pack(bench.request(vanishing.builder), bench.executor._modules)  # type: ignore[attr-defined]
    monkeypatch.setattr(bench.executor._modules, "foreign", list)  # type: ignore[attr-defined]
    (project / "vanishing.py").unlink()
    failure = failure_of(bench.run(vanishing.builder), "transport")
    assert "No module named 'vanishing'" in failure.what
    assert "PYTHONPATH" in failure.hint


def test_source_of_a_notebook_cell_is_in_the_traceback(bench: Bench) -> None:
    import linecache

    source = "def cell(number):\n    return 1 // number  # in the cell\n"
    name = "<cell 7>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), namespace)
    failure = failure_of(bench.run(namespace["cell"], number=0), "exception")
    assert "# in the cell" in failure.traceback
