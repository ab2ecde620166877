"""Object storage as a backend: S3 and what speaks like it, Google's, Azure's, through the library obstore.

Credentials come from where the usual tools look, the environment first, and never from an address. What broke off or
was refused for a while is tried again by the library, which lets no signal through meanwhile: hence the loop.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pylightnix.errors import PylightnixError, RemoteError
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.remotes.backend import check_name, check_prefix, is_name
from pylightnix.remotes.loop import Loop

T = TypeVar("T")

_CLIENT = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "15min"}
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}
_FIELDS = {
    "s3": {"endpoint", "region", "virtual_hosted", "anonymous"},
    "gs": {"endpoint", "anonymous"},
    "az": {"endpoint", "account", "anonymous"},
}
_WHERE_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

_ONE_LINE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Objects:
    """A bucket, or what begins with a prefix in one.

    Args:
        url: `s3://bucket/prefix`, `gs://…` or `az://container/prefix`; in the query `endpoint` (of a server that speaks
            the same protocol; `http:` only there), `region` and `virtual_hosted` for S3, `account` for Azure, and
            `anonymous` for what everybody may read.

    Raises:
        RemoteError: the address is none of these, or obstore is not installed.
    """

    lists = True
    writes = True

    def __init__(self, url: str) -> None:
        self.url = printable(url)
        self._scheme = urlsplit(url).scheme
        self._store = _open(url)
        self._loop = Loop()

    def get(self, name: str, most: int) -> bytes | None:
        import obstore

        check_name(name)

        async def read() -> bytes:
            result = await obstore.get_async(self._store, name)
            size = result.meta["size"]
            if size > most:
                raise RemoteError(f"{name} has {size} bytes, and {most} are the most that it may have", where=self.url)
            data = (await result.bytes_async()).to_bytes()
            if len(data) != size:
                raise RemoteError(f"{name} broke off after {len(data)} of {size} bytes", where=self.url, again=True)
            return data

        return self._asked(name, read)

    def put(self, name: str, data: bytes) -> None:
        import obstore

        check_name(name)
        if self._asked(name, lambda: obstore.put_async(self._store, name, data, use_multipart=False)) is None:
            raise self._no_bucket()

    def has(self, name: str) -> bool:
        import obstore

        check_name(name)
        return self._asked(name, lambda: obstore.head_async(self._store, name)) is not None

    def names(self, prefix: str) -> Iterator[str]:
        import obstore

        check_prefix(prefix)
        above, _, begin = prefix.rpartition("/")
        offset = _before(prefix) if begin else None  # the library itself lists by whole parts of a name
        pages = aiter(obstore.list(self._store, above or None, offset=offset))
        while page := self._asked(prefix, lambda: anext(pages, [])):
            for one in page:
                name = one["path"]
                if name.startswith(prefix):
                    if is_name(name):
                        yield name
                elif begin and name > prefix:
                    return

    def remove(self, name: str) -> None:
        import obstore

        check_name(name)
        self._asked(name, lambda: obstore.delete_async(self._store, name))

    def close(self) -> None:
        self._loop.close()

    def _no_bucket(self) -> RemoteError:
        return RemoteError(
            "there is no such bucket, or container", where=self.url, hint="make it first; or look at the address"
        )

    def _asked(self, name: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None if there is nothing of this name."""
        from obstore import exceptions

        async def wait() -> T:
            return await ask()

        try:
            return self._loop.call(wait)
        except CancelledError:
            raise RemoteError(f"{name}: it was closed meanwhile", where=self.url, hint="open it again") from None
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            if _lacks_bucket(error):
                raise self._no_bucket() from None
            return None
        except exceptions.BaseError as error:
            if _lacks_bucket(error):
                raise self._no_bucket() from None
            about = _about(error)
            if about.startswith(("401", "403")) or isinstance(error, _refusals()):
                raise RemoteError(
                    f"{name}: access is refused ({about})".removeprefix(": "), where=self.url,
                    hint=f"look at {_WHERE_CREDENTIALS[self._scheme]}: wrong, expired, or without the right to do this",
                ) from None  # fmt: skip
            raise RemoteError(
                f"{name}: {about}".removeprefix(": "), where=self.url, again=True,
                hint="look whether the server is there and the address is right, and do it again: it goes on",
            ) from None  # fmt: skip
        except PylightnixError:
            raise
        except Exception as error:  # what the library does not mean to raise, such as a panic of it
            raise RemoteError(
                f"{name}: obstore failed: {type(error).__name__}", where=self.url,
                hint=f"look at the address, and at {_WHERE_CREDENTIALS[self._scheme]}",
            ) from None  # fmt: skip


def _refusals() -> tuple[type[Exception], ...]:
    from obstore import exceptions

    return (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)


def _before(prefix: str) -> str:
    """What sorts just before whatever begins so: listings begin after a name."""
    return f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}~"


def _lacks_bucket(error: Exception) -> bool:
    return "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error)


def _about(error: Exception) -> str:
    """What the server or the library says, short enough for a line."""
    text = " ".join(str(error).split("Debug source:")[0].split())
    status = re.search(r"status code: ([0-9]{3} [A-Za-z ]+)", text)
    code = re.search(r"<Code>(.{1,100}?)</Code>", text)
    if status is not None:
        return printable(f"{status[1].strip()}, {code[1]}" if code is not None else status[1].strip())
    return printable(text.rpartition(" - ")[2][:300]) or type(error).__name__


def _open(url: str) -> Any:
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
            hint=f"put them into the environment: {_WHERE_CREDENTIALS[parts.scheme]}",
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
            f"the address cannot be used: {_about(error)}",
            where=seen,
            hint="such as s3://bucket/results?region=eu-west-1",
        ) from None


def _see_sound(scheme: str, given: dict[str, str], seen: str) -> None:
    """The library ends its thread over an endpoint or a credential that is none."""
    for name in _ONE_LINE if scheme == "s3" else ():
        said = os.environ.get(name, "")
        if said and not (said.isascii() and said.isprintable()):
            raise RemoteError(f"what ${name} says is no credential", where=seen, hint="it is one line of ASCII")
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
