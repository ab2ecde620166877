"""What is raised where the property does not hold."""

from __future__ import annotations


class Violation(AssertionError):  # noqa: N818
    """The property does not hold.

    Attributes:
        kind: "stale" (a run that had to be made was not, or what is chosen was made from something else), "idle"
            (something ran without reason), "content", "choice" (it is not what the matcher chooses), "consistency" (two
            choices for one derivation), "plan" (it said something else than what was right, or than what was done),
            "seed" (or the index that it follows from), "identity" (two names for one thing, or one for two), "store"
            (it does not keep what it must), or "refused" (realize gave up).
    """

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind
