"""What looks like a secret, and what does not: forms of keys and tokens against ordinary data."""

from __future__ import annotations

import json
import os
import random
import sysconfig
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

from pylightnix.remotes.secrets import looks_secret

BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 4
LETTERS = "a1B2c3D4" * 12
DIGITS = "0123456789abcdef" * 4


def pem(kind: str, before: str = "") -> str:
    """Put together here, so that this file has nothing in it that looks like a secret."""
    return f"-----BEGIN {kind}-----\n{before}{BODY}-----END {kind}-----\n"


CONTENTS = {
    "pkcs8": ("private key", pem("PRIVATE KEY")),
    "encrypted": ("private key", pem("ENCRYPTED PRIVATE KEY")),
    "rsa": ("private key", pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789\n\n")),
    "openssh": ("private key", pem("OPENSSH PRIVATE KEY")),
    "windows": ("private key", pem("EC PRIVATE KEY").replace("\n", "\r\n")),
    "pgp": ("private key", pem("PGP PRIVATE KEY BLOCK", "Version: GnuPG v2.0.22 (GNU/Linux)\n\n")),
    "ssh2": ("private key", f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: 1024\n{BODY}"),
    "service account": ("private key", json.dumps({"type": "service_account", "private_key": pem("PRIVATE KEY")})),
    "putty": ("private key", "PuTTY-User-Key-" + "File-3: ssh-ed25519\n"),
    "ours": ("secret key for signing", "plx-" + f"secret:{'A' * 43}="),
    "aws": ("AWS", "aws_access_key_id = AKIA" + "Z3MEXAMQ5NNLR2B7"),
    "aws for a time": ("AWS", '"ASIA' + 'Z3MEXAMQ5NNLR2B7"'),
    "google": ("Google", "AIza" + LETTERS[:35]),
    "github": ("GitHub", "ghp_" + LETTERS[:36]),
    "github, of a repository": ("GitHub", "github_pat_" + LETTERS[:22] + "_" + LETTERS[:59]),
    "gitlab": ("GitLab", "token: glpat-" + LETTERS[:20]),
    "slack": ("Slack", "xoxb-" + "123456789012-123456789012-" + LETTERS[:24]),
    "openai": ("OpenAI", "sk-proj-" + LETTERS[:60] + "T3Blbk" + "FJ" + LETTERS[:60]),
    "anthropic": ("Anthropic", "sk-ant-" + "api03-" + LETTERS[:90]),
    "openrouter": ("API key", "sk-or-" + f"v1-{DIGITS}"),
    "hex": ("API key", "KEY=sk-" + DIGITS[:32]),
    "hugging face": ("Hugging Face", "hf_" + LETTERS[:34]),
    "pypi": ("PyPI", "pypi-" + "AgEIcHlwaS5vcmc" + LETTERS[:60]),
    "npm": ("npm", "npm_" + LETTERS[:36]),
    "stripe": ("Stripe", "sk_" + "live_" + LETTERS[:24]),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_contents(kind: str) -> None:
    what, text = CONTENTS[kind]
    for around in (text, f"a = 1\n{text}\nb = 2\n"):
        told = looks_secret("data/notes.txt", around.encode())
        assert told is not None
        assert what in told
        assert LETTERS[:16] not in told
    binary = random.Random(0).randbytes(1000)
    assert looks_secret("model.bin", binary + b"\n" + text.encode() + binary)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env", "A=1"), ("deep/.env", "A=1"), (".env.production", "A=1"), (".netrc", "machine x"), ("a/.pgpass", "x"),
        (".git-credentials", "https://u"), ("home/.aws/credentials", "x"), ("credentials", "x"),
        ("credentials.json", "{}"), ("gcloud/application_default_credentials.json", "{}"),
        (".docker/config.json", '{"auths": {"x": {"auth": "eA=="}}}'), ("u/.kube/config", "users:"),
        (".npmrc", "//r/:_authToken=x"), (".pypirc", "password = x"), ("id_rsa", "x"), ("a/id_ed25519", "x"),
    ],
)  # fmt: skip
def test_names(name: str, content: str) -> None:
    assert looks_secret(name, content.encode()) is not None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env", " \n"), (".env.example", "A="), ("env", "A=1"), ("x.env.txt", "A=1"), ("id_rsa.pub", "ssh-rsa AAAA"),
        ("config.json", '{"auth": 1}'), ("config", "[x]"), (".npmrc", "registry=x"), (".pypirc", "[x]"),
        (".docker/config.json", '{"auths": {}}'), ("credentials/table.csv", "a,b"),
        ("a.py", 'password = "hunter2"\napi_key = os.environ["KEY"]\n'),
        ("a.pem", pem("PUBLIC KEY")), ("a.pem", pem("CERTIFICATE")), ("code.py", '"-----BEGIN RSA PRIVATE KEY-----"'),
        ("guide.md", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"),
        ("page.html", '<a href="/sk-learn-a-very-long-slug-of-a-post-about-something-else-01">'),
        ("aws.rst", "AKIAIOSFODNN7" + "EXAMPLE"), ("peptides.txt", "AKIA" + "GHEWTVLKNQRSDFYC" + "\n"),
        ("table.txt", "a_b" + "-" * 60 + "\n"), ("trust.json", "plx-public:" + "A" * 43 + "="),
        ("empty", ""),
    ],
    ids=range(22),
)  # fmt: skip
def test_ordinary_data(name: str, content: str) -> None:
    assert looks_secret(name, content.encode()) is None


def test_tokens_that_are_part_of_a_longer_word_are_none() -> None:
    """As they come in data that is written in base64."""
    for kind in ("aws", "google", "github", "hugging face", "npm", "hex"):
        token = CONTENTS[kind][1].split()[-1].rpartition("=")[2]
        assert looks_secret("x", token.encode())
        assert looks_secret("x", f"abc{token}".encode()) is None, kind


def _files() -> Iterator[tuple[str, Path]]:
    """The standard library, whose tests have keys for servers; and data sets."""
    for root in (Path(sysconfig.get_paths()["stdlib"]), Path(sysconfig.get_paths()["purelib"], "sklearn", "datasets")):
        for top, below, names in os.walk(root):
            below[:] = sorted(name for name in below if name not in ("site-packages", "__pycache__"))
            yield from ((name, Path(top, name)) for name in sorted(names) if "certdata" not in top)


def test_nothing_in_the_standard_library_and_in_data_sets() -> None:
    found = []
    for count, (name, path) in enumerate(_files()):
        if count % 5 == 0 or "datasets" in path.parts:
            with open(path, "rb") as file:
                if why := looks_secret(name, file.read(65536)):
                    found.append((str(path), why))
    assert found == []


def test_it_costs_little() -> None:
    """Each file of a push is asked about. The bound is ten times what is measured, since others use the machine."""
    text = b"The quick brown fox jumps over the lazy dog. " * 67
    for data in (text, random.Random(0).randbytes(3000)):
        names = {"look": looks_secret, "data": data}
        once = min(timeit.repeat('look("data/table.csv", data)', globals=names, number=100, repeat=20)) / 100
        assert once < 100e-6
