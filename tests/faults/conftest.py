"""For the tests of the fault campaign: it is found, and has a place in memory."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from faults.eager import eager
from faults.stand import quick_place


@pytest.fixture(autouse=True, scope="module")
def disturb_all() -> Iterator[None]:
    with eager():
        yield


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="faults-", dir=quick_place()) as directory:
        yield Path(directory)
