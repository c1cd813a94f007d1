"""What breaks under the sandbox costs time and no verdict, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio
import pytest

from sstar_code.sandbox import Limits, Mode, Program, Status
from sstar_code.sandbox.docker.container import OWNER_LABEL
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.local.sandbox import LocalSandbox
from tests.support import ROOT, mark_slow_but

_MIXED = [
    (Program("import time; time.sleep(0.2); print(int(input()) * 2)"), ["1", "2", "x", "4"]),
    (Program("def f(a):\n import time; time.sleep(0.2); return [a] * 2", Mode.CALL, "f"), ["1", '"b"', "[]"]),
    (Program("while True: pass"), [""]),
    (Program("x = [0] * (1 << 40)"), [""]),
    (Program("def f(a): return a", Mode.ASSERT), ["assert f(1) == 1", "assert f(1) == 2"]),
    (Program("import time\ntime.sleep(0.3)\nraise KeyError(input())"), list("abc")),
    (Program("print("), [""]),
    (Program("import os, time; time.sleep(0.2); os.kill(os.getpid(), 9)"), [""]),
]
_UNDISTURBED = {}
_LIMITS = Limits(cpu_s=0.5, wall_s=60.0, memory_mb=256)


def _parent(pid):
    """The parent of a process that is alive; else None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def _generations(root):
    """The processes below `root`: children, grandchildren, ..."""
    parents = {int(path.name): _parent(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = []
    level = {root}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        found.append(sorted(level))
    return found


def _find_supervisor(sandbox):
    """The supervisor's number here; it has no other parent of ours that lives as long."""
    worker = next(iter(sandbox._open)).worker
    if isinstance(sandbox, DockerSandbox):
        if worker.container is None:
            raise ProcessLookupError
        pid = sandbox._client.inspect_container(worker.container)["State"]["Pid"]
        if not pid:  # not started yet; to signal 0 would mean ourselves
            raise ProcessLookupError
        return pid
    if worker._process is None:
        raise ProcessLookupError
    outer = worker._process.pid
    levels = _generations(outer)
    return levels[0][0] if levels else outer


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def make_sandbox(request):
    """Makes a sandbox of one worker whose processes can be seen and killed from here."""
    if os.geteuid() != 0:
        pytest.skip("only root may signal a process of the sandbox")
    request.getfixturevalue(f"sandbox_{request.param}")  # skips where there is none
    return {"local": LocalSandbox, "docker": DockerSandbox}[request.param]


async def _run_mixed(sandbox, begun=None):
    """What matters of each run of the mixture, and nothing that differs between two runs.

    `begun` gets an item for every program that has begun.
    """
    rows = []
    for program, inputs in _MIXED:
        if begun is not None:
            begun.append(program)
        for run in await sandbox.run(program, inputs, _LIMITS):
            failure = run.failure and (run.failure.type, run.failure.line)
            rows.append((run.status, run.stdout, run.result, failure, run.limit))
    return rows


async def _kill_now_and_then(sandbox, depth, begun):
    """Kill the process `depth` levels below the supervisor (0: itself) once a program; how often it was done.

    Not twice: what brings down two workers in a row is given up as IE, and that is meant.
    """
    (kills, struck) = (0, -1)
    while len(begun) < len(_MIXED):
        await anyio.sleep(0.05)
        try:
            supervisor = _find_supervisor(sandbox)
            victim = ([[supervisor], *_generations(supervisor)])[depth][0]
            if (
                len(begun) > struck + 1
            ):  # a death that comes with the last answer is noticed by the next program
                os.kill(victim, signal.SIGKILL)
                (kills, struck) = (kills + 1, len(begun))
        except (IndexError, StopIteration, OSError):
            continue  # between two runs, or between two workers
    return kills


@pytest.mark.anyio
@pytest.mark.root
@pytest.mark.parametrize(
    ("make_sandbox", "depth"),
    [
        ("local", 0),
        *(pytest.param("local", depth, marks=pytest.mark.slow) for depth in (1, 2, 3)),
        pytest.param("docker", 0, marks=pytest.mark.docker),
        *(pytest.param("docker", depth, marks=[pytest.mark.docker, pytest.mark.slow]) for depth in (1, 2, 3)),
    ],
    indirect=["make_sandbox"],
)
async def test_killed_processes_change_no_verdict(make_sandbox, depth):
    """Whichever process is killed in the middle of the work, the end is that of an undisturbed run.

    They are the supervisor (0), what starts programs, a program's process, and a run.
    """
    async with make_sandbox(1) as sandbox:
        expected = _UNDISTURBED.get(make_sandbox) or await _run_mixed(sandbox)
        _UNDISTURBED[make_sandbox] = expected
        assert Status.IE not in {row[0] for row in expected}
        (begun, kills) = ([], [])

        async def disturb():
            kills.append(await _kill_now_and_then(sandbox, depth, begun))

        async with anyio.create_task_group() as group:
            group.start_soon(disturb)
            rows = await _run_mixed(sandbox, begun)
        assert kills[0] >= 1
        assert rows == expected


def _nest(depth):
    """Statements that the compiler writes 2**depth times, since it writes each `finally` twice."""
    lines = (f"{' ' * level}try: a = 1\n{' ' * level}finally:\n" for level in range(depth))
    return "".join(lines) + " " * depth


_SLOW_TO_COMPILE = _nest(17) + "a = 2\nprint(input())"
"""A second of CPU time for the compiler, so that a kill after a twentieth of it comes while it works."""
_SURELY_COMPILING_S = 0.05


def _cpu_s(pid):
    """CPU seconds that a process has used; None where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _kill_compilers(sandbox, most, killed):
    """Kill up to `most` program processes while they compile; their numbers go into `killed`."""
    while len(killed) < most:
        await anyio.sleep(0.01)
        try:
            (_, (pid,), *_) = [*_generations(_find_supervisor(sandbox)), [0], [0]]
            if pid not in (0, *killed) and (_cpu_s(pid) or 0.0) > _SURELY_COMPILING_S:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        except (StopIteration, OSError, ValueError):
            continue


@pytest.mark.anyio
@pytest.mark.root
@pytest.mark.parametrize("most", mark_slow_but([1], [1, 2, 3]))
async def test_a_kill_while_compiling_is_tried_again(make_sandbox, most):
    """The kernel, short of memory, kills the process that compiles, as often as it likes: no verdict."""
    killed = []
    async with make_sandbox(1) as sandbox, anyio.create_task_group() as group:
        group.start_soon(_kill_compilers, sandbox, most, killed)
        runs = await sandbox.run(Program(_SLOW_TO_COMPILE), ["x", "y"], Limits())
        group.cancel_scope.cancel()
    assert len(killed) == most
    assert [(run.status, run.stdout) for run in runs] == [(Status.OK, "x\n"), (Status.OK, "y\n")]


@pytest.fixture
def full_folder(tmp_path):
    """A folder in which nothing can be made."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a folder without room")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "full", tmp_path]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no folder can be mounted here")
    yield str(tmp_path)
    subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.anyio
@pytest.mark.root
async def test_full_temporary_folder(full_folder, monkeypatch, sandbox_local):
    """Where the folder for temporary files has no room left, programs run all the same."""
    monkeypatch.setattr(tempfile, "tempdir", full_folder)
    async with LocalSandbox(1) as sandbox:
        (run,) = await sandbox.run(Program("print(input())"), ["x"], Limits())
    assert run.stdout == "x\n"


_INTERRUPTED = """
import anyio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
sys.path.insert(0, sys.argv[1])
from sstar_code.sandbox import Limits, Program
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.local.sandbox import LocalSandbox
async def main():
    async with {"local": LocalSandbox, "docker": DockerSandbox}[sys.argv[2]](2) as sandbox:
        async with anyio.create_task_group() as group:
            for number in range(2):
                program = Program(f"import time; time.sleep(600) # {number}")
                group.start_soon(sandbox.run, program, ["x"], Limits(wall_s=900))
            await anyio.sleep(0.5)
            print("ready", flush=True)
anyio.run(main)
"""


@pytest.mark.parametrize("backend", ["local", pytest.param("docker", marks=pytest.mark.docker)])
def test_interrupt_leaves_nothing(backend, request):
    """Ctrl-C, which every process of the terminal gets, ends runs, workers and containers, and soon."""
    request.getfixturevalue(f"sandbox_{backend}")
    arguments = [sys.executable, "-c", _INTERRUPTED, str(ROOT / "src"), backend]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as owner:
        try:
            assert owner.stdout.readline() == b"ready\n"
            family = [pid for level in _generations(owner.pid) for pid in level]
            os.killpg(owner.pid, signal.SIGINT)
            owner.wait(60)
        finally:
            owner.kill()  # else the end of `with` would wait for ten minutes of sleep
    assert owner.returncode != 0
    deadline = time.monotonic() + 180
    while any(_parent(pid) is not None for pid in family) or _list_containers(owner.pid, backend):
        assert time.monotonic() < deadline, "something outlived Ctrl-C"
        time.sleep(0.05)


def _list_containers(pid, backend):
    if backend != "docker":
        return []
    from sstar_code.sandbox.docker.engine import connect_engine

    client = connect_engine()
    found = client.containers(all=True, filters={"label": OWNER_LABEL})
    client.close()
    return [each["Id"] for each in found if each["Labels"][OWNER_LABEL].startswith(f"{pid}:")]
