"""Whom somebody trusts, and what follows for a claim: whether it is believed and why, in one step. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Trusted(NamedTuple):
    """Somebody who is trusted.

    Attributes:
        name: what the user calls them.
        key: their public key, in text.
        remote: where only: remotes whose address begins so; empty for all.
    """

    name: str
    key: str
    remote: str = ""

    def counts_at(self, url: str) -> bool:
        """Whether they are trusted for what is at an address."""
        if not self.remote:
            return True
        base, at = self.remote.rstrip("/"), url.rstrip("/")
        return at == base or (at.startswith((f"{base}/", f"{base}?")) and ".." not in at.split("/"))


class Verdict(NamedTuple):
    """What is thought of a claim.

    Attributes:
        doubt: why it is not believed, in words; empty if it is.
        by: names of those who are trusted and have signed it.
    """

    doubt: str
    by: tuple[str, ...] = ()


class Keyring(NamedTuple):
    """Whom somebody trusts.

    Attributes:
        trusted: who is trusted, for what.
        revoked: keys that are not to be believed any more, with the day on which that was said (ISO 8601).
        need: how many of those who are trusted must have signed a claim: names, however many keys each has.
    """

    trusted: tuple[Trusted, ...] = ()
    revoked: Mapping[str, str] = {}
    need: int = 1

    def judge(self, signers: Iterable[str], url: str) -> Verdict:
        """Whether a claim is believed.

        Args:
            signers: public keys whose signatures of it are right.
            url: where it was found.
        """
        keys = sorted(set(signers))
        if not keys:
            return Verdict("nobody has signed it")
        good = [key for key in keys if key not in self.revoked]
        if not good:
            return Verdict(f"it is signed with {_short(keys[0])}, which was revoked on {self.revoked[keys[0]]}")
        known = {one.key: one for one in self.trusted if one.counts_at(url)}
        names = tuple(dict.fromkeys(known[key].name for key in good if key in known))
        if not names:
            return Verdict(f"it is signed with {_short(good[0])}, {self._stranger(good[0])}")
        if len(names) < self.need:
            return Verdict(f"{self.need} whom you trust must have signed it, and {', '.join(names)} did", names)
        return Verdict("", names)

    def _stranger(self, key: str) -> str:
        where = [one.remote for one in self.trusted if one.key == key]
        return f"which you trust at {where[0]} alone" if where else "whom you do not trust"


def _short(key: str) -> str:
    """A public key, short enough for a line."""
    return f"{key[:23]}…" if len(key) > 24 else key
