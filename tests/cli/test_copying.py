"""`copy`, `export` and `import`: results on their way, from a shell."""

from __future__ import annotations

from tests.cli.conftest import Cli


def test_to_another_store(cli: Cli) -> None:
    cli("realize", "flow.py:report")
    told = cli("copy", "flow.py:report", "--to", "other", "--dry-run")
    assert [line.split()[:1] for line in told.stdout.splitlines()] == [["copied"]] * 3
    assert not (cli.directory / "other").exists()
    assert "3 realizations copied" in cli("copy", "flow.py:report", "--to", "other").stderr
    found = cli.json("copy", "flow.py:report", "--to", "other")
    assert [(one["how"], one["size"]) for one in found["realizations"]] == [("there", 0)] * 3
    assert found["to"] == str(cli.directory / "other")
    cli("verify", "--store", "other")
    assert "no root reaches" not in cli("gc", "--unreachable", "--dry-run", "--store", "other").stdout
    cli("copy", "flow.py:report", "--to", "named", "--root", "got")
    assert [one["name"] for one in cli.json("root", "--store", "named")["roots"]] == ["got"]
    assert "no root reaches" not in cli("gc", "--unreachable", "--dry-run", "--store", "named").stdout
    ref = found["realizations"][0]["ref"]
    assert "the same" in cli("copy", ref, "--to", "other", "--store", "other", code=2).stderr
    assert "Missing option '--to'" in cli("copy", "flow.py:report", code=2).stderr


def test_by_archive(cli: Cli) -> None:
    cli("realize", "flow.py:report")
    assert cli("export", "flow.py:report", "-o", "c.plx.gz").stdout == "c.plx.gz\n"
    found = cli.json("import", "c.plx.gz", "--store", "other", "--root", "got")
    assert [one["how"] for one in found["realizations"]] == ["copied"] * 3
    assert found["refs"] == [found["realizations"][-1]["ref"]]
    assert "got" in cli("root", "--store", "other").stdout
    cli("verify", "--store", "other")
    assert "3 were there" in cli("import", "c.plx.gz", "--store", "other").stderr
    cli("import", "c.plx.gz", "--store", "fourth")
    assert "no root reaches" not in cli("gc", "--unreachable", "--dry-run", "--store", "fourth").stdout
    assert cli.json("export", "flow.py:report", "-o", "c.plx")["realizations"] == 3
    for command in (("export", "flow.py:report", "-o", "-"), ("import", "-")):
        assert "none on a pipe" in cli(*command, code=2).stderr
    archive = cli.directory / "c.plx"
    archive.write_bytes(archive.read_bytes()[:9000])
    refused = cli("import", "c.plx", "--store", "third", code=1)
    assert "ends early" in refused.stderr
    assert not list((cli.directory / "third" / "records").iterdir())
