"""What a run in a sandbox may see and do, said in the words of bubblewrap. Unaware of who starts it.

The file system of a sandbox is put together from nothing: a path that no mount brings there is not there. Mounts are
ordered by their paths, so what lies within another comes after it. The store as a whole is always covered by an empty
directory, whatever it lies in, and of it the inputs and the directories of the run are put there one by one.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import glob
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pylightnix.errors import ExecutorError
from pylightnix.executors.installed import code_paths, is_below, is_covered
from pylightnix.executors.surroundings import home_directory, temporary_directory, working_directory
from pylightnix.model.build import BuildRequest, Failure
from pylightnix.model.conditions import Conditions

PROGRAM = "bwrap"
_NETWORKING = ("gaierror", "ConnectionRefusedError", "ConnectionError", "URLError", "timeout", "TimeoutError")
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)
_NUMBER = re.compile(r"\[Errno ([0-9]+)\]")
_GET = "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap)"
_INSTEAD = 'isolation="process" needs nothing installed'
_FORBIDDERS = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
        "give bwrap an AppArmor profile with `userns,`, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)  # fmt: skip

_ROOTS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM = (
    "/usr", "/nix/store", "/gnu/store", "/run/current-system", "/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache",
    "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/os-release", "/sys/devices/system",
)  # fmt: skip
_NETWORK = (
    "/etc/ca-certificates", "/etc/crypto-policies", "/etc/gai.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/pki",
    "/etc/protocols", "/etc/resolv.conf", "/etc/services", "/etc/ssl",
)  # fmt: skip
_GPUS = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")
_ALWAYS = (
    "--unshare-user-try", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
    "--hostname", "pylightnix", "--cap-drop", "ALL", "--die-with-parent", "--new-session", "--as-pid-1",
)  # fmt: skip


def hint_for(failure: Failure) -> str:
    """What to think of where a builder has failed in a sandbox; empty if it says nothing of that."""
    kinds = failure.fields.get("exceptions", ())
    if "FileNotFoundError" in kinds or "PermissionError" in kinds:
        return "it was in a sandbox, which has only what was declared: inputs, and what reads=[…] names"
    found = _NUMBER.search(failure.what)
    number = int(found[1]) if found is not None and "OSError" in kinds else None
    if number == errno.EROFS:
        return "it was in a sandbox, where only build.out, build.scratch, build.checkpoint and /tmp can be written to"
    kind = failure.what.partition(":")[0].rpartition(".")[2]
    if "OSError" in kinds and (kind in _NETWORKING or number in _UNREACHABLE):
        return "it was in a sandbox, which has a network only with network=True"
    return ""


def require_sandbox() -> str:
    """The path of bubblewrap, which works here.

    Raises:
        ExecutorError: it is not installed, or the system does not let it work; says which, and what helps.
    """
    program = shutil.which(PROGRAM)
    problem = _problem(program)
    if program is None or problem is not None:
        what, hint = problem or ("", "")
        raise ExecutorError(f"there can be no sandbox here: {what}", hint=f"{hint}; {_INSTEAD}", isolation="sandbox")
    return program


def fence_for(conditions: Conditions) -> str | None:
    """The program that makes the sandbox of a run; None if it needs none.

    Raises:
        ExecutorError: there can be no sandbox here.
    """
    return require_sandbox() if conditions.isolation == "sandbox" else None


@functools.lru_cache(maxsize=4)
def _problem(program: str | None) -> tuple[str, str] | None:
    """Why there is no sandbox here, and what helps; None if one was just made."""
    if sys.platform != "linux":
        return f"it is made of namespaces of Linux, and this is {sys.platform}", "use a machine with Linux"
    if program is None:
        return f"{PROGRAM} is not installed", _GET
    mounts = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    command = [program, *_ALWAYS, "--unshare-net", *mounts, "/bin/sh", "-c", ":"]
    tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if tried.returncode == 0:
        return None
    said = tried.stderr.decode(errors="replace").strip() or f"it ended with {tried.returncode}"
    if "Unknown option" in said:
        return f"this bubblewrap is too old ({said})", "install version 0.4 or newer"
    return f"{PROGRAM} cannot make one ({said})", _permission()


def _permission() -> str:
    for path, forbidding, remedy in _FORBIDDERS:
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            if file.read().strip() == forbidding:
                return f"let users have namespaces, as root: {remedy}"
    return "let users have user namespaces; in a container, run it with a seccomp profile that allows unshare and mount"


class Mount(NamedTuple):
    """Something at a path of the sandbox; `how` is the option of bubblewrap, `source` what it takes before the path."""

    path: str
    how: str
    source: str | None


class Sandbox:
    """The sandbox of one run. `close` closes what it opened.

    Args:
        request: the run; its directories are there.
        program: the path of bubblewrap.
        search: where modules are looked for.
    """

    def __init__(self, request: BuildRequest, program: str, search: Sequence[str]) -> None:
        self._program = program
        self.descriptors: list[int] = []
        try:
            self._options = self._write(_options(request, search, self._data))
        except BaseException:
            self.close()
            raise

    def command(self) -> list[str]:
        """The beginning of a command that makes the rest of it run inside; it must inherit the descriptors."""
        return [self._program, "--args", str(self._options), "--"]

    def close(self) -> None:
        """Close the descriptors."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()

    def _data(self, text: str) -> str:
        """The number of a descriptor that a text can be read from."""
        return str(self._write([text]))

    def _write(self, parts: list[str]) -> int:
        """A file in memory with these, a zero byte between them."""
        descriptor = os.memfd_create("pylightnix")
        self.descriptors.append(descriptor)
        view = memoryview(b"\0".join(map(os.fsencode, parts)))
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor


@contextlib.contextmanager
def lent_checkpoint(request: BuildRequest) -> Iterator[None]:
    """What is to be put into a sandbox must be there before; a checkpoint that nobody used is taken away again."""
    if not request.wants_build:
        yield
        return
    os.makedirs(os.path.dirname(request.checkpoint), mode=0o775, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(request.checkpoint, mode=0o775)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # most often: something is in it
            os.rmdir(request.checkpoint)


def _options(request: BuildRequest, search: Sequence[str], data: Callable[[str], str]) -> list[str]:
    options = [*_ALWAYS, *(() if request.conditions.network else ("--unshare-net",))]
    mounts = sorted([*_mounts(request, search), *_written(request, data)], key=lambda mount: mount.path.split("/"))
    for mount in mounts:
        options += [mount.how, *([] if mount.source is None else [mount.source]), mount.path]
    for path in (
        "/",
        *(mount.path for mount in mounts if mount.how == "--tmpfs"),
    ):  # what was written there would be lost, and nobody told
        options += ["--remount-ro", path]
    return [*options, "--chdir", working_directory(request)]


def _mounts(request: BuildRequest, search: Sequence[str]) -> list[Mount]:
    temporary = temporary_directory(request)
    mounts = [
        Mount("/dev", "--dev", None), Mount("/proc", "--proc", None),
        Mount("/proc/sys", "--ro-bind-try", "/proc/sys"),  # its files ask who root is, not what powers it has
        Mount("/tmp", "--bind", temporary), Mount("/var/tmp", "--bind", temporary),
    ]  # fmt: skip
    for path in _ROOTS:
        if os.path.islink(path):
            mounts.append(Mount(path, "--symlink", os.readlink(path)))
        elif os.path.isdir(path):
            mounts.append(Mount(path, "--ro-bind", path))
    readable = {*_SYSTEM, *request.conditions.reads, *(_NETWORK if request.conditions.network else ())}
    apart = tuple(path for path in (request.store, os.path.expanduser("~"), request.out) if path)
    readable |= code_paths(apart, search)
    readable -= {"/", *request.inputs}
    covered = [path for path in readable if is_covered(os.path.dirname(path), readable)]
    kept = readable.difference(path for path in covered if not request.store or not is_below(path, request.store))
    mounts += [Mount(path, "--ro-bind-try", path) for path in kept]
    mounts += [Mount(path, "--tmpfs", None) for path in _hidden(request, readable)]
    mounts += [Mount(path, "--ro-bind", path) for path in request.inputs]
    writable = [request.out, request.scratch, *([request.checkpoint] if request.wants_build else [])]
    mounts += [Mount(path, "--bind", path) for path in writable]
    if request.conditions.resources.get("gpus"):
        devices = [device for pattern in _GPUS for device in glob.glob(pattern)]
        mounts += [Mount(device, "--dev-bind", device) for device in devices]
        mounts += [Mount("/sys", "--ro-bind", "/sys")]
    return mounts


def _hidden(request: BuildRequest, readable: set[str]) -> Iterator[str]:
    """The store, also where it really is, if that can be seen."""
    if request.store:
        yield request.store
        real = os.path.realpath(request.store)
        if real != request.store and is_covered(real, readable):
            yield real


def _written(request: BuildRequest, data: Callable[[str], str]) -> list[Mount]:
    """Files that tell no more of this machine than programs need."""
    user, group = os.getuid(), os.getgid()
    texts = {
        "/etc/passwd": f"user:x:{user}:{group}::{home_directory(request)}:/bin/sh\n",
        "/etc/group": f"user:x:{group}:\n",
    }
    if not request.conditions.network:
        texts["/etc/hosts"] = "127.0.0.1 localhost\n::1 localhost\n"
        texts["/etc/nsswitch.conf"] = "passwd: files\ngroup: files\nhosts: files\n"
    return [Mount(path, "--ro-bind-data", data(text)) for path, text in texts.items()]
