"""Nginx on loopback as the outside sees it: with TLS, keeping connections, and noting which were used."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.remotes.servers import NGINX_USER, free_port, wait_for

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Nginx(NamedTuple):
    """A server.

    Attributes:
        plain: its address without TLS.
        secure: its address.
        files: the directory that it serves.
        certificate: whom to trust, for `SSL_CERT_FILE`.
        access: what it notes: connection, scheme, status, method and how an answer was encoded.
    """

    plain: str
    secure: str
    files: Path
    certificate: Path
    access: Path


@contextlib.contextmanager
def tls_server(directory: Path) -> Iterator[Nginx]:
    if NGINX is None:
        pytest.skip("nginx is not here: the package nginx-light brings it")
    (directory / "files").mkdir()
    certify(directory)
    plain, secure = free_port(), free_port()
    temporary = " ".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "conf").write_text(
        f"{NGINX_USER}daemon off; master_process off; pid {directory}/pid; error_log {directory}/log; events {{}}\n"
        f"http {{ {temporary}\n"
        "gzip on; gzip_min_length 1; gzip_types *; default_type application/octet-stream;\n"
        "log_format used '$connection $scheme $status $request_method $sent_http_content_encoding';\n"
        f"access_log {directory}/access used; server {{ root {directory}/files;\n"
        f"listen 127.0.0.1:{plain}; listen 127.0.0.1:{secure} ssl;\n"
        f"ssl_certificate {directory}/certificate; ssl_certificate_key {directory}/key;\n"
        f"location /moved {{ return 302 http://127.0.0.1:{plain}/; }} location /shut {{ deny all; }} }} }}\n"
    )
    with (directory / "stderr").open("wb") as log:
        process = subprocess.Popen([NGINX, "-c", directory / "conf", "-e", directory / "log"], stderr=log)
    try:
        wait_for(secure, process)
        yield Nginx(
            f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}", directory / "files",
            directory / "certificate", directory / "access",
        )  # fmt: skip
    finally:
        process.kill()
        process.wait()


def certify(directory: Path) -> None:
    """Writes a `certificate` of this machine, and its `key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
