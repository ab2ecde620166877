"""Files from a real web server, with all that such a server does wrong."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Derivation, Secret, Store, plan, realize, stage
from pylightnix.errors import BuildError, ConfigError, FetchError
from pylightnix.executors import work
from pylightnix.hashing import digest_bytes
from pylightnix.stages import fetch_url
from pylightnix.testing.isolation import need_sandbox
from tests.remotes.tls_server import certify
from tests.stages.web import Site, serving

BODY = random.Random(1).randbytes(3 << 20)
HASH = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(BODY) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def left(store: Store) -> list[str]:
    """Files of beginnings that a later attempt would go on with."""
    return [path.name for path in Path(store.path).rglob("*.part")]


def fetch(store: Store, derivation: Any) -> bytes:
    made: bytes = realize(derivation, store=store, quiet=True).file.read_bytes()
    return made


@pytest.mark.parametrize(
    "given",
    [HASH, HASH.removeprefix("sha256:"), HASH.upper(), f"blake3:{digest_bytes(BODY)}",
     f"sha512:{hashlib.sha512(BODY).hexdigest()}"],
)  # fmt: skip
def test_a_file_comes_with_its_bytes(site: Site, store: Store, given: str) -> None:
    made = realize(fetch_url(f"{site.url}/data.bin", hash=given), store=store, quiet=True)
    assert (made.name, made.file.name) == ("data.bin", "data.bin")
    assert made.file.read_bytes() == BODY
    assert "pylightnix" in site.asked[0]["User-Agent"]
    assert left(store) == []


def test_the_address_does_not_count(site: Site, store: Store) -> None:
    fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH))
    assert not plan(fetch_url("https://elsewhere.example/x/data.bin?token=1", hash=HASH), store=store).work
    assert fetch(store, fetch_url("http://127.0.0.1:9/other", name="data.bin", hash=HASH)) == BODY
    assert len(site.asked) == 1


@pytest.mark.parametrize("isolation", [None, "process", "sandbox"])
def test_it_declares_all_that_it_uses(
    site: Site, store: Store, isolation: Any, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    if isolation == "sandbox":
        need_sandbox()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked = fetch_url(f"{site.url}/data.bin", hash=HASH)
    realize(asked, store=store, isolation=isolation, strict=True, quiet=True)
    assert [str(one.message) for one in recwarn if "did not declare" in str(one.message)] == []


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_without_a_hash_it_is_told(site: Site, store: Store, executor: str) -> None:
    with pytest.raises(BuildError) as failure:
        realize(fetch_url(f"{site.url}/data.bin"), store=store, quiet=True, executor=executor)
    told = str(failure.value)
    assert told.startswith("data.bin failed: it has no hash")
    assert f'hash="{HASH}"' in told
    assert "Traceback" not in told, "the way through our own code helps nobody"
    assert list(store.realizations()) == []
    assert left(store) == []


def refuses() -> None:
    error = FetchError("x" * 10_000, where="here", hint="look elsewhere")
    error.add_note("and somewhere else")
    raise error


def test_all_that_a_stage_of_ours_says_is_told_and_not_too_much(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "passed_project_code", lambda _: False)
    with pytest.raises(BuildError) as failure:
        realize(Derivation(name="it", builder=refuses), store=store, quiet=True)
    told = str(failure.value)
    assert told.startswith("it failed: here: xxx")
    assert "\n  look elsewhere\n  and somewhere else\n  parameters: " in told
    assert len(told) < 3_000


def test_where_a_builder_fetches_its_own_code_is_shown(store: Store) -> None:
    @stage
    def fetches() -> None:
        raise FetchError("nothing there", where="here", hint="look elsewhere")

    with pytest.raises(BuildError, match="look elsewhere") as failure:
        realize(fetches, store=store, quiet=True)
    assert "Traceback" in str(failure.value)
    assert 'raise FetchError("nothing there"' in str(failure.value)


@pytest.mark.parametrize("fault", ["cut", "500", "503", "429"])
def test_what_may_pass_is_tried_again(site: Site, store: Store, fault: str) -> None:
    site.faults = [fault]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY
    assert len(site.asked) == 2


def test_a_length_that_lies_does_no_harm(site: Site, store: Store) -> None:
    site.faults = ["long"]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY
    assert len(site.asked) == 1, "what is complete by its hash is not asked for again"


def test_it_goes_on_where_it_broke_off(site: Site, store: Store) -> None:
    site.faults = ["cut"]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY
    assert site.asked[1]["Range"] == f"bytes={len(BODY) // 2}-"
    assert site.asked[1]["If-Range"] == '"one"'


def test_a_later_attempt_goes_on(site: Site, store: Store) -> None:
    site.faults = ["cut", "404"]
    with pytest.raises(BuildError, match="404"):
        fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH))
    assert len(left(store)) == 1
    with serving(BODY) as other:  # the beginning belongs to the hash, wherever it came from
        assert fetch(store, fetch_url(f"{other.url}/data.bin", hash=HASH)) == BODY
    assert other.asked[0]["Range"] == f"bytes={len(BODY) // 2}-"
    assert "If-Range" not in other.asked[0]
    assert left(store) == []


@pytest.mark.parametrize("how", ["no ranges", "another range", "changed", "changed, no ETag", "416"])
def test_a_beginning_that_does_not_fit(site: Site, store: Store, how: str) -> None:
    site.body, good = os.urandom(2 << 20), BODY
    site.faults, site.etag = ["cut", "404"], None if how == "changed, no ETag" else '"old"'
    with pytest.raises(BuildError):
        fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH))
    site.body = good
    if how == "no ranges":
        site.ranges = False
    elif how == "another range":
        site.faults = ["wrong range"]
        site.ranges = False
    elif how == "416":
        site.faults = ["416"]
    elif how == "changed":
        site.etag = '"new"'
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY
    if how == "another range":
        assert len(site.asked) == 3, "it is seen before it is taken"


def test_it_gets_on_however_often_it_breaks_off(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    site.body = random.Random(2).randbytes(10 << 20)
    site.faults = ["soon"] * 6
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    asked = fetch_url(f"{site.url}/data.bin", hash=hashlib.sha256(site.body).hexdigest())
    assert fetch(store, asked) == site.body
    assert len(site.asked) == 7


def test_who_is_killed_goes_on_where_he_was(site: Site, store: Store, tmp_path: Path) -> None:
    site.faults = ["slow"]
    code = (
        "from pylightnix import realize\nfrom pylightnix.stages import fetch_url\n"
        f"realize(fetch_url('{site.url}/data.bin', hash='{HASH}'), store={str(store.path)!r}, quiet=True)"
    )
    running = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 20
    while not any(part.stat().st_size == len(BODY) // 2 for part in Path(store.path).rglob("*.part")):
        assert time.monotonic() < until
        time.sleep(0.02)
    running.kill()
    running.wait()
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY
    assert [one.get("Range") for one in site.asked] == [None, f"bytes={len(BODY) // 2}-"]
    assert left(store) == []


def test_what_broke_off_where_no_length_is_told(site: Site, store: Store) -> None:
    site.faults = ["untold cut"]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY
    site.faults = ["untold cut"] * 9
    with pytest.raises(BuildError, match="other bytes, or not all, which the server does not tell"):
        fetch(store, fetch_url(f"{site.url}/data.bin", name="other", hash=HASH))
    assert len(site.asked) == 4
    assert left(store) == []


@pytest.mark.parametrize("fault", ["endless", "no length", ""])
def test_more_than_may_come_is_refused(site: Site, store: Store, fault: str) -> None:
    site.faults = [fault] * 9
    with pytest.raises(BuildError, match=r"it has (more than 1000000|3145728) bytes"):
        fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH, most=1_000_000))
    assert len(site.asked) == 1
    assert sum(path.stat().st_size for path in Path(store.path).rglob("*.part")) == 0
    site.faults = []
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH, most="4M")) == BODY, "it is in no identity"


def test_what_drips_is_given_up(site: Site, store: Store) -> None:
    site.faults = ["drip"]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH, timeout=0.3)) == BODY
    assert 0 < int(site.asked[1]["Range"].removeprefix("bytes=").removesuffix("-")) < 1000


def test_a_certificate_must_be_trusted(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    certify(tmp_path)
    with serving(BODY, tmp_path) as site:
        asked = fetch_url(f"{site.url}/data.bin", hash=HASH)
        with pytest.raises(BuildError, match=r"certificate verify failed.*SSL_CERT_FILE says whom"):
            fetch(store, asked)
        assert site.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
        site.faults = ["cut"]
        assert fetch(store, asked) == BODY
        assert site.asked[1]["Range"] == f"bytes={len(BODY) // 2}-"


@pytest.mark.parametrize("fault", ["bytes", "page"])
def test_other_bytes_never_get_in(site: Site, store: Store, fault: str) -> None:
    site.faults = [fault]
    with pytest.raises(BuildError, match="other bytes") as failure:
        fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH))
    assert HASH in str(failure.value)
    assert ("web page" in str(failure.value)) == (fault == "page")
    assert list(store.realizations()) == []
    assert left(store) == []
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY


def test_mirrors_are_asked_in_order(site: Site, store: Store) -> None:
    site.faults = ["404", "page"]
    urls = [f"{site.url}/{name}/data.bin" for name in "abc"]
    assert fetch(store, fetch_url(urls[0], mirrors=urls[1:], hash=HASH)) == BODY
    assert site.paths == ["/a/data.bin", "/b/data.bin", "/c/data.bin"]


def test_a_silent_server_is_given_up(site: Site, store: Store) -> None:
    site.faults = ["slow"]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH, timeout=0.3)) == BODY


def test_where_not_all_can_be_written_nothing_gets_in(site: Site, store: Store) -> None:
    """The system may take the last bytes of a file in part, and say so by their number alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(BODY) - 1, hard))
    try:
        with pytest.raises(BuildError, match="File too large"):
            fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(store.realizations()) == []
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY


def test_redirects_are_followed_but_not_for_ever(site: Site, store: Store) -> None:
    assert fetch(store, fetch_url(f"{site.url}/away/data.bin", hash=HASH)) == BODY
    site.faults = ["302"] * 50
    with pytest.raises(BuildError, match="leads on and on"):
        fetch(store, fetch_url(f"{site.url}/other.bin", hash=HASH))


def test_a_server_that_tells_no_length(site: Site, store: Store) -> None:
    site.faults = ["no length"]
    assert fetch(store, fetch_url(f"{site.url}/data.bin", hash=HASH)) == BODY


def test_an_empty_file(store: Store) -> None:
    with serving(b"") as site:
        assert fetch(store, fetch_url(f"{site.url}/none", hash=hashlib.sha256().hexdigest())) == b""


def test_a_file_of_this_machine(tmp_path: Path, store: Store) -> None:
    (tmp_path / "data.bin").write_bytes(BODY)
    assert fetch(store, fetch_url((tmp_path / "data.bin").as_uri(), hash=HASH)) == BODY
    with pytest.raises(BuildError, match="No such file"):
        fetch(store, fetch_url((tmp_path / "none").as_uri(), hash=HASH))


@pytest.mark.parametrize("faults", [["404"], ["cut", "404"]])
def test_what_may_be_secret_is_not_told(site: Site, store: Store, faults: list[str]) -> None:
    site.faults = faults
    with pytest.raises(BuildError) as failure:
        fetch(store, fetch_url(f"{site.url}/data.bin?token=hush", hash=HASH))
    assert "hush" not in str(failure.value)
    for path in Path(store.path).rglob("*"):
        assert not path.is_file() or b"hush" not in path.read_bytes(), path


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_token_goes_to_its_server_and_nowhere_else(
    site: Site, store: Store, isolation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FETCH_TOKEN", "hush-hush\n")
    token = Secret("FETCH_TOKEN")
    with serving(BODY) as other:
        site.faults, other.faults = ["404"], ["404"]
        asked = fetch_url(
            f"{site.url}/data.bin",
            mirrors=[f"{other.url}/data.bin", f"{site.url}/away/data.bin"],
            hash=HASH,
            token=token,
        )
        assert asked.ref == fetch_url(f"{site.url}/data.bin", hash=HASH).ref
        made = realize(asked, store=store, isolation=isolation, strict=True, quiet=True)
    assert made.file.read_bytes() == BODY
    assert [one.get("Authorization") for one in site.asked] == ["Bearer hush-hush", "Bearer hush-hush", None]
    assert [one.get("Authorization") for one in other.asked] == [None]
    for path in Path(store.path).rglob("*"):
        assert not path.is_file() or b"hush" not in path.read_bytes(), path


def test_what_is_no_token_is_shown_nowhere(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FETCH_TOKEN", "hush-hush\nhush")
    with pytest.raises(BuildError, match="is no token") as caught:
        realize(fetch_url(f"{site.url}/data.bin", hash=HASH, token=Secret("FETCH_TOKEN")), store=store)
    assert "hush" not in str(caught.value) + "".join(capfd.readouterr())
    assert site.asked == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"token": "hush"}, "no Secret"),
        ({"url": "http://example.org/x", "token": Secret("A")}, "in clear"),
        ({"hash": "md5:" + "0" * 32}, "can be made"),
        ({"hash": "0" * 40}, "can be made"),
        ({"hash": "sha256:12"}, "no hash"),
        ({"hash": "sha3:" + "0" * 64}, "no hash"),
        ({"hash": ""}, "no hash"),
        ({"hash": 7}, "no hash"),
        ({"url": "ftp://example.org/x"}, "no address"),
        ({"url": "data.csv"}, "no address"),
        ({"url": "https://example.org/a b"}, "no address"),
        ({"url": "https://[::1/x"}, "no address"),
        ({"url": "https://me:secret@example.org/x"}, "password"),
        ({"url": None}, "no address"),
        ({"mirrors": "https://example.org/x"}, "no list"),
        ({"timeout": 0}, "no time"),
        ({"most": "many"}, "most"),
        ({"most": -1}, "most"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(arguments: dict[str, Any], told: str) -> None:
    given: dict[str, Any] = {"url": "https://example.org/x", **arguments}
    with pytest.raises(ConfigError, match=told) as failure:
        fetch_url(**given)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("path", ["data.csv", "./data.csv", "/data/data.csv", Path("data.csv"), "example.org/data.csv"])
def test_a_path_is_told_how_it_is_taken_in(path: Any) -> None:
    with pytest.raises(ConfigError, match="begins with a scheme") as failure:
        fetch_url(path)
    assert f'for a file of this machine: local_file("{path}")' in failure.value.hint
    assert "https://" in failure.value.hint
    with pytest.raises(ConfigError, match="begins with a scheme"):
        fetch_url("https://example.org/x", mirrors=[path])
