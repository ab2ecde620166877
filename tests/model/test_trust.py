"""Whom one trusts: each doubt in words, and the rule against a plain count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylightnix.model.trust import Keyring, Trusted, Verdict

KEYS = tuple(f"plx-public:{letter * 43}=" for letter in "ABCDEFGH")
ANN, BOB, EVE, OLD = KEYS[:4]
PLACE = "s3://lab/results"
DAY = "2026-03-01"


def ring(need: int = 1, *revoked: str) -> Keyring:
    trusted = (Trusted("ann", ANN), Trusted("bob", BOB, "s3://lab"), Trusted("ann", OLD))
    return Keyring(trusted, dict.fromkeys(revoked, DAY), need)


@pytest.mark.parametrize(
    ("of", "signers", "place", "doubt"),
    [
        (Keyring(), [], PLACE, "nobody has signed it"),
        (Keyring(), [EVE], PLACE, "it is signed with plx-public:CCCCCCCCCCCC…, whom you do not trust"),
        (ring(), [BOB], "file:///x", "it is signed with plx-public:BBBBBBBBBBBB…, which you trust at s3://lab alone"),
        (ring(1, ANN), [ANN], PLACE, f"it is signed with plx-public:AAAAAAAAAAAA…, which was revoked on {DAY}"),
        (ring(1, EVE), [EVE], PLACE, f"it is signed with plx-public:CCCCCCCCCCCC…, which was revoked on {DAY}"),
        (ring(2), [], PLACE, "nobody has signed it"),
        (ring(2), [ANN, EVE], PLACE, "2 whom you trust must have signed it, and ann did"),
        (ring(2, BOB), [ANN, BOB], PLACE, "2 whom you trust must have signed it, and ann did"),
        (ring(2), [ANN, ANN], PLACE, "2 whom you trust must have signed it, and ann did"),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_is_not_believed(of: Keyring, signers: list[str], place: str, doubt: str) -> None:
    assert of.judge(signers, place).doubt == doubt


@pytest.mark.parametrize(
    ("of", "signers", "by"),
    [
        (ring(), [ANN], ("ann",)),
        (ring(), [EVE, BOB], ("bob",)),
        (ring(1, ANN), [ANN, BOB], ("bob",)),
        (ring(2), [BOB, ANN], ("ann", "bob")),
        (ring(1), [OLD, ANN], ("ann",)),
    ],
    ids=range(5),
)
def test_what_is_believed(of: Keyring, signers: list[str], by: tuple[str, ...]) -> None:
    assert of.judge(signers, PLACE) == Verdict("", by)


def test_two_keys_of_one_person_are_one_signature() -> None:
    """Somebody who has changed keys cannot vouch for themselves."""
    assert ring(2).judge([ANN, OLD], PLACE) == Verdict("2 whom you trust must have signed it, and ann did", ("ann",))


@pytest.mark.parametrize(
    ("remote", "url", "counts"),
    [
        ("", "s3://lab", True),
        ("s3://lab", "s3://lab", True),
        ("s3://lab/", "s3://lab", True),
        ("s3://lab", "s3://lab/", True),
        ("s3://lab", "s3://lab/a/b", True),
        ("s3://lab", "s3://lab?…", True),
        ("s3://lab", "s3://lab-of-others", False),
        ("s3://lab", "s3://lab/../others", False),
        ("s3://lab/a", "s3://lab", False),
        ("https://a.example", "https://a.example.others.example/x", False),
        ("/", "/mnt/lab", True),
        ("/", "s3://lab", False),
    ],
)
def test_where(remote: str, url: str, counts: bool) -> None:
    assert Trusted("ann", ANN, remote).counts_at(url) == counts


people = st.builds(
    Trusted, st.sampled_from(["ann", "bob", "eve"]), st.sampled_from(KEYS), st.sampled_from(["", "s3://lab", "/other"])
)
rings = st.builds(
    Keyring, st.lists(people, max_size=6, unique_by=lambda one: one.key).map(tuple),
    st.dictionaries(st.sampled_from(KEYS), st.just(DAY)), st.integers(1, 3),
)  # fmt: skip


@given(rings, st.lists(st.sampled_from(KEYS)))
def test_the_rule(of: Keyring, signers: list[str]) -> None:
    good = {
        one.name for one in of.trusted
        if one.key in signers and one.key not in of.revoked and one.remote != "/other"
    }  # fmt: skip
    verdict = of.judge(signers, PLACE)
    assert (verdict.doubt == "") == (len(good) >= of.need)
    assert set(verdict.by) == good
    assert verdict == of.judge(reversed(signers), PLACE), "the order does not matter"
