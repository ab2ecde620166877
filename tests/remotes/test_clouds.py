"""Azure's and Google's storage keep the contract of backends, as S3 does, and results go there and back.

Azure's protocol is spoken by azurite, which looks at signatures. No server of Google's can be had. Its XML interface,
which is what goes over, has the requests of S3 in it, so `rclone serve s3` answers them, whatever the credentials.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pylightnix import Build, Dep, Remote, Store, pull, push, realize, stage
from pylightnix.errors import RemoteError
from pylightnix.remotes.backend import Backend
from pylightnix.remotes.objects import Objects
from pylightnix.testing.remotes import BackendContract
from tests.remotes.azure_server import ACCOUNT, ACCOUNT_KEY, azure_server
from tests.remotes.servers import S3, s3_server

_prefixes = itertools.count()


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azure_server(tmp_path_factory.mktemp("azure") / "blobs") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("google") / "buckets", signed=False) as server:
        yield server


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY)


@pytest.mark.usefixtures("credentials")
class TestAzure(BackendContract):
    many = 5100  # more than a page of a listing

    @pytest.fixture
    def backend(self, azure: str) -> Backend:
        return Objects(f"az://container/some/prefix{next(_prefixes)}?endpoint={azure}")


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode()


@pytest.fixture
def service_account(private_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key file of a service account, which says that no token is to be had for it, since nobody gives any here."""
    said = {"type": "service_account", "private_key": private_key, "private_key_id": "1"}
    path = tmp_path / "key.json"
    path.write_text(json.dumps({**said, "client_email": "lab@example.org", "disable_oauth": True}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


@pytest.mark.usefixtures("service_account")
class TestGoogle(BackendContract):
    many = 1100

    @pytest.mark.skip(reason="rclone writes over what is there in place, which Google's storage does not")
    def test_nobody_sees_half(self, backend: Backend) -> None: ...

    @pytest.fixture
    def backend(self, google: S3) -> Backend:
        return Objects(f"gs://bucket/some/prefix{next(_prefixes)}?endpoint={google.endpoint}")


@stage
def data(build: Build) -> int:
    """A large file, which goes in pieces, and a small one."""
    (build.out / "large").write_bytes(bytes(range(256)) * 40_000)
    (build.out / "small").write_text("small")
    return 1


@stage
def result(before: Dep) -> int:
    return 2


def there_and_back(address: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "ours")
    made = realize(result(data()), store=store, quiet=True)
    push(made, Remote(address), store=store)
    again = push(made, Remote(address), store=store)
    assert {moved.how for moved in again.moved} == {"there"}
    other = Store(tmp_path / "theirs")
    pull(made.ref, address, store=other, unsigned=True)
    assert other.verify().findings == ()
    [origin] = [one for one in other.realizations() if one.name == "data"]
    assert (origin.path / "large").read_bytes() == bytes(range(256)) * 40_000


@pytest.mark.usefixtures("credentials")
def test_a_closure_goes_to_azure_and_back(azure: str, tmp_path: Path) -> None:
    there_and_back(f"az://container/closures?endpoint={azure}", tmp_path)


@pytest.mark.usefixtures("service_account")
def test_a_closure_goes_to_google_and_back(google: S3, tmp_path: Path) -> None:
    there_and_back(f"gs://bucket/closures?endpoint={google.endpoint}", tmp_path)


def test_a_wrong_key_of_azure_is_refused(azure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = base64.b64encode(b"another key").decode()
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", wrong)
    backend = Objects(f"az://container?account={ACCOUNT}&endpoint={azure}")
    for ask in (lambda: backend.get("x", 1), lambda: backend.put("x", b""), lambda: list(backend.names(""))):
        with pytest.raises(RemoteError, match="refused") as caught:
            ask()
        assert not caught.value.again
        assert "AZURE_STORAGE_ACCOUNT_KEY" in caught.value.hint
        assert wrong not in str(caught.value)


@pytest.mark.usefixtures("credentials")
def test_a_container_that_is_not_there(azure: str) -> None:
    backend = Objects(f"az://nowhere?endpoint={azure}")
    for ask in (lambda: backend.put("x", b""), lambda: list(backend.names(""))):
        with pytest.raises(RemoteError, match="no such bucket, or container"):
            ask()


@pytest.mark.usefixtures("service_account")
def test_a_bucket_of_google_that_is_not_there(google: S3) -> None:
    backend = Objects(f"gs://nowhere?endpoint={google.endpoint}")
    for ask in (lambda: backend.put("x", b""), lambda: list(backend.names(""))):
        with pytest.raises(RemoteError, match="no such bucket"):
            ask()


@pytest.mark.parametrize(
    "key", ["PASSWORD that is no base64", "PASSWORD\nof two lines"], ids=["no base64", "two lines"]
)
def test_what_is_no_key_of_azure_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", key)
    with pytest.raises(RemoteError) as caught:
        Objects("az://container?account=lab&endpoint=http://127.0.0.1:9/lab").get("x", 1)
    assert "PASSWORD" not in str(caught.value)
    assert "AZURE_STORAGE_ACCOUNT_KEY" in f"{caught.value}"


def test_azure_without_an_account_says_which_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(RemoteError) as caught:
        Objects("az://container/x")
    assert "account=" in caught.value.hint


@pytest.mark.parametrize("content", [None, "{", "{}"], ids=["no file", "no JSON", "nothing in it"])
def test_credentials_of_google_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(RemoteError) as caught:
        Objects("gs://bucket/x").get("x", 1)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.hint


@pytest.mark.parametrize("address", ["s3://bucket/x", "gs://bucket/x", "az://container/x?account=lab"])
def test_without_credentials_it_is_said_that_there_are_none(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The library asks the machine then, by the address that clouds have for that; nobody is there, or it refuses."""
    for name in os.environ:
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setattr("pylightnix.remotes.buckets._RETRIES", {"max_retries": 0})
    with pytest.raises(RemoteError, match="no credentials for it here") as caught:
        Objects(address).get("x", 1)
    assert "anonymous=1" in caught.value.hint
    assert not caught.value.again


@pytest.mark.parametrize("account", ["l%0Ab", "lab/other", "..", "l%C3%A4b"])
def test_what_is_no_account_of_azure_is_told(account: str) -> None:
    with pytest.raises(RemoteError, match="account is none"):
        Objects(f"az://container/x?account={account}")
