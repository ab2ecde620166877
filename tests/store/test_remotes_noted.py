"""The remotes that a store looks at by itself: addresses without credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix import Store
from pylightnix.errors import StoreError


@pytest.mark.parametrize("url", ["https://me:hush@h/x", "https://hush@h/x", "s3://k:hush@b/x", "sftp://me:hush@h/x"])
def test_no_password_gets_into_the_store(tmp_path: Path, url: str) -> None:
    store = Store(tmp_path / "s")
    with pytest.raises(StoreError, match="has a password in it") as failure:
        store.remotes = [url]
    assert "hush" not in str(failure.value)
    store.remotes = ["sftp://ann@h/x", "s3://bucket/x", "/some/place"]
    assert Store(tmp_path / "s").remotes == ("sftp://ann@h/x", "s3://bucket/x", "/some/place")
