"""Channels for files over one connection of ssh, for several threads. Unaware of what goes over them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from pylightnix.errors import RemoteError
from pylightnix.remotes.pace import IDLE, Pace
from pylightnix.remotes.ssh_login import HINT, Target, about, connected, library

MOST_CHANNELS = 8
"""At once. sshd itself allows ten over one connection."""

_LARGEST = 1 << 20
"""Bytes of one message. Servers send a quarter of it at most."""


class Connection:
    """One connection, made when it is needed, and again after it was lost.

    Args:
        target: where to.

    Raises:
        RemoteError: paramiko is not installed.
    """

    def __init__(self, target: Target) -> None:
        library(target.url)
        self._target = target
        self._mutex = threading.Lock()
        self._free = threading.BoundedSemaphore(MOST_CHANNELS)
        self._client: Any = None
        self._idle: list[Any] = []

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """A `paramiko.SFTPClient` for this thread alone, for a while. Errors of its connection are told."""
        import paramiko

        with self._free:
            client, channel = self._take()
            try:
                yield channel
            except (EOFError, TimeoutError, ConnectionError, paramiko.SSHException) as error:
                self._give_up(client)
                raise self._lost(error) from error
            except OSError as error:
                if not channel.get_channel().closed:
                    self._give_back(client, channel)  # the server has answered, and said no
                    raise
                self._give_up(client)
                raise self._lost(error) from error
            except BaseException:
                channel.close()  # answers may be under way that nobody waits for
                raise
            self._give_back(client, channel)

    def close(self) -> None:
        """Let go of it. What is asked later connects again."""
        with self._mutex:
            client = self._client
        if client is not None:
            self._give_up(client)

    def _take(self) -> tuple[Any, Any]:
        import paramiko

        with self._mutex:
            if self._client is not None and not _is_alive(self._client):
                self._forget()
            if self._client is None:
                self._client = connected(self._target)
            if self._idle:
                channel = self._idle.pop()
                channel.get_channel().pace.begin()
                return self._client, channel
            client = self._client
        try:
            channel = _opened(client)
        except (EOFError, OSError, paramiko.SSHException) as error:
            self._give_up(client)
            raise self._lost(error) from error
        return client, channel

    def _give_back(self, client: Any, channel: Any) -> None:
        with self._mutex:
            if client is self._client:
                self._idle.append(channel)
                return
        channel.close()

    def _give_up(self, client: Any) -> None:
        """Nothing comes over this one any more; other threads see that too, and connect anew."""
        with self._mutex:
            if client is self._client:
                self._forget()
        client.close()

    def _forget(self) -> None:
        self._client.close()
        self._client = None
        self._idle.clear()

    def _lost(self, error: Exception) -> RemoteError:
        return RemoteError(
            f"the connection was lost: {about(error)}", where=self._target.url, hint=HINT, again=True
        )  # fmt: skip


class _Watched:
    """A channel of the library that gives up what comes too slowly, or all at once."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self.pace = Pace()

    def recv(self, most: int) -> bytes:
        """For the library, which asks for all that the server has said will come."""
        import paramiko

        if most > _LARGEST:
            raise paramiko.SSHException(f"a message of {most} bytes was begun")
        data: bytes = self._channel.recv(most)
        self.pace.count(len(data))
        return data

    def send(self, data: bytes) -> int:
        """For the library."""
        sent: int = self._channel.send(data)
        self.pace.count(sent)
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


def _opened(client: Any) -> Any:
    import paramiko

    channel = client.get_transport().open_session(timeout=IDLE)
    channel.settimeout(IDLE)
    channel.invoke_subsystem("sftp")
    return paramiko.SFTPClient(_Watched(channel))


def _is_alive(client: Any) -> bool:
    transport = client.get_transport()
    return transport is not None and bool(transport.is_active())
