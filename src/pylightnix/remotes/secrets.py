"""Tells files that look like secrets, so that nobody sends one by mistake. Gives no promise: it knows some forms.

Forms of tokens are those that their makers document, so that leaks are found: GitHub, GitLab, Slack, AWS, Google,
OpenAI, Anthropic, Hugging Face, PyPI, npm, Stripe.
"""

from __future__ import annotations

import re

_NAMES = {
    ".env": "an environment file",
    ".netrc": "passwords for machines",
    "_netrc": "passwords for machines",
    ".pgpass": "database passwords",
    ".git-credentials": "git credentials",
    ".pypirc": "credentials of a package index",
    ".npmrc": "credentials of a package index",
    "id_rsa": "an ssh key",
    "id_dsa": "an ssh key",
    "id_ecdsa": "an ssh key",
    "id_ed25519": "an ssh key",
}
_ABOVE = {".aws/credentials": "AWS credentials", ".docker/config.json": "registry credentials"}

_TRACES = (
    b"-----BEGIN ", b"PuTTY-User-Key", b"plx-secret:", b"AKIA", b"ASIA", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_",
    b"github_pat_", b"glpat-", b"xox", b"AIza", b"sk-", b"hf_", b"pypi-AgE", b"npm_", b"k_live_",
)  # fmt: skip
"""Something of each form below. Nearly every file has none of these, and searching for plain bytes is fast."""

_FORMS = {
    "a private key": re.compile(
        rb"-----BEGIN (?:[A-Z0-9]{2,10} )?(?:ENCRYPTED )?PRIVATE KEY(?: BLOCK)?-----\r?\n[A-Za-z0-9+/=:, \r\n-]{60}"
        rb"|PuTTY-User-Key-File-[0-9]: "
    ),
    "a secret key for signing results": re.compile(rb"plx-secret:[A-Za-z0-9+/]{42,43}="),
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "a GitHub token": re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{50,})\b"),
    "a GitLab token": re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Slack token": re.compile(rb"\bxox[abposr]-[0-9A-Za-z-]{20,}"),
    "a Google API key": re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b"),
    "an API key": re.compile(rb"\bsk-(?:proj-|ant-[a-z0-9]+-|svcacct-)?[A-Za-z0-9_-]{40,}\b"),
    "a Hugging Face token": re.compile(rb"\bhf_[A-Za-z0-9]{34}\b"),
    "a PyPI token": re.compile(rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    "an npm token": re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b"),
    "a Stripe key": re.compile(rb"\b[rs]k_live_[A-Za-z0-9]{20,}\b"),
}


def looks_secret(name: str, head: bytes) -> str | None:
    """Why a file looks like a secret; None if it does not.

    Args:
        name: its path, `/` between the parts.
        head: its first bytes.
    """
    last = name.rpartition("/")[2]
    if last in _NAMES and head.strip():
        return f"{last} is {_NAMES[last]}"
    for end, what in _ABOVE.items():
        if name == end or name.endswith(f"/{end}"):
            return f"{end} is {what}"
    if not any(trace in head for trace in _TRACES):
        return None
    return next((f"there is {what} in it" for what, form in _FORMS.items() if form.search(head)), None)
