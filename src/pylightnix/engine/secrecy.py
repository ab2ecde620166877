"""Whether the secrets of a run can be kept: seen before it begins, since a builder may take hours. Unaware of files."""

from __future__ import annotations

import os

from pylightnix.errors import BuildError
from pylightnix.model.conditions import Conditions
from pylightnix.model.hidden import LEAST


def check_secrets(stage: str, conditions: Conditions) -> None:
    """See that each secret can be looked for in what the run leaves.

    Raises:
        BuildError: one is not set, or stands everywhere by chance.
    """
    for name in conditions.secrets:
        length = len(os.environ.get(name, ""))
        if not length:
            raise BuildError(
                f"the secret {name} is not set here, so nobody would see whether it stands in what the run leaves",
                where=stage, stage=stage, secret=name,
                hint=f"set the environment variable {name} where realize is called, and where builders run",
            )  # fmt: skip
        if length < LEAST:
            raise BuildError(
                f"the secret {name} has {length} character{'s' if length > 1 else ''}, and one of less than {LEAST} "
                "stands everywhere by chance: nobody could keep it out of logs and files",
                where=stage, hint="take a longer one; what nobody need hide is passed by pass_variables=",
                stage=stage, secret=name,
            )  # fmt: skip
