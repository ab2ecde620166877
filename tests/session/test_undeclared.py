"""What a builder did not declare is told, kept and, if asked for, forbidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from pylightnix import Dep, Store, promise, realize, stage
from pylightnix.engine.events import UndeclaredWarning
from pylightnix.errors import BuildError


@stage
def reader(path: str) -> str:
    return Path(path).read_text()


@stage
def made(out: Path = promise("out.txt")) -> None:
    out.write_text("1")


@stage
def user(one: Dep) -> str:
    return one.out.read_text() + str(len(one.files))


@stage
def outer(store: str) -> str:
    return realize(user(made()), store=store, quiet=True).value


@pytest.fixture
def data(tmp_path: Path) -> str:
    (tmp_path / "data.txt").write_text("1")
    return str(tmp_path / "data.txt")


def test_it_is_told_once_and_kept(tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = realize(reader(data), store=tmp_path / "s")
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert len(told) == 1
    assert (
        f'reader run 0 read {data}, which it did not declare; give pylightnix.stages.local_file("{data}") as an input, '
        f'or say reads=["{data}"]' in told[0]
    )
    assert done.runs[0].facts["findings"] == [{"kind": "file", "what": data}]


def test_quiet_it_is_a_warning(tmp_path: Path, data: str) -> None:
    with pytest.warns(UndeclaredWarning, match="reader run 0 read"):
        realize(reader(data), store=tmp_path / "s", quiet=True)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_strict_registers_nothing(tmp_path: Path, data: str, executor: str) -> None:
    with pytest.raises(BuildError, match="did not declare") as caught:
        realize(reader(data), store=tmp_path / "s", strict=True, quiet=True, executor=executor)  # type: ignore[arg-type]
    assert caught.value.fields["kind"] == "undeclared"
    assert Path(str(caught.value.fields["kept"])).exists()
    assert Store(tmp_path / "s").realizations(name="reader") == []


def test_inputs_and_a_realize_within_are_nothing(tmp_path: Path) -> None:
    done = realize(outer(str(tmp_path / "s")), store=tmp_path / "s", strict=True, quiet=True)
    assert done.value == "11"
