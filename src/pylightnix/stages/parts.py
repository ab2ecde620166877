"""The beginning of a file that is being fetched, kept between attempts and hashed while it grows. Fetches nothing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pylightnix.hashing import ContentHasher, digest_bytes
from pylightnix.stages.hashes import Expected
from pylightnix.store.files import write_all

_CHUNK = 1 << 18


class Part:
    """What is there of a file, hashed from its start.

    Args:
        directory: where it lies, between attempts.
        expected: the hash of the whole; None if it is not known: then nothing is there at the start of an attempt.
    """

    def __init__(self, directory: Path, expected: Expected | None) -> None:
        name = f"{expected.algorithm}-{expected.digits}" if expected else "unknown"
        self.path = directory / f"{name}.part"
        self.about = directory / f"{name}.json"
        self.expected = expected
        self._file: IO[bytes] | None = None
        if expected is None:  # nothing would notice halves of two different files
            self._drop()
        self._hash_what_is_there()

    def _fresh(self) -> ContentHasher:
        return self.expected.hasher() if self.expected else Expected("sha256", "").hasher()

    def _hash_what_is_there(self) -> None:
        self.size, self.hasher = 0, self._fresh()
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            while data := file.read(_CHUNK):
                self.hasher.update(data)
                self.size += len(data)

    def is_complete(self) -> bool:
        """Whether these are the bytes with the expected hash."""
        return self.expected is not None and self.hasher.hexdigest() == self.expected.digits and self.path.exists()

    def range_headers(self, url: str) -> dict[str, str]:
        """What asks this address for the rest."""
        if not self.size or urlsplit(url).scheme == "file":
            return {}
        about: Any = {}
        with contextlib.suppress(OSError, ValueError):
            about = json.loads(self.about.read_text())
        etag = about.get("etag") if isinstance(about, dict) and about.get("url") == _digest(url) else None
        return {"Range": f"bytes={self.size}-", **({"If-Range": etag} if etag else {})}

    def note(self, url: str, etag: str | None) -> None:
        """Remember which state of the file this is the beginning of; a weak ETag does not tell bytes apart.

        Of the address the hash is kept: what stands behind `?` may be a secret, and this lies in the store.
        """
        strong = etag if etag and etag.startswith('"') else None
        self.about.write_text(json.dumps({"url": _digest(url), "etag": strong}))

    def add(self, data: bytes) -> None:
        """Take what comes next; on the disk at once, so who is killed loses nothing."""
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        write_all(self._file.fileno(), data)
        self.hasher.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Begin anew."""
        self._drop()
        self.size, self.hasher = 0, self._fresh()

    def _drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        elif not self.path.exists():
            self.path.touch()  # an empty file is complete, too


def _digest(url: str) -> str:
    return digest_bytes(url.encode())
