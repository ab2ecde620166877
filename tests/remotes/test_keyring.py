"""The files of keys: what is written, what is refused, and that nothing is lost or shown on the way."""

from __future__ import annotations

import base64
import errno
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pylightnix.errors import BadNameError, DamageError, PylightnixError, TrustError
from pylightnix.model.trust import Keyring, Trusted
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.store import changes
from tests.dying import dies_at

PUBLIC = [f"plx-public:{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(40)]
BODY = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
SECRET = f"plx-secret:{BODY}"
DAY = "2026-03-01"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(str(tmp_path / "new" / "keys"))


def ring_path(keys: Keys) -> Path:
    return Path(keys.directory, "keyring.json")


def test_nothing_is_made_by_looking(keys: Keys) -> None:
    assert keys.load() == Keyring()
    assert keys.own() is None
    assert not os.path.exists(keys.directory)


def test_what_is_said_is_read_again(keys: Keys) -> None:
    keys.trust("ann", PUBLIC[1])
    keys.trust("ann", PUBLIC[2], "s3://lab")
    keys.trust("ann", PUBLIC[1])
    keys.trust("bob", f" {PUBLIC[3]}\n", "s3://lab")
    keys.require(2)
    ring = keys.revoke(PUBLIC[9], DAY)
    assert ring == Keys(keys.directory).load()
    assert ring == Keyring(
        (Trusted("ann", PUBLIC[2], "s3://lab"), Trusted("ann", PUBLIC[1]), Trusted("bob", PUBLIC[3], "s3://lab")),
        {PUBLIC[9]: DAY}, 2,
    )  # fmt: skip
    assert {one.name for one in keys.untrust("ann").trusted} == {"bob"}


def test_people_may_mend_it(keys: Keys) -> None:
    ring = keys.trust("ann", PUBLIC[1])
    path = ring_path(keys)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=8) + "\n\n")
    assert keys.load() == ring


def test_revoking(keys: Keys) -> None:
    for n in (1, 2):
        keys.trust("ann", PUBLIC[n])
    keys.trust("bob", PUBLIC[1])
    assert keys.revoke("ann", DAY) == Keyring((), {PUBLIC[1]: DAY, PUBLIC[2]: DAY})
    assert keys.revoke(PUBLIC[1], "2027-01-01").revoked[PUBLIC[1]] == DAY, "the first day counts"
    with pytest.raises(TrustError, match=f"revoked on {DAY}"):
        keys.trust("ann", PUBLIC[1])


def test_nobody_of_that_name(keys: Keys) -> None:
    keys.trust("ann", PUBLIC[1])
    asks: list[Callable[[], object]] = [lambda: keys.untrust("eve"), lambda: keys.revoke("eve", DAY)]
    for ask in asks:
        with pytest.raises(TrustError, match="nobody") as caught:
            ask()
        assert caught.value.hint == "trusted: ann"


@pytest.mark.parametrize("text", [SECRET, f'"{SECRET}"', BODY], ids=range(3))
def test_a_secret_in_the_wrong_place_is_neither_shown_nor_kept(keys: Keys, text: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: keys.trust("ann", text), lambda: keys.trust(text, PUBLIC[1]), lambda: keys.untrust(text),
        lambda: keys.revoke(text, DAY),
    ]  # fmt: skip
    for ask in asks:
        with pytest.raises(PylightnixError) as caught:
            ask()
        told = f"{caught.value!r} {caught.value} {caught.value.fields} {caught.value.__cause__}"
        assert "nWGxne" not in told
    assert not ring_path(keys).exists()


@pytest.mark.parametrize("name", ["", "ann smith", "-x", "é", "a" * 121, "\x1b[31m"], ids=range(6))
def test_names_that_nobody_has(keys: Keys, name: str) -> None:
    with pytest.raises(BadNameError, match="nobody can be called so"):
        keys.trust(name, PUBLIC[1])


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "https://u:hunter2@host/x",
        "s3://hunter2@lab",
        "s3://lab?key=hunter2",
        "https://h/#hunter2",
        "https://[",
    ],
)
def test_addresses_that_are_none_or_have_a_password(keys: Keys, address: str) -> None:
    """An empty one comes from a variable that is not set, and would mean everywhere."""
    with pytest.raises(TrustError, match="address") as caught:
        keys.trust("ann", PUBLIC[1], address)
    assert "hunter2" not in str(caught.value)
    assert not ring_path(keys).exists()


def test_paths_are_absolute_as_remotes_show_them(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("lab/", "./lab", "~/lab", f"file://{tmp_path}/lab", str(tmp_path / "x" / ".." / "lab"),
                 f"File://{tmp_path}/l%61b"):  # fmt: skip
        assert keys.trust("ann", PUBLIC[1], text).trusted == (Trusted("ann", PUBLIC[1], str(tmp_path / "lab")),)
    assert keys.trust("ann", PUBLIC[1], "S3://Lab/x").trusted[-1].remote == "s3://Lab/x"


@pytest.mark.parametrize(
    "change",
    [
        {"pylightnix": "keyring/2"}, {"need": 0}, {"need": True}, {"need": "1"}, {"more": 1}, {"trusted": {}},
        {"trusted": [{"name": "ann", "key": PUBLIC[1]}]}, {"trusted": [{"name": "ann", "key": SECRET, "remote": ""}]},
        {"trusted": [{"name": "a b", "key": PUBLIC[1], "remote": ""}]}, {"trusted": ["ann"]}, {"revoked": []},
        {"trusted": [{"name": "ann", "key": PUBLIC[1], "remote": None}]}, {"revoked": {PUBLIC[1]: None}},
        {"revoked": {PUBLIC[1]: "yesterday"}}, {"revoked": {"ann": DAY}}, {"trusted": 5}, {"revoked": None},
    ],
    ids=range(17),
)  # fmt: skip
def test_damage_is_told_and_never_overwritten(keys: Keys, change: dict[str, object]) -> None:
    keys.trust("ann", PUBLIC[1])
    path = ring_path(keys)
    broken = json.dumps({**json.loads(path.read_text()), **change})
    if change == {"trusted": {}}:
        broken = broken[:-5]
    path.write_text(broken)
    for ask in (
        keys.load, lambda: keys.trust("bob", PUBLIC[2]), lambda: keys.untrust("ann"), lambda: keys.require(2),
        lambda: keys.revoke("ann", DAY),
    ):  # fmt: skip
        with pytest.raises(DamageError) as caught:
            ask()
        assert caught.value.where == str(path)
        assert "not overwritten" in caught.value.hint
        assert "nWGxne" not in str(caught.value)
    assert path.read_text() == broken


def test_the_own_key(keys: Keys) -> None:
    made = keys.generate()
    own = Path(keys.own_path)
    assert own.read_text() == f"{made.text()}\n"
    found = keys.own()
    assert found is not None
    assert found.public == made.public
    if os.name == "posix":
        assert own.stat().st_mode & 0o777 == 0o600
        assert Path(keys.directory).stat().st_mode & 0o077 == 0
    with pytest.raises(TrustError, match="not overwritten"):
        keys.generate()
    assert own.read_text() == f"{made.text()}\n"
    keys.trust("me", made.public)
    keys.revoke("me", DAY)
    with pytest.raises(TrustError, match=f"your own key was revoked on {DAY}"):
        keys.own()


@pytest.mark.skipif(os.name != "posix", reason="modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610], ids=oct)
def test_a_key_that_others_can_read_is_refused(keys: Keys, mode: int) -> None:
    keys.generate()
    os.chmod(keys.own_path, mode)
    with pytest.raises(TrustError, match="others can read") as caught:
        keys.own()
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("text", ["", "plx-secret:AAAA", f"{SECRET} {SECRET}", BODY], ids=range(4))
def test_a_file_without_a_key(keys: Keys, text: str) -> None:
    keys.generate()
    Path(keys.own_path).write_text(text)
    with pytest.raises(TrustError, match="no secret key") as caught:
        keys.own()
    assert "nWGxne" not in str(caught.value)


@pytest.mark.parametrize("refused", ["open", "write", "fsync", "rename"])
def test_a_full_disk_leaves_what_was_there(keys: Keys, refused: str) -> None:
    before = keys.trust("ann", PUBLIC[1])

    def refuse(name: str, paths: tuple[object, ...]) -> None:
        if name == refused and not str(paths[0]).endswith(".lock"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for ask in (keys.generate, lambda: keys.revoke("ann", DAY)):
        with changes.observed(refuse), pytest.raises(OSError, match="No space"):
            ask()
    assert keys.load() == before
    assert sorted(os.listdir(keys.directory)) == ["keyring.json", "keyring.lock"]
    keys.generate()


@pytest.mark.parametrize("verb", ["generate", "trust"])
def test_who_dies_at_a_change_leaves_what_the_next_one_removes(tmp_path: Path, verb: str) -> None:
    for last in range(100):
        keys = Keys(str(tmp_path / str(last)))
        ask = keys.generate if verb == "generate" else lambda keys=keys: keys.trust("ann", PUBLIC[1])
        died = dies_at(last, ask)
        if verb == "generate" and keys.own() is not None:
            with pytest.raises(TrustError, match="not overwritten"):
                keys.generate()
        else:
            ask()
        name = "own.key" if verb == "generate" else "keyring.json"
        assert sorted(os.listdir(keys.directory)) == sorted(["keyring.lock", name])
        if not died:
            break
    assert 5 < last < 99


def _trust_one(directory: str, n: int) -> None:
    Keys(directory).trust(f"s{n}", PUBLIC[n])


def test_changes_at_once_are_all_kept(keys: Keys) -> None:
    """Else a revocation could vanish."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.starmap(_trust_one, [(keys.directory, n) for n in range(40)])
    assert {one.name for one in keys.load().trusted} == {f"s{n}" for n in range(40)}


def test_where_keys_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "mine"))
    assert Keys().directory == str(tmp_path / "mine")
    monkeypatch.delenv(DIRECTORY)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert Keys().directory.startswith(str(tmp_path))
