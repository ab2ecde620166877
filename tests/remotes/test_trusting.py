"""Nobody wins by publishing a number: who is believed, and who is not, on the way from one store to another."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Dep, Realization, Store, match, plan, promise, pull, push, realize, sign, stage
from pylightnix.errors import SecretError, TrustError
from pylightnix.model.trust import Keyring
from pylightnix.remotes.keyring import DIRECTORY, Keys
from pylightnix.remotes.keys import SecretKey
from pylightnix.session.signing import doubted


@stage(code="ignore")
def data(table: Path = promise("table.txt")) -> None:
    table.write_text("one two")


@stage(code="ignore", matcher=match.best("score", of=1))
def model(build: Build, source: Dep = data(), weights: Path = promise("w.bin")) -> dict[str, float]:
    weights.write_text(source.table.read_text())
    return {"score": float(build.seed % 1000)}


class People:
    """Some people with a store and keys each; `being` one of them, the verbs use theirs."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._monkeypatch = monkeypatch
        self.remote = directory / "remote"

    def being(self, name: str) -> Store:
        self._monkeypatch.setenv(DIRECTORY, str(self.directory / name / "keys"))
        return Store(self.directory / name / "store", durability="none")

    def key(self, name: str) -> str:
        self.being(name)
        keys = Keys()
        return (keys.own() or keys.generate()).public


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> People:
    return People(tmp_path, monkeypatch)


def made_by(people: People, name: str) -> Realization[Any]:
    """What somebody made, and sent."""
    store = people.being(name)
    done = realize(model(), store=store, quiet=True)
    push(done, people.remote, store=store)
    return done


def test_who_is_trusted_is_believed(people: People) -> None:
    ann = people.key("ann")
    done = made_by(people, "ann")
    bob = people.being("bob")
    with pytest.raises(TrustError, match="whom you do not trust"):
        pull(done.ref, people.remote, store=bob)
    Keys().trust("ann", ann)
    pull(done.ref, people.remote, store=bob)
    assert plan(model(), store=bob).steps[-1].action == "reuse"
    assert list(doubted(bob)) == []


def test_an_unsigned_number_is_never_chosen(people: People) -> None:
    """Neither what has no signature, nor what has somebody else's."""
    ann, mallory = people.key("ann"), people.key("mallory")
    done = made_by(people, "mallory")
    bob = people.being("bob")
    Keys().trust("ann", ann)
    for refused in (mallory, ""):
        _sign_instead(people.remote, refused)
        with pytest.raises(TrustError):
            pull(done.ref, people.remote, store=bob)
        assert not bob.path.exists()


def _sign_instead(remote: Path, key: str, signature: str = "") -> None:
    """Put another key's name, or nobody's, on all offers; each gets the name that it must have then."""
    from pylightnix.hashing import DIGITS, canonical, digest_bytes

    for path in list(remote.glob("claims/*/*@*.json")):
        document = json.loads(path.read_bytes())
        for one in document["signatures"]:
            one.update(key=key, signature=signature or one["signature"])
        if not key:
            document["signatures"] = []
        data = canonical(document)
        path.unlink()
        path.with_name(f"{path.name[:41]}{digest_bytes(data)[:DIGITS]}.json").write_bytes(data)


def test_the_signature_of_something_else(people: People) -> None:
    """A trusted key's name on a signature that is not its own."""
    ann = people.key("ann")
    people.key("mallory")
    done = made_by(people, "mallory")
    bob = people.being("bob")
    Keys().trust("ann", ann)
    _sign_instead(people.remote, ann)
    with pytest.raises(TrustError, match="nobody has signed it"):
        pull(done.ref, people.remote, store=bob)


def test_only_there(people: People) -> None:
    ann = people.key("ann")
    done = made_by(people, "ann")
    bob = people.being("bob")
    Keys().trust("ann", ann, "s3://elsewhere")
    with pytest.raises(TrustError, match="trust at s3://elsewhere alone"):
        pull(done.ref, people.remote, store=bob)
    Keys().trust("ann", ann, str(people.directory))
    pull(done.ref, people.remote, store=bob)


def test_several_must_have_signed(people: People) -> None:
    ann, eve = people.key("ann"), people.key("eve")
    done = made_by(people, "ann")
    carl = people.being("carl")
    Keys().trust("ann", ann)
    Keys().trust("eve", eve)
    Keys().require(2)
    with pytest.raises(TrustError, match="2 whom you trust must have signed it, and ann did"):
        pull(done.ref, people.remote, store=carl)
    eves = people.being("eve")
    Keys().trust("ann", ann)
    pull(done.ref, people.remote, store=eves)
    push(done.ref, people.remote, store=eves)
    people.being("carl")
    with pytest.raises(TrustError, match="ann did"):
        pull(done.ref, people.remote, store=carl)  # who sends it on does not vouch for it
    people.being("eve")
    assert len(sign(done.ref, store=eves)) == 2
    push(done.ref, people.remote, store=eves)
    people.being("carl")
    pull(done.ref, people.remote, store=carl)
    assert list(doubted(carl)) == []


def test_a_key_that_is_revoked(people: People) -> None:
    ann = people.key("ann")
    done = made_by(people, "ann")
    bob = people.being("bob")
    Keys().trust("ann", ann)
    pull(done.ref, people.remote, store=bob)
    realize(model(), store=bob, quiet=True, rebuild=[model()])
    Keys().revoke("ann", "2026-03-01")
    assert {one.ref for one in doubted(bob)} == {done.ref, done.deps.source.ref}
    assert all("revoked on 2026-03-01" in one.why for one in doubted(bob))
    with pytest.raises(TrustError, match="revoked"):
        pull(done.ref, people.remote, store=people.being("bob"))
    with pytest.raises(TrustError, match="revoked"):
        Keys().trust("ann", ann)


def test_what_was_there_before_there_was_a_key(people: People) -> None:
    done = made_by(people, "ann")
    ann = people.key("ann")
    store = people.being("ann")
    assert [one.how for one in push(done, people.remote, store=store).moved] == ["merged"] * 2
    bob = people.being("bob")
    Keys().trust("ann", ann)
    pull(done.ref, people.remote, store=bob)


def test_push_can_be_told_to_sign_or_not(people: People) -> None:
    store = people.being("ann")
    done = realize(model(), store=store, quiet=True)
    with pytest.raises(TrustError, match="no key"):
        push(done, people.remote, store=store, sign=True)
    people.key("ann")
    push(done, people.remote, store=store, sign=False)
    offers = [json.loads(path.read_bytes()) for path in people.remote.glob("claims/*/*@*.json")]
    assert [offer["signatures"] for offer in offers] == [[], []]


def test_secrets_stay(people: People) -> None:
    @stage(code="ignore")
    def leaky(build: Build) -> None:
        (build.out / "deep").mkdir()
        (build.out / "deep" / "notes.txt").write_text(f"the token: ghp_{'a1B2' * 9}\n")

    store = people.being("ann")
    done = realize(leaky(), store=store, quiet=True)
    with pytest.raises(SecretError, match="GitHub token") as caught:
        push(done, people.remote, store=store)
    assert "notes.txt" in caught.value.where
    assert "a1B2" not in str(caught.value)
    assert not list(people.remote.glob("claims/*/*"))
    push(done, people.remote, store=store, secrets=True)


@pytest.mark.parametrize("where", ["log", "long log", "value", "parameter"])
def test_secrets_stay_that_are_in_no_artifact(people: People, where: str) -> None:
    token = f"glpat-{'a1B2' * 6}"

    @stage(code="ignore")
    def leaky(where: str = where, given: str = token if where == "parameter" else "") -> str:
        if where in ("log", "long log"):
            print("x" * (300_000 if where == "long log" else 1), token)
        return token if where == "value" else ""

    store = people.being("ann")
    done = realize(leaky(), store=store, quiet=True)
    with pytest.raises(SecretError, match="GitLab token") as caught:
        push(done, people.remote, store=store)
    assert token not in str(caught.value)
    push(done, people.remote, store=store, secrets=True)


def test_one_believes_oneself(people: People, tmp_path: Path) -> None:
    people.key("ann")
    done = made_by(people, "ann")
    pull(done.ref, people.remote, store=tmp_path / "laptop")
    Keys().revoke(SecretKey(bytes(32)).public, "2026-03-01")
    assert list(doubted(tmp_path / "laptop")) == []


def test_a_keyring_that_is_no_use(people: People) -> None:
    done = made_by(people, "ann")
    bob = people.being("bob")
    Keys().trust("x", SecretKey(bytes(32)).public)
    path = Path(Keys().directory, "keyring.json")
    path.write_text(path.read_text()[:-5])
    with pytest.raises(Exception, match="keyring"):
        pull(done.ref, people.remote, store=bob)
    assert path.read_text(), "nothing is overwritten"


def test_the_keys_files(people: People) -> None:
    people.key("ann")
    own = Path(Keys().own_path)
    assert own.stat().st_mode & 0o777 == 0o600
    secret = own.read_text().strip()
    with pytest.raises(TrustError, match="not overwritten"):
        Keys().generate()
    for text in (repr(Keys().own()), str(Keys().own())):
        assert secret.removeprefix("plx-secret:") not in text
    with pytest.raises(TrustError, match="secret key") as caught:
        Keys().trust("me", secret)
    assert secret not in str(caught.value)
    own.chmod(0o640)
    if os.name == "posix":
        with pytest.raises(TrustError, match="others can read"):
            Keys().own()
    own.chmod(0o600)
    own.write_text("plx-secret:AAAA\n")
    with pytest.raises(TrustError, match="no secret key"):
        Keys().own()
    assert Keys().load() == Keyring()
