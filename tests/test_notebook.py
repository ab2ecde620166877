"""A real IPython kernel, cell by cell: stages of cells, what reruns after a redefinition, completion, display."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

DEFINE = """
import base64, os
from pathlib import Path
from pylightnix import Build, Dep, Store, match, promise, realize, stage

store = Store(r"{store}")
PIXEL = {pixel!r}

def scale(x):
    return x * 2

def untouched(x):
    return x + 1

@stage
def data(count: int = 3, table: Path = promise("table.txt")) -> None:
    print("making data")
    table.write_text(" ".join(str(untouched(n)) for n in range(count)))

@stage
def fit(build: Build, source: Dep = data(), depth: int = 4, plot: Path = promise("plot.png"),
        note: Path = promise("<b>.txt")) -> dict:
    print("making fit")
    plot.write_bytes(PIXEL)
    note.write_text(str(os.getpid()))
    return {{"sum": sum(scale(int(word)) for word in source.table.read_text().split()), "text": "<script>"}}
"""


class Notebook:
    """Runs cells and gives what they showed."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def __call__(self, code: str) -> dict[str, str]:
        """Run a cell: what was displayed by MIME type, and the streams under `stdout` and `stderr`."""
        shown: dict[str, str] = {"stdout": "", "stderr": ""}

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                shown[content["name"]] += content["text"]
            elif message["msg_type"] in ("execute_result", "display_data"):
                shown.update(content["data"])

        reply = self.client.execute_interactive(code, output_hook=hear, timeout=60)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"]["traceback"])
        return shown

    def complete(self, code: str) -> list[str]:
        """What the tab key offers at the end of this code."""
        reply = self.client.complete(code, reply=True, timeout=30)
        matches: list[str] = reply["content"]["matches"]
        return matches


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    directory = tmp_path_factory.mktemp("notebook")
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(directory))
    try:
        cells = Notebook(client)
        cells(DEFINE.format(store=directory / "store", pixel=PIXEL))
        yield cells
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def built(shown: dict[str, str]) -> list[str]:
    return re.findall(r"^done +(\w+)", shown["stderr"], re.MULTILINE)


@pytest.fixture
def fitted(notebook: Notebook) -> Notebook:
    """`r` is a realization of `fit`."""
    notebook("r = realize(fit(), store=store)")
    return notebook


def test_cells_define_and_realize_and_only_what_changed_runs_again(notebook: Notebook) -> None:
    first = notebook("a = realize(fit(depth=1), store=store)")
    assert built(first) == ["data", "fit"]
    assert "making fit" in first["stderr"]
    again = notebook("a = realize(fit(depth=1), store=store)")
    assert built(again) == []
    assert "2 of 2 reused" in again["stderr"]

    notebook("def scale(x):\n    # another comment\n    return x * 2")
    assert built(notebook("a = realize(fit(depth=1), store=store)")) == []

    notebook("def scale(x):\n    return x * 3")
    changed = notebook("b = realize(fit(depth=1), store=store)")
    assert built(changed) == ["fit"]
    assert "scale" in changed["stderr"], "why is said"
    assert notebook("print(a.value['sum'], b.value['sum'])")["stdout"] == "12 18\n"

    notebook("def untouched(x):\n    return x + 2")
    assert built(notebook("c = realize(fit(depth=1), store=store)")) == ["data", "fit"]


def test_stages_of_cells_run_in_processes_too(notebook: Notebook) -> None:
    shown = notebook(
        "p = realize([fit(depth=d) for d in (11, 12)], store=store, executor='process', jobs=2)\n"
        "print(os.getpid() in {int(one.note.read_text()) for one in p}, len({one.note.read_text() for one in p}))"
    )
    assert shown["stdout"] == "False 2\n"
    assert sorted(built(shown))[-2:] == ["fit", "fit"]
    assert "making fit" not in shown["stderr"]
    notebook("def scale(x):\n    return x * 5")
    assert built(notebook("realize(fit(depth=11), store=store, executor='process');")) == ["fit"]


def test_the_tab_key_offers_promises_and_parameters(fitted: Notebook) -> None:
    offered = {match.removeprefix(".") for match in fitted.complete("r.")}
    assert {"plot", "note", "depth", "path", "deps", "value"} <= offered
    assert {match.removeprefix(".") for match in fitted.complete("r.pl")} == {"plot"}
    fitted("inputs, outputs, description = r.deps, r.promises, fit()")
    assert "source" in {match.removeprefix(".") for match in fitted.complete("inputs.")}
    assert "plot" in {match.removeprefix(".") for match in fitted.complete("outputs.")}
    assert {"plot", "note"} <= {match.removeprefix(".") for match in fitted.complete("description.")}


def test_a_realization_shows_itself(fitted: Notebook) -> None:
    shown = fitted("r")
    html = shown["text/html"]
    assert f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}" in html
    for expected in ("fit", "depth", "sum", "plot.png", "&lt;b&gt;.txt", "&lt;script&gt;", "/store/"):
        assert expected in html
    assert "<script" not in html
    assert "<b>.txt" not in html
    ref = fitted("print(r.ref.short)")["stdout"].strip()
    assert ref in html
    assert shown["text/plain"].startswith(f"Realization({ref}-fit")


def test_what_is_no_result_shows_itself_as_text(notebook: Notebook) -> None:
    assert notebook("fit(depth=9)")["text/plain"] == "fit(depth=9, source=data(…))"
    assert notebook("fit")["text/plain"] == "<stage fit>"
    from_list = notebook("realize([data()], store=store)")
    assert "Realization(" in from_list["text/plain"]


def test_a_plan_is_printed(notebook: Notebook) -> None:
    assert "build" in notebook("from pylightnix import plan; print(plan(fit(depth=99), store=store))")["stdout"]


def test_results_are_images_of_the_store(fitted: Notebook) -> None:
    path = Path(fitted("print(r.plot)")["stdout"].strip())
    assert path.read_bytes() == PIXEL
