"""Tells files that look like secrets, so that nobody sends one by mistake. Gives no promise: it knows some forms.

Forms of tokens are those that their makers document, so that leaks are found: GitHub, GitLab, Slack, AWS, Google,
OpenAI, OpenRouter, Anthropic, Hugging Face, PyPI, npm, Stripe. `password = …` is no form: data are full of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_NAMES = {
    ".env": ("an environment file", b""),
    ".netrc": ("passwords for machines", b""),
    "_netrc": ("passwords for machines", b""),
    ".pgpass": ("database passwords", b""),
    ".git-credentials": ("git credentials", b""),
    ".pypirc": ("credentials of a package index", b"password"),
    ".npmrc": ("credentials of a package index", b"_auth"),
    "id_rsa": ("an ssh key", b""),
    "id_dsa": ("an ssh key", b""),
    "id_ecdsa": ("an ssh key", b""),
    "id_ed25519": ("an ssh key", b""),
    "credentials": ("credentials", b""),
    "credentials.json": ("credentials", b""),
    "application_default_credentials.json": ("Google credentials", b""),
}
"""Names of files, what these are, and what must be in them, since there are harmless ones."""

_ABOVE = {
    "config.json": (".docker/config.json", "registry credentials", b'"auth"'),
    "config": (".kube/config", "credentials of a cluster", b""),
}
_EXAMPLES = frozenset({"example", "sample", "template", "dist"})
"""What `.env.` is followed by where it is meant to be given away."""


class _Form(NamedTuple):
    """What a secret is, some bytes that it always has, and how it is written."""

    what: str
    trace: bytes
    pattern: re.Pattern[bytes]


def _form(what: str, trace: bytes, pattern: bytes) -> _Form:
    return _Form(what, trace, re.compile(pattern))


def _has(trace: bytes) -> Callable[[bytes], object]:
    return lambda head: trace in head


_LINE = rb"(?:\r?\n|(?:\\r)?\\n)"  # in JSON, as in the file of a service account, it is written as two characters
_GATES: tuple[tuple[Callable[[bytes], object], tuple[_Form, ...]], ...] = (
    (_has(b"PRIVATE KEY"), (
        _form("a private key", b"BEGIN ",
              rb"----[ -]BEGIN (?:[A-Z0-9]{2,10} )?(?:ENCRYPTED )?PRIVATE KEY(?: BLOCK)?[ -]----"
              + _LINE + rb"[A-Za-z0-9+/=:,.() \\\r\n-]{60}"),
    )),
    (_has(b"plx-secret:"), (_form("a secret key for signing results", b"", rb"plx-secret:[A-Za-z0-9+/]{43}="),)),
    (re.compile(rb"A(?:KIA|SIA|Iza)").search, (
        _form("an AWS access key", b"",
              rb"\b(?:AKIA|ASIA)(?![A-Z2-7]*EXAMPLE)(?=[A-Z]{0,15}[2-7])[A-Z2-7]{16}\b"),  # a digit: peptides have none
        _form("a Google API key", b"AIza", rb"\bAIza[0-9A-Za-z_-]{35}(?![\w-])"),
    )),
    (re.compile(rb"_[A-Za-z0-9_]{20}").search, (
        _form("a GitHub token", b"gh", rb"\bgh[pousr]_[A-Za-z0-9]{36,251}\b"),
        _form("a GitHub token", b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{50,}"),
        _form("a Hugging Face token", b"hf_", rb"\bhf_[A-Za-z0-9]{34}\b"),
        _form("an npm token", b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b"),
        _form("a Stripe key", b"k_live_", rb"\b[rs]k_live_[A-Za-z0-9]{20,}\b"),
    )),
    (re.compile(rb"-[A-Za-z0-9_][A-Za-z0-9_-]{14}").search, (
        _form("a private key", b"PuTTY-", rb"PuTTY-User-Key-File-[0-9]: "),
        _form("a GitLab token", b"glpat-", rb"(?<![\w-])glpat-[A-Za-z0-9_-]{20,}"),
        _form("a Slack token", b"xox", rb"\bxox[abeoprs]-[0-9]+-[0-9A-Za-z-]{16,}"),
        _form("an OpenAI API key", b"T3BlbkFJ", rb"(?<![\w-])sk-[A-Za-z0-9_-]{16,}T3BlbkFJ[A-Za-z0-9_-]{16,}"),
        _form("an Anthropic API key", b"sk-ant-", rb"(?<![\w-])sk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{60,}"),
        _form("an API key", b"sk-", rb"(?<![\w-])sk-(?:or-v1-[0-9a-f]{64}|[0-9a-f]{32})(?![\w-])"),
        _form("a PyPI token", b"pypi-AgE", rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    )),
)  # fmt: skip
"""Forms behind what is fast to ask for. Few files pass a gate, and so a push of many files costs little."""


def looks_secret(name: str, head: bytes) -> str | None:
    """Why a file looks like a secret; None if it does not.

    Args:
        name: its path, `/` between the parts.
        head: its first bytes.
    """
    if why := _by_name(name, head):
        return why
    for gate, forms in _GATES:
        if gate(head):
            for form in forms:
                if form.trace in head and form.pattern.search(head):
                    return f"there is {form.what} in it"
    return None


def _by_name(name: str, head: bytes) -> str | None:
    last = name.rpartition("/")[2]
    if last in _NAMES:
        what, trace = _NAMES[last]
        return f"{last} is {what}" if head.strip() and trace in head else None
    if last in _ABOVE:
        end, what, trace = _ABOVE[last]
        return f"{end} is {what}" if f"/{name}".endswith(f"/{end}") and trace in head else None
    if last.startswith(".env.") and last.rpartition(".")[2] not in _EXAMPLES and head.strip():
        return f"{last} is an environment file"
    return None
