"""Realizations made with the store's own methods, without stages; and processes that may not write everywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pylightnix.hashing import canonical, digest_bytes, digest_document, kind_tag
from pylightnix.model.keeping import Sealed
from pylightnix.model.records import Context, InputChoice, Record, Run, make_context, seed_of
from pylightnix.names import DerivationRef, KeyRef
from pylightnix.store.store import Store
from tests.powers import drop_powers
from tests.store.samples import SAMPLE, make_tree

STARTED = "2026-03-01T12:00:00.000000+00:00"

Inputs = Mapping[str, tuple[Record, Context]]


class Maker:
    """Runs of stages that there are not, registered in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keeper = store.keeper

    def __call__(self, name: str = "model", content: str = "content", **how: Any) -> Record:
        """One run of the stage `name(n=…)`; the record of the realization that it gave."""
        sealed, run = self.sealed(name, content, **how)
        return self.keeper.register(sealed, run)

    def sealed(
        self, name: str = "model", content: str = "content", *, n: object = 0, value: object = None,
        log: str = "", inputs: Inputs | None = None, index: int | None = None, more: Mapping[str, str] | None = None,
    ) -> tuple[Sealed, Run]:  # fmt: skip
        """A run that has ended and is not registered."""
        ref, document = self.describe(name, n, inputs or {})
        context = self.context(ref, inputs or {})
        key, home = self.key(name, n, inputs or {})
        self.keeper.write_derivation(ref, document)
        if index is None:
            index = self.keeper.reserve(home)
        workspace = self.keeper.workspace(home, index)
        for path, text in {"out.txt": content, **(more or {})}.items():
            Path(workspace.out, path).parent.mkdir(exist_ok=True)
            Path(workspace.out, path).write_text(text)
        if log:
            Path(workspace.log).write_text(log)
        sealed = self.keeper.seal(workspace, home, key, value, {"out": "out.txt"})
        return sealed, Run(index, seed_of(key, index), STARTED, 0.5, context, None, {"host": "here"})

    def describe(self, name: str, n: object, inputs: Inputs) -> tuple[DerivationRef, bytes]:
        """The reference of a derivation, and its document."""
        given = {key: {"$derivation": context.derivation} for key, (_, context) in inputs.items()}
        promises = {"out": {"empty": False, "kind": "file", "path": "out.txt"}}
        fields = {"code": {"version": "1"}, "name": name, "params": {"n": n, **given}, "promises": promises}
        document = canonical({**fields, "pylightnix": kind_tag("derivation")})
        return DerivationRef.of(digest_bytes(document), name), document

    def key(self, name: str, n: object, inputs: Inputs) -> tuple[str, KeyRef]:
        """What stands for a key here."""
        key = digest_document("key", {"name": name, "n": n, "trees": [r.tree for r, _ in inputs.values()]})
        return key, KeyRef.of(key, name)

    def context(self, ref: DerivationRef, inputs: Inputs) -> Context:
        """The context of a derivation with these inputs."""
        return make_context(
            ref,
            {c.derivation: InputChoice(r.home, (r.ref,), False, c.hash, "latest()") for r, c in inputs.values()},
        )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def make(store: Store) -> Maker:
    return Maker(store)


@pytest.fixture
def maker() -> type[Maker]:
    return Maker


Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ordinary(tmp_path: Path) -> Script:
    """Runs Python as somebody whom modes can stop."""

    def run(source: str, *args: object, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "script.py"
        file.write_text(source)
        return subprocess.run(
            [sys.executable, "-W", "error", str(file), *map(str, args)], capture_output=True, text=True, check=False,
            cwd=tmp_path, umask=umask, preexec_fn=drop_powers,
        )  # fmt: skip

    (tmp_path / "closed").mkdir(mode=0o555)
    probe = run("import os, sys; print(os.access(sys.argv[1], os.W_OK))", tmp_path / "closed")
    if probe.stdout != "False\n":
        pytest.skip("modes stop nobody here")
    return run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "sample", SAMPLE)
