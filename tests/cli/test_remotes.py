"""`push`, `pull`, `key` and `sign`: results on their way to others, from a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def keys(cli: Cli) -> None:
    cli.environ["PYLIGHTNIX_KEYS"] = str(cli.directory / "keys")


def test_there_and_back(cli: Cli) -> None:
    cli("realize", "flow.py:report")
    told = cli("push", "flow.py:report", "--to", "lab", "--dry-run")
    assert [line.split()[0] for line in told.stdout.splitlines()] == ["copied"] * 3
    assert "3 realizations to send" in told.stderr
    assert not (cli.directory / "lab").exists()
    assert "3 realizations sent" in cli("push", "flow.py:report", "--to", "lab").stderr
    again = cli.json("push", "flow.py:report", "--to", "lab")
    assert {one["how"] for one in again["realizations"]} == {"there"}
    ref = again["realizations"][-1]["ref"]
    refused = cli("pull", ref[:8], "--from", "lab", "--store", "other", code=1)
    assert "nobody has signed it" in refused.stderr
    assert "--unsigned" in refused.stderr
    asked = cli("plan", "flow.py:report", "--remote", "lab", "--store", "other").stderr
    assert "\nwarning: lab: 1 result was not taken: " in asked, "and nothing of where in the program"
    would = cli("pull", ref, "--from", "lab", "--store", "o", "--unsigned", "--dry-run", "--for", "flow.py:report")
    assert "beside 0 candidates" in would.stdout
    assert "build → reuse" in would.stdout
    assert "waiting → build: best wants 2 runs, has 1" in would.stdout
    assert "give --dry-run" in cli("pull", ref, "--from", "lab", "--for", "flow.py:report", code=2).stderr
    got = cli.json("pull", ref[:8], "--from", "lab", "--store", "other", "--unsigned", "--root", "got")
    assert [one["how"] for one in got["realizations"]] == ["copied"] * 3
    assert got["from"] == "lab"
    assert "got" in cli("root", "--store", "other").stdout
    cli("verify", "--store", "other")
    cli("pull", ref, "--from", "lab", "--store", "thin", "--unsigned", "--records")
    for told in (cli("ls", "--store", "thin").stdout, cli("show", ref, "--store", "thin").stdout):
        assert "not here" in told
        assert "collected" not in told, "nobody has collected it"
    assert f"from        {cli.directory / 'lab'}\n" in told
    assert cli.json("show", ref, "--store", "thin")["realizations"][0]["from"] == [str(cli.directory / "lab")]
    cli("pull", ref, "--from", "lab", "--store", "fourth", "--unsigned")
    assert "no root reaches" not in cli("gc", "--unreachable", "--dry-run", "--store", "fourth").stdout
    records = cli("pull", ref, "--from", "lab", "--store", "third", "--unsigned", "--records")
    assert [line.split()[0] for line in records.stdout.splitlines()] == ["record"] * 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_what_was_fetched_is_kept_though_nobody_can_be_told(cli: Cli) -> None:
    cli("realize", "flow.py:numbers")
    cli("push", "flow.py:numbers", "--to", "lab")
    ref = cli.json("ls", "numbers")["realizations"][0]["ref"]
    assert cli.shell(f"pylightnix pull {ref} --from lab --store other --unsigned >/dev/full").returncode == 1
    assert "no root reaches" not in cli("gc", "--unreachable", "--dry-run", "--store", "other").stdout


def test_one_promise_alone_has_a_path(cli: Cli) -> None:
    cli("realize", "flow.py:report")
    cli("push", "flow.py:report", "--to", "lab")
    ref = cli.json("ls", "report")["realizations"][0]["ref"]
    cli("pull", ref, "--from", "lab", "--store", "other", "--unsigned", "--only", "text")
    path = Path(cli("path", ref, "text", "--store", "other").stdout.rstrip("\n"))
    assert path.read_bytes() == Path(cli("path", ref, "text").stdout.rstrip("\n")).read_bytes()
    assert "pull it" in cli("path", ref, "--store", "other", code=2).stderr


def test_mistakes(cli: Cli) -> None:
    cli("realize", "flow.py:numbers")
    assert "Missing option '--to'" in cli("push", "flow.py:numbers", code=2).stderr
    assert "no kind of remote" in cli("push", "flow.py:numbers", "--to", "gopher://x", code=1).stderr
    assert "no remote" in cli("pull", "0" * 8, "--from", "lab", "--unsigned", code=1).stderr
    assert "only be read" in cli("push", "flow.py:numbers", "--to", "http://127.0.0.1:9/x", code=1).stderr
    assert "no key to sign with" in cli("push", "flow.py:numbers", "--to", "lab", "--sign", code=1).stderr
    assert not (cli.directory / "lab").exists()


def test_signed(cli: Cli) -> None:
    assert "no key" in cli("key", "show", code=1).stderr
    public = cli("key", "generate").stdout.strip()
    assert cli("key", "show").stdout.strip() == public
    assert cli.json("key", "show")["public"] == public
    assert "not overwritten" in cli("key", "generate", code=1).stderr
    cli("realize", "flow.py:numbers")
    ref = cli.json("push", "flow.py:numbers", "--to", "lab")["realizations"][-1]["ref"]
    cli.environ["PYLIGHTNIX_KEYS"] = str(cli.directory / "others")
    assert "nobody is trusted yet" in cli("key", "list").stderr
    assert "whom you do not trust" in cli("pull", ref, "--from", "lab", "--store", "other", code=1).stderr
    assert public in cli("key", "trust", "ann", public).stdout
    cli("pull", ref, "--from", "lab", "--store", "other")
    assert cli.json("key", "check", "--store", "other") == []
    cli("key", "need", "2")
    found = cli.json("key", "check", "--store", "other", code=1)
    assert [one["ref"] for one in found] == [ref]
    cli("key", "generate")
    cli("key", "trust", "me", cli("key", "show").stdout.strip())
    assert cli("sign", ref, "--store", "other").stdout.split()[0] == "signed"
    assert cli.json("key", "check", "--store", "other") == []
    assert "revoked" in cli("key", "revoke", "ann").stdout
    assert cli("key", "check", "--store", "other", code=1).stdout
    assert cli.json("key", "list")["need"] == 2
    assert "nobody is trusted under the name" in cli("key", "untrust", "ann", code=1).stderr
    cli("key", "untrust", "me")


def test_remotes_that_are_noted_in_the_store_are_asked(cli: Cli) -> None:
    cli("realize", "flow.py:report", "--store", "one")
    cli("push", "flow.py:report", "--to", "lab", "--store", "one")
    assert cli("remote").stdout == ""
    lab = str(cli.directory / "lab")
    assert cli.json("remote", "--add", "lab", "--add", "s3://bucket/x") == {"remotes": [lab, "s3://bucket/x"]}
    assert cli("remote", "--remove", "s3://bucket/x").stdout == f"{lab}\n"
    assert "warning: lab: " in cli("plan", "flow.py:report").stderr.replace(lab, "lab"), "it is asked"
    assert "is not noted" in cli("remote", "--remove", "other", code=2).stderr
    for url in ("https://me:hush@example.org/x", "s3://key:hush@bucket", "me:hush@host:/x"):
        refused = cli("remote", "--add", url, code=1)
        assert "hush" not in refused.stderr
    assert cli.json("remote") == {"remotes": [lab]}
