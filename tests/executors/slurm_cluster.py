"""A Slurm of one node, with munge, for tests: it is started in a directory of its own, and stopped."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.powers import can_give_files

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={place}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
SchedulerParameters=batch_sched_delay=0,defer_batch=0
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> str:
    """Why there can be no Slurm here; empty if there can."""
    if os.geteuid() != 0 or not can_give_files():
        return "only root with its powers can start a Slurm"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=search_path()) is None]
    return f"not installed: {', '.join(lacking)} (Debian, Ubuntu: apt-get install slurm-wlm munge)" if lacking else ""


def search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def slurm(place: Path) -> Iterator[dict[str, str]]:
    """A running cluster; gives the environment that its commands need."""
    for name in ("state", "spool"):
        (place / name).mkdir()
    key = place / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    place.chmod(0o755)
    configuration = place / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0], controller=_port(), daemon=_port(), place=place,
            user=pwd.getpwuid(os.geteuid()).pw_name, cpus=os.cpu_count(),
        )
    )  # fmt: skip
    environment = {"SLURM_CONF": str(configuration), "PATH": search_path()}
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (place / f"{command[0]}.out").open("wb") as said:
            started.append(
                subprocess.Popen(
                    command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                    stdout=said, stderr=subprocess.STDOUT,
                )
            )  # fmt: skip

    try:
        start(
            "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={place}/munge.socket",
            f"--pid-file={place}/munged.pid", f"--seed-file={place}/munged.seed", f"--log-file={place}/munged.log",
        )  # fmt: skip
        _until((place / "munge.socket").exists, place)
        start("slurmctld", "-D", "-f", str(configuration))
        start("slurmd", "-D", "-f", str(configuration))
        _until(lambda: "idle" in _said(["sinfo", "-h", "-o", "%t"], environment), place)
        yield environment
    finally:
        subprocess.run(["scancel", "--me"], env={**os.environ, **environment}, check=False, capture_output=True)
        for process in reversed(started):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()


def _said(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(
        command, env={**os.environ, **environment}, check=False, capture_output=True, text=True, timeout=60
    ).stdout


def _until(condition: object, place: Path, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > until:
            logs = "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in place.glob("*.[lo][ou][gt]"))
            raise RuntimeError(f"Slurm does not come up:\n{logs}")
        time.sleep(0.1)
