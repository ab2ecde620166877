"""A secret, by its name: what it says stands in no derivation, and is asked for where the builder runs."""

from __future__ import annotations

import os

from pylightnix.errors import ConfigError
from pylightnix.model.conditions import check_names
from pylightnix.model.config import register_encoder
from pylightnix.model.hidden import TAG


class Secret:
    """A password, a token, a key: the name of the environment variable that has it.

    Given as an argument, the name is in the identity and the value is not: another value is no reason to run again. The
    value is never written down: the run fails if the value stands in what it returned or in its files, and it is
    blotted out of the log and of messages. So it must be set where `realize` is called.

    Args:
        name: of the environment variable.

    Raises:
        ConfigError: it can be no name of one.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = check_names("Secret", "name", [name])[0]

    @property
    def name(self) -> str:
        """The name of the environment variable."""
        return self._name

    def reveal(self) -> str:
        """What the secret is; ConfigError if the variable is not set, or empty."""
        value = os.environ.get(self._name, "")
        if not value:
            raise ConfigError(
                "the environment variable is not set", where=repr(self),
                hint=f"set {self._name} where realize is called, and where the builder runs",
            )  # fmt: skip
        return value

    def __repr__(self) -> str:
        return f"Secret({self._name!r})"

    def __eq__(self, other: object) -> bool:
        return self._name == other._name if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._name))


register_encoder(Secret, lambda secret: secret.name, Secret, tag=TAG)
