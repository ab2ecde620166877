"""Importing the package is cheap: nothing that only some of its users need comes with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "IPython", "asyncio", "click", "cloudpickle", "concurrent.futures.process", "cryptography", "dask", "distributed",
    "fsspec", "http", "joblib", "multiprocessing", "numpy", "obstore", "pandas", "rich", "sklearn", "submitit",
    "unittest", "xml",
)  # fmt: skip


def imported(statement: str) -> set[str]:
    """The modules that a fresh Python has after a statement and does not have without it."""

    def modules(code: str) -> set[str]:
        script = f"{code}\nimport sys; print(*sys.modules)"
        return set(
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        )

    return modules(statement) - modules("pass")


@pytest.mark.parametrize("heavy", HEAVY)
def test_import_brings_nothing_heavy(heavy: str) -> None:
    assert heavy not in ALONE


def test_the_probe_finds_imports() -> None:
    assert "json" in imported("import json")


ALONE = imported("import pylightnix")
