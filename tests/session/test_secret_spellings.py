"""Secrets that a builder writes down in another form than they have, and those that are too short to be looked for."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pylightnix import Secret, Store, check, promise, realize, stage
from pylightnix.errors import BuildError
from pylightnix.stages import command

VALUE = 'hush/tok+"en"=='
WAYS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
    "url": lambda text: quote(text, safe=""),
    "json": lambda text: json.dumps({"t": text}),
    "hex": lambda text: text.encode().hex(),
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("API_TOKEN", VALUE)
    return Store(tmp_path / "s")


@stage(code="ignore")
def writes(how: str, where: str, token: Secret = Secret("API_TOKEN"), table: Path = promise("table.txt")) -> Any:
    written = WAYS[how](token.reveal())
    table.write_text("x")
    match where:
        case "log":
            print("sent", written, "to them")
        case "value":
            return {"sent": written}
        case "file":
            table.write_text("x" * ((1 << 20) - 5) + written)
        case "error":
            raise RuntimeError(f"refused: {written}")
    return None


def tells(store: Store, how: str) -> list[str]:
    core = WAYS[how](VALUE).encode()[6:-6]
    return [str(path) for path in Path(store.path).rglob("*") if path.is_file() and core in path.read_bytes()]


@pytest.mark.parametrize("how", WAYS)
def test_it_is_found_in_another_form(store: Store, how: str) -> None:
    made = realize(writes(how, "log"), store=store, quiet=True)
    assert "***" in made.log
    assert tells(store, how) == []
    for where, told in (("value", "what was returned has"), ("file", "table.txt has"), ("error", r"refused: .*\*\*\*")):
        with pytest.raises(BuildError, match=told) as caught:
            realize(writes(how, where), store=store, quiet=True)
        assert WAYS[how](VALUE)[6:-6] not in f"{caught.value} {caught.value.fields}"
        assert tells(store, how) == []


@stage(code="ignore", secrets=["API_TOKEN"])
def begins(begun: str) -> int:
    Path(begun).touch()
    return len(os.environ["API_TOKEN"])


@pytest.mark.parametrize("text", ["x", "pin12", ""])
def test_a_short_one_is_refused_before_the_builder_begins(
    store: Store, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", text)
    script = command("script", f"touch {tmp_path}/begun; : $t", t=Secret("API_TOKEN"))
    for asked in (begins(str(tmp_path / "begun")), script):
        with pytest.raises(BuildError) as caught:
            realize(asked, store=store, quiet=True)
        told = f"has {len(text)} character" if text else "is not set here"
        assert f"the secret API_TOKEN {told}" in str(caught.value)
        assert caught.value.hint
        assert not text or f" {text} " not in str(caught.value)
    assert not (tmp_path / "begun").exists()
    assert store.realizations() == []
    assert not list(Path(store.path).glob("tmp/*"))
    monkeypatch.setenv("API_TOKEN", "pin123")
    realize(begins(str(tmp_path / "begun")), store=store, quiet=True)
    monkeypatch.setenv("API_TOKEN", text)
    with pytest.raises(BuildError, match="the secret API_TOKEN"):
        check(begins(str(tmp_path / "begun")), store=store, quiet=True)


def test_one_run_without_its_secret_fails_alone(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "another")
    monkeypatch.setenv("API_TOKEN", "x")

    @stage(code="ignore", secrets=["OTHER"])
    def other() -> int:
        return 1

    with pytest.raises(BuildError, match="API_TOKEN has 1 character, and"):
        realize([begins(str(tmp_path / "begun")), other()], store=store, quiet=True, keep_going=True, jobs=2)
    assert [one.name for one in store.realizations()] == ["other"]
