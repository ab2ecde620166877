"""Derivations that come to one key: its runs are made for one of them, and the others are asked again after it."""

from __future__ import annotations

from pylightnix.names import DerivationRef, KeyRef


class Following:
    """Who makes, and who follows."""

    def __init__(self) -> None:
        self._makers: dict[KeyRef, DerivationRef] = {}
        self._followers: dict[KeyRef, list[DerivationRef]] = {}

    def follows(self, ref: DerivationRef, home: KeyRef) -> bool:
        """Whether runs of this key are being made for another derivation: then this one is to be asked after it."""
        maker = self._makers.get(home, ref)
        if maker != ref:
            self._followers.setdefault(home, []).append(ref)
        return maker != ref

    def make(self, ref: DerivationRef, home: KeyRef) -> None:
        """Runs of this key are made for this derivation."""
        self._makers[home] = ref

    def satisfied(self, ref: DerivationRef, home: KeyRef) -> list[DerivationRef]:
        """The derivation needs no more runs of this key; those that followed, to be asked again."""
        if self._makers.get(home) != ref:
            return []
        del self._makers[home]
        return self._followers.pop(home, [])

    def failed(self, ref: DerivationRef) -> list[DerivationRef]:
        """No more runs are made for the derivation; those that followed, to be asked again."""
        homes = [home for home, maker in self._makers.items() if maker == ref]
        return [follower for home in homes for follower in self.satisfied(ref, home)]
