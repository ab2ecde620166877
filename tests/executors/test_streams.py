"""A tee is as good a text stream as builders need."""

from __future__ import annotations

import contextlib
import io
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylightnix.executors.runlog import RunLog
from pylightnix.executors.streams import Tee, tees


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    log = RunLog(tmp_path / "log")
    yield log
    log.close()


def test_text_and_bytes(log: RunLog, tmp_path: Path) -> None:
    shown = io.StringIO()
    tee = Tee(log, shown, None)
    assert tee.write("ä\udcff") == 2
    tee.writelines(["b", "c"])
    assert tee.buffer.write(b"\xff") == 1
    tee.buffer.writelines([b"x", bytearray(b"y")])
    tee.reconfigure(line_buffering=True)
    print("z", file=tee, flush=True)
    assert (tmp_path / "log").read_bytes() == "ä\\udcffbc".encode() + b"\xffxyz\n"
    assert shown.getvalue() == "ä\udcffbc\ufffdxyz\n"
    assert (tee.encoding, tee.writable(), tee.readable(), tee.isatty()) == ("utf-8", True, False, False)
    with pytest.raises(TypeError):
        tee.write(b"bytes")  # type: ignore[arg-type]
    with pytest.raises(io.UnsupportedOperation):
        tee.fileno()


def test_a_closed_terminal_is_no_failure(log: RunLog, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    broken = open(writer, "w", buffering=1)  # noqa: SIM115  (closing it raises)
    tee = Tee(log, broken, broken)
    tee.write("a\n")
    tee.flush()
    with contextlib.suppress(BrokenPipeError):
        broken.close()
    tee.write("b\n")
    tee.flush()
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"


def test_standard_output_claims_a_terminal_only_if_both_are_one(log: RunLog) -> None:
    main, side = pty.openpty()
    with open(side, "w") as terminal, open(os.devnull, "w") as file, open(main, closefd=True):
        assert tees(log, terminal, terminal)[0].fileno() == terminal.fileno()
        assert tees(log, terminal, file)[0].fileno() == file.fileno()
        assert tees(log, file, terminal)[0].fileno() == terminal.fileno()
        assert not tees(log, terminal, None)[0].isatty()
