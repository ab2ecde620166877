"""Slurm keeps the contract, and jobs are found again by the next realize: with a real Slurm of one node."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from pylightnix import Build, Secret, Store, realize, stage
from pylightnix.errors import BuildError, ConfigError, ExecutorError
from pylightnix.executors.engines import named
from pylightnix.executors.slurm import SlurmExecutor
from pylightnix.model.build import Executor
from pylightnix.testing import builders, processes
from pylightnix.testing.bench import Bench, OnBench, failure_of, value_of, wait_for
from pylightnix.testing.executors import ExecutorContract

WHOLE = bool(os.environ.get("PYLIGHTNIX_ENGINES"))
OUTSIDE = (
    "test_isolated_processes_left_behind_are_ended[sandbox", "test_sandbox_has_its_own_temporary_directory",
)  # fmt: skip
SAMPLE = ("test_value_and_artifact", "test_log", "test_progress")
Contract: Any = (
    ExecutorContract if WHOLE else type("Sample", (OnBench,), {name: vars(ExecutorContract)[name] for name in SAMPLE})
)


def module_of(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    pytest.importorskip("submitit")
    module = module_of(Path(__file__).with_name("slurm_cluster.py"))
    if reason := module.missing():
        pytest.skip(reason)
    with module.slurm(tmp_path_factory.mktemp("slurm")) as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def queued() -> list[str]:
    done = subprocess.run(["squeue", "-h", "--me", "-o", "%A"], check=True, capture_output=True, text=True)
    return done.stdout.split()


class TestContract(Contract):
    isolations = ("none", "process", "sandbox")

    @pytest.fixture(autouse=True)
    def _own_directories(self, request: pytest.FixtureRequest) -> None:
        if request.node.name.startswith(OUTSIDE):
            pytest.skip("looks into directories of the request, and a job has its own")

    def make(self) -> Executor:
        return SlurmExecutor()

    def test_build(self, bench: Bench) -> None:
        """As everywhere, but for the directory, which is the job's own."""
        request = bench.request(builders.about, wants_build=True)
        assert value_of(bench.perform(request))[1:] == [request.seed, request.run]
        assert not Path(request.log).exists()

    if not WHOLE:
        del test_build


def test_the_page_shows_what_happens(tmp_path: Path) -> None:
    """Its blocks that need a Slurm; `test_documentation` runs the others."""
    documentation = module_of(Path(__file__).parents[1] / "project" / "test_documentation.py")
    page = documentation.PROJECT / "docs" / "distributed.md"
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "SLURM_CONF") if name in os.environ}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    surroundings = {**kept, "PATH": path, "HOME": str(tmp_path), "COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb"}
    subprocess.run([sys.executable, "-m", "pylightnix", "init"], cwd=tmp_path, env=surroundings, check=True)
    ran = 0
    for block in documentation.blocks(page.read_text(encoding="utf-8")):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.content, encoding="utf-8")
        if block.language == "console" and "slurm" in block.words:
            documentation._run_console(block, page, tmp_path, surroundings)
            ran += 1
    assert ran == 3


def test_resources_are_asked_of_slurm(tmp_path: Path) -> None:
    @stage(resources={"cpus": 2, "memory": "64M"}, timeout="90s", pass_variables=["SLURM_JOB_ID"])
    def small(build: Build) -> list[str]:
        job = os.environ["SLURM_JOB_ID"]
        said = subprocess.run(["scontrol", "show", "job", job], check=True, capture_output=True, text=True).stdout
        return [word for word in said.split() if word.startswith(("CPUs/Task=", "MinMemory", "TimeLimit=", "JobName="))]

    if (os.cpu_count() or 1) < 2:
        pytest.skip("the node has one processor")
    said = realize(small(), store=tmp_path / "store", executor="slurm", quiet=True).value
    assert "CPUs/Task=2" in said
    assert "MinMemoryNode=62M" in said
    assert "TimeLimit=00:03:00" in said
    assert "JobName=small" in said


@pytest.mark.parametrize("said", ["slots=many", "slots=0", "leave=perhaps"])
def test_what_our_own_options_cannot_say_is_told(said: str) -> None:
    with pytest.raises(ConfigError, match=said), named(f"slurm:{said}"):
        pass


def test_our_own_options_are_read_from_the_name() -> None:
    with named("slurm:slots=2,leave=no,partition=all") as executor:
        assert isinstance(executor, SlurmExecutor)
        assert (executor.slots, executor._leave) == (2, False)
        assert executor._queue._flags == {"partition": "all"}
    with named("slurm:leave=yes") as executor:
        assert isinstance(executor, SlurmExecutor)
        assert executor._leave


def test_a_further_attempt_gets_the_checkpoint(tmp_path: Path) -> None:
    """In a store that has had none before; the next realize, too."""

    @stage(resources={"cpus": 1}, retries=1)
    def counting(build: Build) -> int:
        file = build.checkpoint / "attempts"
        before = int(file.read_text()) if file.exists() else 0
        file.write_text(str(before + 1))
        if before < 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return before

    with pytest.raises(BuildError, match="SIGKILL"):
        realize(counting(), store=tmp_path / "store", executor="slurm", quiet=True)
    assert realize(counting(), store=tmp_path / "store", executor="slurm", quiet=True).value == 2
    assert list((tmp_path / "store/tmp/checkpoints").iterdir()) == []


def test_what_slurm_refuses_is_told(tmp_path: Path) -> None:
    @stage(resources={"memory": "900G"})
    def huge(build: Build) -> None: ...

    with pytest.raises(ExecutorError, match="Slurm refuses the job"):
        realize(huge(), store=tmp_path / "store", executor=SlurmExecutor(), quiet=True)


def test_a_cancelled_job_fails_its_run(tmp_path: Path) -> None:
    bench = Bench(SlurmExecutor(), tmp_path)
    future = bench.executor.submit(bench.request(processes.sleep, pid_file=tmp_path / "pid"))
    wait_for((tmp_path / "pid").exists)
    subprocess.run(["scancel", *queued()], check=True)
    failure_of(future.result(40), "killed")
    wait_for(lambda: not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists())
    bench.executor.stop()


def test_stop(tmp_path: Path) -> None:
    bench = Bench(SlurmExecutor(), tmp_path)
    future = bench.executor.submit(bench.request(processes.sleep, pid_file=tmp_path / "pid"))
    wait_for((tmp_path / "pid").exists)
    bench.executor.stop()
    assert failure_of(future.result(0), "killed").fields == {"stopped": True}
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
    wait_for(lambda: not queued())


DEAF = """
import os, signal, sys, time
from pathlib import Path
from pylightnix import Build, realize, stage

@stage(code="ignore")
def deaf(build: Build, where: str, number: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    known = (build.checkpoint / "x").exists()
    (build.checkpoint / "x").touch()
    Path(f"{where}/began{number}").touch()
    while not Path(f"{where}/end").exists():
        time.sleep(0.05)
    return known

if __name__ == "__main__":
    place = Path(sys.argv[1])
    made = realize([deaf(str(place), n) for n in range(4)], store=place / "store", executor="slurm")
    print(made[0].value, len(os.listdir(place / "store" / "failed")))
"""


@pytest.mark.parametrize("soon", [True, False], ids=["at once", "later"])
def test_what_was_interrupted_twice_is_made_anew(tmp_path: Path, soon: bool) -> None:
    """Nobody stayed to see that the jobs ended, and they were not to go on: the next realize takes nothing of them."""
    (tmp_path / "script.py").write_text(DEAF)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "began0").exists() and len(queued()) == 4)
    first.send_signal(signal.SIGINT)
    time.sleep(0.3)
    first.kill()  # as the second Ctrl-C ends a command
    first.wait(20)
    if not soon:
        wait_for(lambda: not queued())
    (tmp_path / "end").touch()
    second = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    if soon:
        assert second.stdout.endswith(" 0\n"), second.stderr
    else:
        assert second.stdout == "True 0\n", f"there is the checkpoint, and nothing failed: {second.stderr}"
    wait_for(lambda: not queued())


SCRIPT = """
import os, sys, time
from pathlib import Path
from pylightnix import Build, realize, stage
from pylightnix.executors.slurm import SlurmExecutor

place = Path(sys.argv[1])

@stage
def long(build: Build, where: str, number: int) -> list[int]:
    with open(f"{where}/began", "a") as file:
        file.write(f"{number} {os.environ['SLURM_JOB_ID']}\\n")
    while not Path(f"{where}/end").exists():
        time.sleep(0.05)
    (build.out / "made.txt").write_text("made")
    return [number, build.seed]

if __name__ == "__main__":
    done = realize([long(str(place), n) for n in range(3)], store=place / "store", executor=SlurmExecutor(leave=True))
    seeds = [one.runs[0].seed == one.value[1] for one in done]
    print([one.value[0] for one in done], seeds, [one.files for one in done])
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_quit_and_reattach(tmp_path: Path, how: str) -> None:
    """What is queued and what runs is not submitted again; what it made is taken. The third one waits in the queue."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path)]
    began = tmp_path / "began"
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(queued()) == 3 and began.exists() and len(began.read_text().splitlines()) >= 1)
    time.sleep(1)  # until the job's number is noted, too
    before = set(queued())
    first.send_signal(signal.Signals[how])
    first.wait(20)
    assert set(queued()) == before
    second = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert set(queued()) == before
    (tmp_path / "end").touch()
    out, err = second.communicate(timeout=90)
    assert out == "[0, 1, 2] [True, True, True] [('made.txt',), ('made.txt',), ('made.txt',)]\n", err
    assert sorted(line.split()[0] for line in began.read_text().splitlines()) == ["0", "1", "2"]
    assert {line.split()[1] for line in began.read_text().splitlines()} == before
    assert not list((tmp_path / "store" / "tmp" / "slurm").iterdir())


CHECK = """
import os, sys, time
from pathlib import Path
from pylightnix import Build, check, match, realize, realize_many, stage

place = Path(sys.argv[1])

@stage(code="ignore")
def again(build: Build, where: str) -> int:
    Path(f"{where}/began{build.run}").write_text(str(os.getpid()))
    while Path(f"{where}/wait").exists():
        time.sleep(0.05)
    return build.run

if __name__ == "__main__":
    stage, store = again(str(place)), place / "store"
    if sys.argv[2] == "check":
        check(stage, store=store, executor=sys.argv[3], quiet=True)
    else:
        both = realize_many(stage.with_matcher(match.all(of=2)), store=store, executor="slurm")
        print(sorted(run.index for one in both for run in one.runs))
"""


@pytest.mark.parametrize(
    ("how", "executor"), [("SIGKILL", "slurm"), ("SIGINT", "slurm"), ("SIGINT", "slurm:leave=yes")]
)
def test_nobody_takes_the_job_of_a_check_over(tmp_path: Path, how: str, executor: str) -> None:
    """It ends with the check, and the next realize makes the run that it lacks, and not once more that which it has."""
    (tmp_path / "script.py").write_text(CHECK)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    (tmp_path / "script.py").with_name("one.py").write_text(CHECK.replace("of=2", "of=1"))
    subprocess.run([*command[:1], str(tmp_path / "one.py"), *command[2:], "realize"], check=True, capture_output=True)
    (tmp_path / "wait").touch()
    (tmp_path / "began0").unlink()
    checking = subprocess.Popen([*command, "check", executor], stderr=subprocess.DEVNULL)
    wait_for((tmp_path / "began0").exists)
    time.sleep(1)
    checking.send_signal(signal.Signals[how])
    checking.wait(20)
    wait_for(lambda: not Path(f"/proc/{(tmp_path / 'began0').read_text()}").exists(), 20)
    wait_for(lambda: not queued(), 20)
    (tmp_path / "wait").unlink()
    (tmp_path / "began0").unlink()
    done = subprocess.run([*command, "realize"], capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout == "[0, 1]\n", done.stderr
    assert not (tmp_path / "began0").exists()
    if how == "SIGKILL":
        Store(tmp_path / "store").gc(keep_latest=9)
    assert [name for name in os.listdir(tmp_path / "store" / "tmp") if name not in ("checkpoints", "slurm")] == []
    assert not list((tmp_path / "store" / "tmp").glob("slurm/*"))


WORD = "hush hush, as nobody says it"


@stage(code="ignore", pass_variables=["SLURM_JOB_ID"])
def waits(where: str, token: Secret = Secret("HUSH_TOKEN")) -> int:
    said = token.reveal()
    print("it is", said)
    Path(where, "begun").write_text(os.environ["SLURM_JOB_ID"])
    while not Path(where, "go").exists():
        time.sleep(0.05)
    return len(said)


def tells(place: Path) -> list[str]:
    """Files, and command lines of processes, in which the secret stands."""
    found = []
    for file in [*place.rglob("*"), *Path("/proc").glob("[0-9]*/cmdline")]:
        with contextlib.suppress(OSError):
            if file.is_file() and WORD.encode() in file.read_bytes():
                found.append(file.name)
    return found


def test_a_secret_goes_with_the_environment_of_the_job_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm keeps that where only Slurm reads it. Until the run has ended, its log has what the builder prints."""
    monkeypatch.setenv("HUSH_TOKEN", WORD)
    outcome: list[Any] = []
    thread = threading.Thread(
        target=lambda: outcome.append(realize(waits(str(tmp_path)), store=tmp_path / "s", executor="slurm", quiet=True))
    )
    thread.start()
    try:
        wait_for(lambda: (tmp_path / "begun").exists() and (tmp_path / "begun").read_text())
        shown = subprocess.run(["scontrol", "-dd", "show", "job"], check=True, capture_output=True, text=True).stdout
        assert (tmp_path / "begun").read_text() in shown
        assert WORD not in shown
        assert set(tells(tmp_path)) <= {"log"}
    finally:
        (tmp_path / "go").touch()
        thread.join(60)
    assert (outcome[0].value, outcome[0].log) == (len(WORD), "it is ***\n")
    assert tells(tmp_path) == []


def test_a_job_without_the_secret_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUSH_TOKEN", WORD)
    with pytest.raises(BuildError, match="has no HUSH_TOKEN in its environment"):
        realize(
            waits(str(tmp_path)),
            store=tmp_path / "s",
            executor=SlurmExecutor(setup=["unset HUSH_TOKEN"]),
            quiet=True,
        )
    assert not (tmp_path / "begun").exists()
