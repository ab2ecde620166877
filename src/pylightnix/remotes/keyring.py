"""The user's own key, and whom they trust, as files in a directory of the user's configuration.

`$PYLIGHTNIX_KEYS` names another directory. `own.key` can be read by its owner alone; `keyring.json` is no secret.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from pylightnix.errors import BadNameError, TrustError
from pylightnix.model.trust import Keyring, Trusted
from pylightnix.names import printable
from pylightnix.remotes.keys import PUBLIC, SecretKey, check_public, generate, parse_secret
from pylightnix.remotes.ringfile import address, keyring_bytes, parse_keyring, who
from pylightnix.store import changes
from pylightnix.store.files import NewFile, read_start
from pylightnix.store.locks import UNSUPPORTED, take
from pylightnix.store.unfinished import finished

DIRECTORY = "PYLIGHTNIX_KEYS"
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
            TrustError: others can read it, there is none in its file, or it was revoked.
            DamageError: what tells whether it was revoked is no keyring.
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
        key = parse_secret(text.strip(), where)
        if (day := self.load().revoked.get(key.public)) is not None:
            raise TrustError(
                f"your own key was revoked on {day}", where=where,
                hint="move the file away, and make another: pylightnix key generate",
            )  # fmt: skip
        return key

    def generate(self) -> SecretKey:
        """Make the user's own key; TrustError if there is one."""
        key = generate()
        with self._alone(), self._written(self.own_path, f"{key.text()}\n".encode(), 0o600):
            if os.path.lexists(self.own_path):
                raise TrustError(
                    "there is a key, and it is not overwritten", where=printable(self.own_path),
                    hint="pylightnix key show shows it; move the file away to have another one",
                )  # fmt: skip
        return key

    def believed(self) -> Keyring:
        """Whom the user trusts, themselves included, where their key can be used; errors as `load`."""
        ring = self.load()
        with contextlib.suppress(TrustError):
            if (own := self.own()) is not None:
                return ring._replace(trusted=(*ring.trusted, Trusted("you", own.public)))
        return ring

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
        return parse_keyring(printable(self._path), data)

    def trust(self, name: str, key: str, remote: str | None = None) -> Keyring:
        """Trust somebody; a name that is known gets this key too.

        Args:
            name: what you call them.
            key: their public key.
            remote: where only: remotes whose address begins so; None for all.

        Raises:
            TrustError: this is no public key, or one that was revoked; or this is no address, or has a password in it.
            BadNameError: this is no name.
        """
        new = Trusted(who(name), check_public(key), "" if remote is None else address(remote))
        with self._alone():
            ring = self.load()
            if new.key in ring.revoked:
                raise TrustError(
                    f"this key was revoked on {ring.revoked[new.key]}",
                    hint=f"take it out of {printable(self._path)} first",
                )
            return self._keep(ring._replace(trusted=(*(one for one in ring.trusted if one != new), new)))

    def untrust(self, name: str) -> Keyring:
        """Trust somebody no more; TrustError if nobody has this name."""
        with self._alone():
            ring = self.load()
            rest = tuple(one for one in ring.trusted if one.name != name)
            if len(rest) == len(ring.trusted):
                raise _nobody(name, ring)
            return self._keep(ring._replace(trusted=rest))

    def revoke(self, whose: str, on: str) -> Keyring:
        """Believe a key no more, whoever has signed with it, also what was fetched before.

        Args:
            whose: a name, which means all keys of that name, or a public key.
            on: the day.

        Raises:
            TrustError: nobody has this name, and it is no public key.
        """
        with self._alone():
            ring = self.load()
            keys = [one.key for one in ring.trusted if one.name == whose]
            if not keys and not whose.strip().startswith(PUBLIC):
                raise _nobody(whose, ring)
            keys = keys or [check_public(whose)]
            revoked = {**dict.fromkeys(keys, on), **ring.revoked}
            rest = tuple(one for one in ring.trusted if one.key not in keys)
            return self._keep(ring._replace(trusted=rest, revoked=revoked))

    def require(self, need: int) -> Keyring:
        """Believe only what so many have signed whom the user trusts."""
        if need < 1:
            raise BadNameError(f"{need} is no number of signatures", hint="give 1 or more")
        with self._alone():
            return self._keep(self.load()._replace(need=need))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the keys meanwhile: else one of two changes would be lost, a revocation perhaps."""
        self._ensure()
        lock = None
        try:
            lock = take(f"{self.directory}/keyring.lock")
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise TrustError(f"cannot be changed: {error.strerror}", where=printable(self.directory)) from error
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _keep(self, ring: Keyring) -> Keyring:
        with self._written(self._path, keyring_bytes(ring), 0o644):
            return ring

    @contextlib.contextmanager
    def _written(self, path: str, data: bytes, mode: int) -> Iterator[None]:
        """All of it is in a file of another name, which takes this one at the end of a last look."""
        with finished(path) as beside:
            with NewFile(beside, mode) as file:
                file.write(data)
                file.sync()
            yield

    def _ensure(self) -> None:
        try:
            changes.make_directories(self.directory, 0o700)
        except OSError as error:
            raise TrustError(f"cannot be made: {error.strerror}", where=printable(self.directory)) from error


def _nobody(name: str, ring: Keyring) -> TrustError:
    known = ", ".join(sorted({one.name for one in ring.trusted})) or "nobody yet"
    return TrustError(f"nobody is trusted under the name {who(name)!r}", hint=f"trusted: {known}")


def _directory() -> str:
    if named := os.environ.get(DIRECTORY):
        return named
    import platformdirs  # slow to import, and seldom needed

    return os.path.join(platformdirs.user_config_dir("pylightnix", appauthor=False), "keys")
