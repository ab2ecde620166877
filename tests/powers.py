"""Root's powers: which tests need them, and how to do without, so that modes stop us.

They are tried, for the number of a user tells nothing: in a container, or by `setpriv`, root has fewer or none.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

_BOUNDING_SET_DROP = 24
_CAPABILITIES = 64  # more than there are
_VERSION_3 = 0x20080522
_NEW_MOUNTS = 0x00020000
_NEW_USERS = 0x10000000


def drop_powers() -> None:
    """Let nothing of root's powers be left to this process, nor to what it starts: modes stop it, as they stop others.

    Nothing happens to an ordinary user, or on other systems than Linux.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for capability in range(_CAPABILITIES):
            libc.prctl(_BOUNDING_SET_DROP, capability, 0, 0, 0)
        libc.capset((ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)())


def as_ordinary_user(work: Callable[[], object]) -> object:
    """What a function gives when it is run by a user whom modes stop: in a forked child if we are root."""
    if os.geteuid() != 0:
        return work()

    def powerless() -> object:
        drop_powers()
        return work()

    return _in_child(powerless)


def _in_child(work: Callable[[], object]) -> object:
    there, here = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            os.write(here, pickle.dumps(_outcome(work)))
        finally:
            os._exit(0)
    os.close(here)
    with open(there, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    result: object = pickle.loads(data)
    if isinstance(result, BaseException):
        raise result
    return result


def _outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except Exception as error:
        return error
    except BaseException as error:  # of pytest: cannot be pickled
        return AssertionError(str(error))


@functools.cache
def can_give_files() -> bool:
    """Whether we can make a file somebody else's."""
    with tempfile.TemporaryFile() as file:
        try:
            os.fchown(file.fileno(), 4711, -1)
        except PermissionError:
            return False
    return True


gives_files = pytest.mark.skipif(not can_give_files(), reason="only who has root's powers can give files away")
"""For tests of what somebody else owns."""

OWN_MOUNTS = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
"""Before a command, so that it can mount what only it sees; an ordinary user becomes root of a space of his own."""


def on_small_disk(place: Path, options: str, work: Callable[[], object]) -> object:
    """What a function gives that sees a small file system in memory at a place, in a forked child with own mounts.

    Args:
        place: a directory.
        options: of mount, such as "size=2m".
        work: the function.
    """

    def mounted() -> object:
        _own_mounts()
        for command in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", options, "none", str(place)]):
            subprocess.run(["mount", *command], check=True, capture_output=True)
        return work()

    skip_without_mounts(f'mount -t tmpfs -o "{options}" none /tmp')
    return _in_child(mounted)


def _own_mounts() -> None:
    """As `unshare --mount` does it, and `--map-root-user` for an ordinary user."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | (_NEW_USERS if user else 0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if user:
        for name, content in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            Path("/proc/self", name).write_text(content)


def skip_without_mounts(script: str) -> None:
    """Skip the test if this shell script cannot mount with mounts of its own."""
    try:
        done = subprocess.run([*OWN_MOUNTS, "sh", "-c", script], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("nothing can be mounted here: there is no unshare (util-linux)")
    if done.returncode:
        pytest.skip("only who has root's powers can mount here")
