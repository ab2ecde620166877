"""Object storage as a backend: S3 and what speaks like it, Google's, Azure's, through the library obstore.

Credentials come from where the usual tools look, the environment first, and never from an address. What broke off or
was refused for a while is tried again by the library, which lets no signal through meanwhile: hence the loop.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from typing import TypeVar
from urllib.parse import urlsplit

from pylightnix.errors import PylightnixError, RemoteError
from pylightnix.names import printable
from pylightnix.remotes.backend import check_name, check_prefix, is_name
from pylightnix.remotes.buckets import WHERE_CREDENTIALS, about, open_bucket
from pylightnix.remotes.loop import Loop

T = TypeVar("T")

_ASKING_THE_MACHINE = re.compile(r"https?://(169\.254\.[0-9.]+|metadata\.google\.internal|metadata)[:/]")
"""Machines of a cloud have credentials at these addresses. The library looks there last, when it has found none."""


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
        self._store = open_bucket(url)
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
            raise self._told(name, error) from None
        except PylightnixError:
            raise
        except Exception as error:  # what the library does not mean to raise, such as a panic of it
            raise RemoteError(
                f"{name}: obstore failed: {type(error).__name__}", where=self.url,
                hint=f"look at the address, and at {WHERE_CREDENTIALS[self._scheme]}",
            ) from None  # fmt: skip

    def _told(self, name: str, error: Exception) -> RemoteError:
        """What to do about what the server or the library says."""
        what = about(error)
        credentials = WHERE_CREDENTIALS[self._scheme]
        if _ASKING_THE_MACHINE.search(str(error)):
            return RemoteError(
                f"{name}: there are no credentials for it here".removeprefix(": "), where=self.url,
                hint=f"set {credentials}; or say anonymous=1 in the address, to read what everybody may read",
            )  # fmt: skip
        if what.startswith(("401", "403")) or isinstance(error, _refusals()):
            return RemoteError(
                f"{name}: access is refused ({what})".removeprefix(": "), where=self.url,
                hint=f"look at {credentials}: wrong, expired, or without the right to do this",
            )  # fmt: skip
        return RemoteError(
            f"{name}: {what}".removeprefix(": "), where=self.url, again=True,
            hint="look whether the server is there and the address is right, and do it again: it goes on",
        )  # fmt: skip


def _refusals() -> tuple[type[Exception], ...]:
    from obstore import exceptions

    return (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)


def _before(prefix: str) -> str:
    """What sorts just before whatever begins so: listings begin after a name."""
    return f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}~"


def _lacks_bucket(error: Exception) -> bool:
    return "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error)
