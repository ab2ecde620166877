"""A store that cannot be opened is an observation; what reads it is told with its version."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from pylightnix import Store, __version__
from pylightnix.session.examining import examine
from pylightnix.store.examination.observations import Level


def test_versions_come_first(tmp_path: Path) -> None:
    python, packages, *_ = examine(tmp_path / "store")
    assert python.topic == "python"
    assert f"pylightnix {__version__}, blake3 " in packages.what


@pytest.mark.parametrize("text", ["store/2", "nonsense"])
def test_a_store_that_cannot_be_opened_is_an_observation(tmp_path: Path, text: str) -> None:
    (tmp_path / "format.json").write_text(json.dumps({"pylightnix": text}))
    last = examine(tmp_path)[-1]
    assert (last.topic, last.level, last.where) == ("format", Level.WRONG, str(tmp_path / "format.json"))
    assert last.hint


def test_what_is_observed_is_not_warned_of_too(tmp_path: Path) -> None:
    Store(tmp_path / "store").create()
    (tmp_path / "store").chmod(0o777)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = examine(tmp_path / "store")
    assert [one.where for one in found if one.topic == "trust"] == [str(tmp_path / "store")]
