"""Derivations that come to one key: one makes, the others are asked again after it, also where it fails."""

from __future__ import annotations

from pylightnix.engine.following import Following
from pylightnix.names import DerivationRef, KeyRef

A, B, C = (DerivationRef(f"{digit * 40}-stage") for digit in "abc")
HOME, OTHER = KeyRef(f"{'1' * 40}-stage"), KeyRef(f"{'2' * 40}-stage")


def test_one_makes_and_the_others_follow() -> None:
    following = Following()
    assert not following.follows(A, HOME)
    following.make(A, HOME)
    assert not following.follows(A, HOME), "itself, asked again"
    assert following.follows(B, HOME)
    assert following.follows(C, HOME)
    assert not following.follows(B, OTHER)
    assert following.satisfied(B, HOME) == [], "it made nothing"
    assert following.satisfied(A, HOME) == [B, C]
    assert following.satisfied(A, HOME) == []
    assert not following.follows(B, HOME)


def test_who_fails_lets_the_others_try() -> None:
    following = Following()
    for home in (HOME, OTHER):
        following.make(A, home)
    following.follows(B, HOME)
    following.follows(C, OTHER)
    assert following.failed(B) == []
    assert following.failed(A) == [B, C]
    assert following.failed(A) == []
