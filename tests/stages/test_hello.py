"""The example that builds GNU Hello, with its real source from a real web server; or with a small one like it."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from examples import hello as example
from pylightnix import Store, plan, realize
from tests.stages.web import serving

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("cc", "make")), reason="no compiler or no make is installed"
)

_ARCHIVE = Path(__file__).parents[2] / "build" / "hello-2.10.tar.gz"
_CONFIGURE = '#!/bin/sh\necho "hello: hello.c; cc -o hello hello.c" > Makefile\n'
_SOURCE = '#include <stdio.h>\nint main(void) { puts("Hello, world!"); return 0; }\n'


def real_source() -> bytes:
    """The archive of GNU Hello, which `scripts/hello.sh` fetches where it can be had."""
    if not _ARCHIVE.is_file():
        pytest.skip("there is no build/hello-2.10.tar.gz: scripts/hello.sh could not fetch it")
    return _ARCHIVE.read_bytes()


def small_source() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, body, mode in [("configure", _CONFIGURE, 0o755), ("hello.c", _SOURCE, 0o644)]:
            info = tarfile.TarInfo(f"hello-2.10/{name}")
            info.size, info.mode = len(body), mode
            archive.addfile(info, io.BytesIO(body.encode()))
    return made.getvalue()


def build(tmp_path: Path, source: bytes) -> None:
    store = Store(tmp_path / "s")
    with serving(source) as site:
        site.faults = ["cut"]
        made = realize(example.hello(f"{site.url}/gnu/hello/hello-2.10.tar.gz"), store=store, quiet=True)
        assert len(site.asked) == 2, "the second request goes on where the first broke off"
    assert subprocess.check_output([made.program], text=True) == "Hello, world!\n"
    assert not plan(example.hello(), store=store).work, "where the source is found does not count"


def test_a_small_program_like_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = small_source()
    monkeypatch.setattr(example, "HASH", f"sha256:{hashlib.sha256(source).hexdigest()}")
    build(tmp_path, source)


def test_gnu_hello(tmp_path: Path) -> None:
    build(tmp_path, real_source())
