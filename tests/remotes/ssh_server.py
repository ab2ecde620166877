"""A real sshd on loopback, for whoever runs the tests, with keys of its own in a temporary directory."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import paramiko
import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Ssh(NamedTuple):
    """A server.

    Attributes:
        port: of it, on 127.0.0.1.
        directory: that has `home`, as whoever logs in would have it, and other keys.
        process: of it.
    """

    port: int
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def home(self) -> Path:
        """With `.ssh/known_hosts` and `.ssh/id_ed25519` that fit."""
        return self.directory / "home"

    def url(self, path: Path | str) -> str:
        """The address of a directory."""
        return f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


def make_key(path: Path) -> str:
    """Make a key; its public half is given."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, stdin=subprocess.DEVNULL)
    return Path(f"{path}.pub").read_text()


@contextlib.contextmanager
def ssh_server(directory: Path) -> Iterator[Ssh]:
    """`sshd` for files only. Its log is in the directory."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("sshd is not here: the package openssh-server brings it")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # it insists
    keys = directory / "home" / ".ssh"
    keys.mkdir(parents=True)
    host = make_key(directory / "host")
    (directory / "authorized").write_text(make_key(keys / "id_ed25519"))
    port = _free_port()
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    # Who may not read /etc/shadow cannot see that the account is open: PAM can.
    pam = "no" if os.geteuid() == 0 else "yes"
    (directory / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile none\nUsePAM {pam}\nStrictModes no\n"
        f"AuthorizedKeysFile {directory}/authorized\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    command = [SSHD, "-D", "-e", "-f", str(directory / "sshd_config")]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, start_new_session=True)
    try:
        _wait_for(port, process, directory / "log")
        yield Ssh(port, directory, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it speaks ssh. Root without its powers has one that comes up and serves nobody."""
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        time.sleep(0.02)
    else:
        pytest.skip("sshd does not come up here")
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    with contextlib.closing(paramiko.Transport(connection)) as transport:
        try:
            transport.start_client(timeout=10)
        except (OSError, EOFError, paramiko.SSHException):
            pytest.skip(f"sshd serves nobody here: {log.read_text().splitlines()[-1]}")
