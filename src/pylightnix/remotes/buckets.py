"""Opens the store of the library obstore that an address means: a bucket of S3, of Google's, a container of Azure's."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pylightnix.errors import RemoteError
from pylightnix.model.addresses import shown
from pylightnix.names import printable

_CLIENT = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "15min"}
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
_FIELDS = {
    "s3": {"endpoint", "region", "virtual_hosted", "anonymous"},
    "gs": {"endpoint", "anonymous"},
    "az": {"endpoint", "account", "anonymous"},
}
WHERE_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""Variables that credentials are in."""

_EXAMPLES = {
    "s3": "s3://bucket/results?region=eu-west-1",
    "gs": "gs://bucket/results",
    "az": "az://container/results?account=NAME",
}
_ONE_LINE = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "gs": (),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"),
}


def open_bucket(url: str) -> Any:
    """The store of obstore that an address of object storage means; nothing is asked of it.

    Raises:
        RemoteError: the address, or a credential, is none, or obstore is not installed.
    """
    seen = shown(url)
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise RemoteError(
            "object storage needs the package obstore", where=seen, hint='pip install "pylightnix[remote]"'
        ) from error
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise RemoteError(
            "the address has credentials in it, which would stand in messages", where=seen,
            hint=f"put them into the environment: {WHERE_CREDENTIALS[parts.scheme]}",
        )  # fmt: skip
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(given.keys() - _FIELDS[parts.scheme])
    if unknown or not parts.netloc:
        what = f"{unknown[0]!r} is nothing that it can say" if unknown else "the address names no bucket"
        raise RemoteError(what, where=seen, hint=f"known are {', '.join(sorted(_FIELDS[parts.scheme]))}")
    _see_sound(parts.scheme, given, seen)
    config: dict[str, Any] = {}
    if "endpoint" in given:
        config["base_url" if parts.scheme == "gs" else "endpoint"] = given["endpoint"]
    if parts.scheme == "s3":
        config["region"] = given.get("region") or _region()
    if "virtual_hosted" in given:
        config["virtual_hosted_style_request"] = given["virtual_hosted"] != "0"
    if "account" in given:
        config["account_name"] = given["account"]
    if "anonymous" in given:
        config["skip_signature"] = True
    client = {**_CLIENT, "allow_http": _endpoint(given).startswith("http://")}
    plain = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    try:
        return from_url(plain, config=config, client_options=client, retry_config=_RETRIES)  # type: ignore[call-overload]
    except Exception as error:
        raise RemoteError(
            f"the address cannot be used: {about(error)}",
            where=seen,
            hint=f"such as {_EXAMPLES[parts.scheme]}; look at {WHERE_CREDENTIALS[parts.scheme]} too",
        ) from None


def _see_sound(scheme: str, given: dict[str, str], seen: str) -> None:
    """The library ends its thread over an endpoint or a credential that is none."""
    for name in _ONE_LINE[scheme]:
        said = os.environ.get(name, "")
        if said and not (said.isascii() and said.isprintable()):
            raise RemoteError(f"what ${name} says is no credential", where=seen, hint="it is one line of ASCII")
    account = given.get("account") or "name"
    if not (account.isascii() and account.replace("-", "").isalnum()):
        raise RemoteError("the account is none of Azure", where=seen, hint="its name has letters and digits alone")
    endpoint = given.get("endpoint", (scheme == "s3" and _endpoint(given)) or None)
    try:
        parts = urlsplit(endpoint or "")
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if endpoint is not None and not good:
        raise RemoteError(
            "the endpoint is no address of a server", where=seen,
            hint="such as ?endpoint=http://127.0.0.1:9000, or $AWS_ENDPOINT_URL of that form",
        )  # fmt: skip


def _endpoint(given: dict[str, str]) -> str:
    return given.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _region() -> str:
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def about(error: Exception) -> str:
    """What the server or the library says, short enough for a line."""
    text = " ".join(str(error).split("Debug source:")[0].split())
    status = re.search(r"status code: ([0-9]{3} [A-Za-z ]+)", text)
    code = re.search(r"<Code>(.{1,100}?)</Code>", text)
    if status is not None:
        return printable(f"{status[1].strip()}, {code[1]}" if code is not None else status[1].strip())
    return printable(text.rpartition(" - ")[2][:300]) or type(error).__name__
