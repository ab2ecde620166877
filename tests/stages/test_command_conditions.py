"""How the runs of a `command` are carried out: as `@stage` says it, tried for real."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Secret, Store, realize
from pylightnix.errors import ArgumentError, BuildError, ConfigError, ResourceError
from pylightnix.stages import command
from pylightnix.testing.isolation import need_sandbox

CONDITIONS: dict[str, Any] = {
    "resources": {"cpus": 1, "memory": "1G"}, "timeout": 60, "retries": 2, "isolation": "process", "network": True,
    "pass_variables": ["LUCK"], "secrets": ["API_TOKEN"], "reads": ["/data"],
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def test_conditions_are_in_no_identity_and_hold(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "hush hush")
    plain, asked = command("a", "true"), command("a", "true", **CONDITIONS)
    assert plain.ref == asked.ref
    made = realize(asked, store=store, quiet=True)
    assert made.params["variables"] == {}
    assert made.runs[0].facts["isolation"] == "process"


def test_a_script_may_take_so_long_and_no_longer(store: Store) -> None:
    begun = time.monotonic()
    with pytest.raises(BuildError, match=r"0\.5 s"):
        realize(command("long", "sleep 60", timeout=0.5), store=store, quiet=True)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("cause", ["ScriptError", "RuntimeError"])
def test_it_is_tried_again(store: Store, tmp_path: Path, cause: str) -> None:
    script = f"echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -eq 3"
    realize(command("flaky", script, retries={cause: 2}), store=store, quiet=True)
    assert (tmp_path / "tries").read_text() == "x\n" * 3


def test_resources_that_nobody_has_are_refused(store: Store) -> None:
    with pytest.raises(ResourceError, match="900 gpus"):
        realize(command("big", "true", resources={"gpus": 900}), store=store, quiet=True)


def test_a_sandbox_has_what_was_declared(store: Store, tmp_path: Path) -> None:
    need_sandbox()
    (tmp_path / "beside").write_text("seen")
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = f": < /dev/tcp/127.0.0.1/{server.getsockname()[1]}"
        look = (
            f"cat {tmp_path}/beside > $out/f || echo hidden > $out/f\n"
            f"command -v bash && bash -c '{reach}' && echo reached >> $out/f || :"
        )
        shut = realize(command("shut", look, isolation="sandbox", promises={"f": "f"}), store=store, quiet=True)
        assert shut.f.read_text() == "hidden\n"
        opened = command(
            "opened", look, isolation="sandbox", reads=[str(tmp_path / "beside")], network=True, promises={"f": "f"}
        )
        assert realize(opened, store=store, quiet=True).f.read_text() in ("seenreached\n", "seen")


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_it_gets_the_variables_that_it_names(store: Store, isolation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LUCK": "13", "PLACE": "here", "API_TOKEN": "hush hush", "ELSE": "no"}.items():
        monkeypatch.setenv(name, value)
    asked = command(
        "told",
        'printf "%s|" "$LUCK" "$PLACE" "${#API_TOKEN}" "${ELSE-clean}" "${UNSET-unset}" > "$out/f"; echo "$API_TOKEN"',
        variables=["PLACE"], pass_variables=["LUCK", "UNSET"], secrets=["API_TOKEN"], isolation=isolation,
        promises={"f": "f"},
    )  # fmt: skip
    made = realize(asked, store=store, quiet=True, strict=True)
    assert made.f.read_text() == "13|here|9|clean|unset|"
    assert made.log == "***\n"
    ref = asked.ref
    monkeypatch.setenv("LUCK", "14")
    assert asked.ref == ref
    monkeypatch.setenv("PLACE", "there")
    assert asked.ref != ref


@pytest.mark.parametrize("name", ["PATH", "HOME", "LC_ALL"])
def test_what_is_passed_wins_over_what_it_has_anyway(
    store: Store, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, f"{tmp_path}:/usr/bin:/bin" if name == "PATH" else "C.UTF-8")
    script = f'printf %s "${name}" > "$out/f"'
    made = realize(command("p", script, pass_variables=[name], promises={"f": "f"}), store=store, quiet=True)
    assert made.f.read_text() in (f"{tmp_path}:/usr/bin:/bin", "C.UTF-8")


def test_what_cannot_be_is_told_where_it_is_described() -> None:
    wrong: list[dict[str, Any]] = [
        {"timeout": "soon"}, {"resources": 4}, {"isolation": "vault"}, {"network": "eth0"}, {"retries": -1},
        {"reads": ["data"]}, {"secrets": "API_TOKEN"}, {"variables": ["A"], "secrets": ["A"]},
    ]  # fmt: skip
    for keywords in wrong:
        with pytest.raises(ConfigError):
            command("a", "true", **keywords)
    with pytest.raises(ArgumentError, match=r"\$out is the script's own"):
        command("a", "true", pass_variables=["out"])
    with pytest.raises(ArgumentError, match=r"\$A is given"):
        command("a", "true", A=1, pass_variables=["A"])
    command("a", "true", A=Secret("A"))
