"""Every error of the package: what went wrong, where, and what to do next. Unaware of everything else here."""

from __future__ import annotations

from typing import Any


class PylightnixError(Exception):
    """The base of all errors that this package raises on purpose.

    Attributes:
        what: one sentence: what was found.
        where: the place: a parameter path, a stage, a file; empty if the sentence has it.
        hint: what to do next; may be empty.
        fields: the same facts for a program, JSON values only.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "", **fields: object) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.fields = fields

    @property
    def told(self) -> str:
        """What was found and where, without what to do next."""
        return f"{self.where}: {self.what}" if self.where else self.what

    def __str__(self) -> str:
        return f"{self.told}\n  {self.hint}" if self.hint else self.told

    def __reduce__(self) -> tuple[Any, ...]:
        notes = getattr(self, "__notes__", None)
        state = {"__notes__": notes} if notes else None
        return (_rebuild, (type(self), self.what, self.where, self.hint, self.fields), state)


def _rebuild(
    kind: type[PylightnixError], what: str, where: str, hint: str, fields: dict[str, object]
) -> PylightnixError:
    return kind(what, where=where, hint=hint, **fields)


class ConfigError(PylightnixError):
    """A value that cannot stand in a configuration; `where` is its path, as in `model(opt.steps[2])`."""


class ArgumentError(PylightnixError, TypeError):
    """A stage was called with an unknown, missing or surplus argument."""


class BadNameError(PylightnixError, ValueError):
    """A name, reference or promised path that the store cannot take."""


class UnknownPromiseError(PylightnixError, AttributeError):
    """A promise that the derivation does not declare; the message lists those it does."""


class HiddenError(PylightnixError, AttributeError):
    """A builder looked at something of an input that is not part of its key."""


class CodeError(PylightnixError):
    """The code of a builder cannot be identified."""


class GraphError(PylightnixError):
    """The closure contradicts itself: a cycle, or one derivation under two matchers."""


class TargetError(PylightnixError):
    """What was asked for is not a derivation, or cannot be found."""


class UnknownReferenceError(PylightnixError, LookupError):
    """A reference that names nothing in the store, or more than one thing."""


class MatcherError(PylightnixError):
    """A matcher that refuses, is never satisfied, or breaks its contract."""


class BuildError(PylightnixError):
    """A builder failed; `fields` carry stage, params, seed, run, exception, log and the kept directory."""


class PromiseError(BuildError):
    """A builder returned, and something that it promised is not there or not as promised."""


class FailuresError(BuildError):
    """What failed in a realize that kept going; `fields` carry those of each failure, and what each one blocked.

    Attributes:
        failures: the errors, in the order in which they came.
    """

    failures: tuple[PylightnixError, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, arguments, state = super().__reduce__()
        return (rebuild, arguments, {**(state or {}), "failures": self.failures})


class FetchError(PylightnixError):
    """Data from elsewhere that could not be had, or is not what it must be."""


class ScriptError(PylightnixError, RuntimeError):
    """A script of `stages.command` that ended with an exit code, or by a signal."""


class ResourceError(PylightnixError):
    """A run that needs more than there is."""


class ExecutorError(PylightnixError):
    """An executor that cannot run here, or was stopped."""


class StoreError(PylightnixError):
    """The store cannot be read or written as it stands."""


class CollectedError(StoreError, FileNotFoundError):
    """An artifact of which only the record of its realization is there."""


class ArtifactError(StoreError):
    """What a builder left cannot be kept: neither file, directory nor link, unreadable, or changing meanwhile."""


class FormatError(StoreError):
    """The store, or a file in it, has a format that this version does not read."""


class DamageError(StoreError):
    """A file of the store is not what it must be."""


class RemoteError(PylightnixError):
    """A remote that cannot be reached, refuses, or gives what it must not.

    `fields` may carry `again` (another attempt may help) and `wait` (seconds that the remote asks to wait before it).
    """

    @property
    def again(self) -> bool:
        """Whether another attempt may help."""
        return bool(self.fields.get("again"))

    @property
    def wait(self) -> float:
        """Seconds that the remote asks to wait before another attempt; 0 if it does not."""
        wait = self.fields.get("wait", 0)
        return wait if isinstance(wait, (int, float)) else 0


class TrustError(PylightnixError):
    """Something that nobody vouches for who is trusted."""


class SecretError(PylightnixError):
    """A file that looks like a secret, and would be sent elsewhere."""


class CollectionError(StoreError):
    """A collection that is not made, since it is in doubt what is still wanted."""
