"""The user's own key, and whom they trust, as files in a directory of the user's configuration.

`$PYLIGHTNIX_KEYS` names another directory. `own.key` can be read by its owner alone; `keyring.json` is no secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import Any

from pylightnix.errors import BadNameError, DamageError, TrustError
from pylightnix.hashing import kind_tag
from pylightnix.model.trust import Keyring, Trusted
from pylightnix.names import check_name, printable
from pylightnix.remotes.keys import SecretKey, check_public, generate, parse_secret
from pylightnix.store import changes
from pylightnix.store.files import fresh_id, parse_document, read_start, write_all

DIRECTORY = "PYLIGHTNIX_KEYS"
_KIND = kind_tag("keyring")
_MOST = 1 << 20


class Keys:
    """The keys of a user.

    Args:
        directory: where they are; None for `$PYLIGHTNIX_KEYS`, else the user's configuration.
    """

    def __init__(self, directory: str | None = None) -> None:
        self.directory = os.path.abspath(os.path.expanduser(directory or _directory()))
        self.own_path = f"{self.directory}/own.key"
        self._path = f"{self.directory}/keyring.json"

    def own(self) -> SecretKey | None:
        """The user's own key; None if they have none.

        Raises:
            TrustError: others can read it, or there is none in its file.
        """
        where = printable(self.own_path)
        try:
            mode = os.stat(self.own_path).st_mode
            text = read_start(self.own_path, _MOST).decode("ascii", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrustError(f"the secret key cannot be read: {error.strerror}", where=where) from error
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise TrustError(
                "others can read the secret key", where=where,
                hint=f"chmod 600 {where}; and if somebody may have read it, revoke it and make a new one",
            )  # fmt: skip
        return parse_secret(text.strip(), where)

    def generate(self) -> SecretKey:
        """Make the user's own key; TrustError if there is one."""
        key = generate()
        self._ensure()
        try:
            handle = changes.open_new(self.own_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise TrustError(
                "there is a key, and it is not overwritten", where=printable(self.own_path),
                hint="pylightnix key show shows it; move the file away to have another one",
            ) from None  # fmt: skip
        try:
            write_all(handle, f"{key.text()}\n".encode())
            changes.sync_file(handle)
        finally:
            os.close(handle)
        return key

    def load(self) -> Keyring:
        """Whom the user trusts.

        Raises:
            DamageError: the file is no keyring.
        """
        try:
            data = read_start(self._path, _MOST)
        except FileNotFoundError:
            return Keyring()
        except OSError as error:
            raise TrustError(f"cannot be read: {error.strerror}", where=printable(self._path)) from error
        try:
            return _parse(parse_document("", data.strip(), _KIND))
        except (KeyError, TypeError, ValueError, AttributeError, DamageError, TrustError) as error:
            raise DamageError(
                f"it is no keyring: {error}", where=printable(self._path), hint="mend it, or move it away"
            ) from error

    def trust(self, name: str, key: str, remote: str = "") -> Keyring:
        """Trust somebody, for remotes whose address begins so, or for all; a name that is known gets this key too.

        Raises:
            TrustError: this is no public key, or one that was revoked.
            BadNameError: this is no name.
        """
        check_name(name)
        public, ring = check_public(key), self.load()
        if public in ring.revoked:
            raise TrustError(
                f"this key was revoked on {ring.revoked[public]}", hint=f"take it out of {printable(self._path)} first"
            )
        new = Trusted(name, public, remote)
        return self._keep(ring._replace(trusted=(*(one for one in ring.trusted if one != new), new)))

    def untrust(self, name: str) -> Keyring:
        """Trust somebody no more; TrustError if nobody has this name."""
        ring = self.load()
        rest = tuple(one for one in ring.trusted if one.name != name)
        if len(rest) == len(ring.trusted):
            raise _nobody(name, ring)
        return self._keep(ring._replace(trusted=rest))

    def revoke(self, who: str, on: str) -> Keyring:
        """Believe a key no more, whoever has signed with it, also what was fetched before.

        Args:
            who: a name, which means all keys of that name, or a public key.
            on: the day.

        Raises:
            TrustError: nobody has this name, and it is no public key.
        """
        ring = self.load()
        keys = [one.key for one in ring.trusted if one.name == who]
        if not keys:
            try:
                keys = [check_public(who)]
            except TrustError:
                raise _nobody(who, ring) from None
        revoked = {**dict.fromkeys(keys, on), **ring.revoked}
        rest = tuple(one for one in ring.trusted if one.key not in keys)
        return self._keep(ring._replace(trusted=rest, revoked=revoked))

    def require(self, need: int) -> Keyring:
        """Believe only what so many have signed whom the user trusts."""
        if need < 1:
            raise BadNameError(f"{need} is no number of signatures", hint="give 1 or more")
        return self._keep(self.load()._replace(need=need))

    def _keep(self, ring: Keyring) -> Keyring:
        self._ensure()
        document = {
            "need": ring.need, "pylightnix": _KIND, "revoked": dict(ring.revoked),
            "trusted": [one._asdict() for one in ring.trusted],
        }  # fmt: skip
        beside = f"{self.directory}/.{fresh_id()}"
        handle = changes.open_new(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            write_all(handle, f"{json.dumps(document, indent=1, sort_keys=True)}\n".encode())
            changes.sync_file(handle)
        finally:
            os.close(handle)
        try:
            changes.replace(beside, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                changes.remove_file(beside)
            raise
        return ring

    def _ensure(self) -> None:
        try:
            changes.make_directories(self.directory, 0o700)
        except OSError as error:
            raise TrustError(f"cannot be made: {error.strerror}", where=printable(self.directory)) from error


def _parse(document: dict[str, Any]) -> Keyring:
    trusted = tuple(
        Trusted(check_name(one["name"]), check_public(one["key"]), _text(one["remote"])) for one in document["trusted"]
    )
    revoked = {check_public(key): _text(day) for key, day in document["revoked"].items()}
    need = document["need"]
    if type(need) is not int or need < 1:
        raise ValueError("need is not a number of signatures")
    return Keyring(trusted, revoked, need)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _nobody(name: str, ring: Keyring) -> TrustError:
    known = ", ".join(sorted({one.name for one in ring.trusted})) or "nobody yet"
    return TrustError(f"nobody is trusted under the name {printable(name[:60])!r}", hint=f"trusted: {known}")


def _directory() -> str:
    if named := os.environ.get(DIRECTORY):
        return named
    import platformdirs  # slow to import, and seldom needed

    return os.path.join(platformdirs.user_config_dir("pylightnix", appauthor=False), "keys")
