"""A server that speaks the protocol of Azure's blobs, and looks at signatures: azurite, which npm brings."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.remotes.servers import free_port, wait_for

ACCOUNT, ACCOUNT_KEY = "labforthetests", base64.b64encode(b"the key of the account for tests").decode()
VERSION = "2021-12-02"
BROUGHT = Path(__file__).parents[2] / "build" / "servers" / "node_modules" / ".bin"


@contextlib.contextmanager
def azure_server(directory: Path) -> Iterator[str]:
    """Its address with the account in it; it has one container, `container`."""
    program = shutil.which("azurite-blob") or shutil.which("azurite-blob", path=str(BROUGHT))
    if program is None or shutil.which("node") is None:
        pytest.skip("azurite is not here: npm brings it")
    port = free_port()
    directory.mkdir()
    words = [program, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", str(directory)]
    words += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with (directory / "log").open("wb") as log:
        environment = {
            "AZURITE_ACCOUNTS": f"{ACCOUNT}:{ACCOUNT_KEY}",
            "PATH": str(Path(shutil.which("node") or "").parent),
        }
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        try:
            wait_for(port, process)
            endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
            _make_container(endpoint, "container")
            yield endpoint
        finally:
            process.kill()
            process.wait()


def _make_container(endpoint: str, name: str) -> None:
    """By the request Create Container, signed by a shared key, as Azure describes both."""
    headers = {"x-ms-date": formatdate(time.time(), usegmt=True), "x-ms-version": VERSION}
    path = endpoint.partition("//")[2].partition("/")[2]
    resource = f"/{ACCOUNT}/{path}/{name}\nrestype:container"
    signed = "\n".join(["PUT", *[""] * 11, *(f"{key}:{headers[key]}" for key in sorted(headers)), resource])
    digest = hmac.digest(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    request = urllib.request.Request(f"{endpoint}/{name}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        if answer.status != 201:
            raise RuntimeError(f"the container was not made: {answer.status}")
