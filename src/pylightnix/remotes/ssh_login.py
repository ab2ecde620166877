"""Connecting to another machine as ssh does: `~/.ssh/config`, an agent, key files, known hosts.

It never asks anybody, and believes no host that is not known.
"""

from __future__ import annotations

import getpass
import logging
import os
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pylightnix.errors import RemoteError
from pylightnix.model.addresses import shown
from pylightnix.names import printable
from pylightnix.remotes.pace import IDLE

CONNECT = 5.0
"""Seconds."""

HINT = "look whether `sftp` gets there, and do it again: it goes on"
_KNOWN_HOSTS = "~/.ssh/known_hosts"
_LOG = f"{__name__}.library"


class Target(NamedTuple):
    """Where to connect to.

    Attributes:
        host: as the address has it; `~/.ssh/config` may know it by another name.
        port: None: as ssh does.
        user: None: as ssh does.
        path: of the directory; one that is not absolute begins in the home directory.
        url: for people.
    """

    host: str
    port: int | None
    user: str | None
    path: str
    url: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """What `sftp://user@host:port/path` names; `/~/path` begins in the home directory.

        Raises:
            RemoteError: it is no such address, or has a password in it.
        """
        hint = "such as sftp://ann@example.org/srv/results; keys come from an agent or from ~/.ssh"
        try:
            parts = urlsplit(url)
            host, port, user = parts.hostname, parts.port, parts.username
        except ValueError:
            raise RemoteError("this is no address of a directory", where=shown(url), hint=hint) from None
        if parts.password is not None:
            raise RemoteError("the address has a password in it", where=shown(url), hint=hint)
        path = unquote(parts.path).rstrip("/")
        path = path.removeprefix("/~/")
        wrong = not path or path == "/~" or "\0" in path or bool(parts.query or parts.fragment)
        if parts.scheme != "sftp" or not host or host.startswith("-") or wrong:
            raise RemoteError("this is no address of a directory", where=shown(url), hint=hint)
        return cls(host, port, unquote(user) if user else None, path, shown(url))


def connected(target: Target) -> Any:
    """A `paramiko.SSHClient` that is logged in.

    Raises:
        RemoteError: it cannot be, with what to do about that.
    """
    paramiko = library(target.url)
    told = _configured(target)
    logging.getLogger(_LOG).addHandler(logging.NullHandler())  # the library would write to stderr
    client = paramiko.SSHClient()
    client.set_log_channel(_LOG)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        _know_hosts(client, target, told)
        client.connect(
            told["hostname"], told["port"], told["user"],
            key_filename=told.get("identityfile"), timeout=CONNECT, banner_timeout=IDLE, auth_timeout=IDLE,
            channel_timeout=IDLE, look_for_keys="identityfile" not in told,
            allow_agent=told.get("identitiesonly", "no") != "yes",
        )  # fmt: skip
    except BaseException as error:
        transport = client.get_transport()
        reached = transport is not None and transport.is_active()
        client.close()
        if isinstance(error, (OSError, EOFError, paramiko.SSHException)):
            raise _not_connected(target, told, error, reached) from error
        raise
    return client


def library(where: str) -> Any:
    """Paramiko, or RemoteError."""
    try:
        import paramiko
    except ImportError as error:
        raise RemoteError(
            "sftp: needs the package paramiko", where=where, hint='pip install "pylightnix[remote]"'
        ) from error
    return paramiko


def about(error: Exception) -> str:
    """What the library or the system says, short enough for a line."""
    return printable(str(error))[:300] or type(error).__name__


def _configured(target: Target) -> dict[str, Any]:
    """What `~/.ssh/config` says of this host, and what the address says, which counts more."""
    paramiko = library(target.url)
    config = paramiko.SSHConfig()
    path = os.path.expanduser("~/.ssh/config")
    try:
        if os.path.isfile(path):
            config = paramiko.SSHConfig.from_path(path)
        told = dict(config.lookup(target.host))
        port = target.port or int(told.get("port", 22))
    except (OSError, ValueError, ImportError, paramiko.SSHException) as error:
        raise RemoteError(f"~/.ssh/config cannot be used: {about(error)}", where=target.url) from error
    if any(told.get(way, "none") not in (None, "none") for way in ("proxyjump", "proxycommand")):
        raise RemoteError(
            "~/.ssh/config leads there over another machine, which is not done here", where=target.url,
            hint=f"`ssh -N -L 2200:localhost:22 {target.host}`, then sftp://localhost:2200/…; or mount it with sshfs",
        )  # fmt: skip
    user = target.user or told.get("user") or getpass.getuser()
    return {**told, "user": user, "port": port}


def _know_hosts(client: Any, target: Target, told: dict[str, Any]) -> None:
    import paramiko

    own = told.get("userknownhostsfile", _KNOWN_HOSTS).split()
    for path in (*own, *told.get("globalknownhostsfile", "/etc/ssh/ssh_known_hosts").split()):
        try:
            client.load_system_host_keys(os.path.expanduser(path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, paramiko.hostkeys.InvalidHostKey) as error:
            what = f"{printable(path)} cannot be read: {type(error).__name__}"
            raise RemoteError(what, where=target.url, hint="`ssh-keygen -l -f` looks at each line of it") from error


def _not_connected(target: Target, told: dict[str, Any], error: Exception, reached: bool) -> RemoteError:
    import paramiko

    at = printable(f"-p {told['port']} {told['user']}@{told['hostname']}")
    if isinstance(error, paramiko.BadHostKeyException):
        return RemoteError(
            "the server has another key than the one that is known: perhaps it is not the server", where=target.url,
            hint=f"ask whoever keeps it; if its key was changed, `ssh-keygen -R` forgets the one in {_KNOWN_HOSTS}",
        )  # fmt: skip
    if isinstance(error, paramiko.SSHException) and "known_hosts" in str(error):
        return RemoteError(
            "the key of the server is not known", where=target.url,
            hint=f"`ssh {at}` shows it, and keeps it in {_KNOWN_HOSTS} when you say that it is right",
        )  # fmt: skip
    if reached or isinstance(error, paramiko.AuthenticationException):
        return RemoteError(
            f"access is refused: {about(error)}", where=target.url,
            hint=f"`ssh {at}` has to work without a question; `ssh-add` gives a key to the agent",
        )  # fmt: skip
    return RemoteError(f"no connection: {about(error)}", where=target.url, hint=HINT, again=True)
