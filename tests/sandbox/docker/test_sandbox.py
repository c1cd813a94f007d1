"""The Docker sandbox on a real engine: right verdicts whatever happens to its containers, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import anyio
import pytest

from sstar_code.sandbox import Limits, Mode, Program, SandboxError, Status
from sstar_code.sandbox.docker.container import OWNER_LABEL, SESSION_LABEL
from sstar_code.sandbox.docker.sandbox import DockerSandbox

pytestmark = pytest.mark.anyio
docker = pytest.mark.docker

ADD = Program("a, b = map(int, input().split())\nprint(a + b)")
SLOW = Program("import time\ntime.sleep(0.2)\nprint(input())")


def list_ours(engine, sandbox=None):
    """Containers of this process, or of one sandbox."""
    label = OWNER_LABEL if sandbox is None else f"{SESSION_LABEL}={sandbox._spec.labels[SESSION_LABEL]}"
    found = engine.containers(all=True, filters={"label": label})
    return [each["Id"] for each in found if each["Labels"][OWNER_LABEL].startswith(f"{os.getpid()}:")]


@pytest.fixture
def nothing_left(engine, docker_image):
    """No container is left that was not there before: a sandbox of the whole session may be open."""
    before = set(list_ours(engine))
    yield
    assert set(list_ours(engine)) <= before


@docker
@pytest.mark.parametrize(
    ("code", "limits", "status"),
    [
        ("print(input())", Limits(), Status.OK),
        ("print(1 / 0)", Limits(), Status.RE),
        ("import os; os.kill(os.getpid(), 11)", Limits(), Status.RE),
        ("while True: pass", Limits(cpu_s=0.3), Status.TLE),
        ("import time; time.sleep(60)", Limits(wall_s=0.5), Status.TLE),
        ("x = bytearray(1 << 30)", Limits(memory_mb=256), Status.MLE),
        ("while True: print('x' * 1000)", Limits(output_kb=64), Status.OLE),
        ("print(", Limits(), Status.CE),
    ],
)
async def test_verdicts(nothing_left, code, limits, status):
    """Every way for a program to end has its status."""
    async with DockerSandbox(workers=1) as sandbox:
        (execution,) = await sandbox.run(Program(code), ["5"], limits)
    assert execution.status is status


@docker
async def test_functions_are_called(nothing_left):
    """A function's value comes back."""
    program = Program("def double(x):\n    return 2 * x", Mode.CALL, "double")
    async with DockerSandbox(workers=1) as sandbox:
        runs = await sandbox.run(program, ["4", '"ab"'], Limits())
    assert [run.result for run in runs] == ["8", '"abab"']


@docker
async def test_workers_run_side_by_side(engine, nothing_left):
    """As many containers as workers, made when needed; results stay in order."""
    async with DockerSandbox(workers=2) as sandbox:
        assert len(list_ours(engine, sandbox)) == 1
        results = {}

        async def run(number):
            inputs = [f"{number} {place}\n" for place in range(10)]
            results[number] = [execution.stdout for execution in await sandbox.run(ADD, inputs, Limits())]

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(run, number)
        assert len(list_ours(engine, sandbox)) == 2
    assert results == {number: [f"{number + place}\n" for place in range(10)] for number in range(8)}


@docker
async def test_two_sandboxes_do_not_meet(engine, nothing_left):
    """Closing one sandbox leaves the other's containers alone."""
    async with DockerSandbox(workers=1) as one:
        async with DockerSandbox(workers=1) as other:
            assert list_ours(engine, one)[0] != list_ours(engine, other)[0]
        (execution,) = await one.run(ADD, ["1 2"], Limits())
        assert execution.stdout == "3\n"


@docker
async def test_killed_container_is_replaced(engine, nothing_left):
    """A container killed in the middle of a batch costs time, not a verdict."""
    async with DockerSandbox(workers=1) as sandbox:
        results = []

        async def run():
            results.extend(await sandbox.run(SLOW, [str(number) for number in range(10)], Limits()))

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await anyio.sleep(0.7)
            (victim,) = list_ours(engine, sandbox)
            engine.kill(victim)
    assert [execution.status for execution in results] == [Status.OK] * 10
    assert [execution.stdout for execution in results] == [f"{number}\n" for number in range(10)]


@docker
async def test_killed_supervisor_is_replaced(engine, nothing_left):
    """The supervisor's own death, seen from outside the container, is no verdict either."""
    if os.geteuid() != 0:
        pytest.skip("only root may signal a process in a container")
    async with DockerSandbox(workers=1) as sandbox:
        (container,) = list_ours(engine, sandbox)
        os.kill(engine.inspect_container(container)["State"]["Pid"], signal.SIGKILL)
        (execution,) = await sandbox.run(ADD, ["1 2"], Limits())
    assert (execution.status, execution.stdout) == (Status.OK, "3\n")


@docker
async def test_nothing_is_left_after_an_exception(engine, nothing_left):
    """An exception in the middle of a run removes the containers on its way out."""

    async def fail():
        async with DockerSandbox(workers=2) as sandbox, anyio.create_task_group() as group:
            group.start_soon(sandbox.run, Program("import time; time.sleep(30)"), [""], Limits())
            await anyio.sleep(0.3)
            raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await fail()


FORGETFUL = """
import anyio, sys
from sstar_code.sandbox.docker.sandbox import DockerSandbox
async def main():
    sandbox = DockerSandbox(workers=1)
    await sandbox.__aenter__()
    print(sandbox._spec.labels["sstar.session"], flush=True)
    sys.stdin.readline()
anyio.run(main)
"""


@docker
@pytest.mark.parametrize("ending", ["exit", "SIGTERM", "SIGKILL"])
def test_no_ending_of_the_process_leaves_a_container(engine, docker_image, ending):
    """A process that never closes its sandbox leaves nothing, by whatever it ends."""
    command = [sys.executable, "-c", FORGETFUL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        session = process.stdout.readline().strip()
        label = {"label": f"{SESSION_LABEL}={session}"}
        assert len(engine.containers(filters=label)) == 1
        if ending == "exit":
            process.communicate("\n")
        else:
            process.send_signal(signal.Signals[ending])
    deadline = time.monotonic() + 180
    while engine.containers(all=True, filters=label):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@docker
async def test_missing_image_is_said_before_anything_starts(engine, monkeypatch, nothing_left):
    """Without the image, entering names the command that builds it."""
    monkeypatch.setattr(
        "sstar_code.sandbox.image.build.image_tag", lambda *_, **__: "sstar-sandbox:never-built"
    )
    with pytest.raises(SandboxError, match="make image"):
        await DockerSandbox(workers=1).__aenter__()


@docker
async def test_unknown_runtime_lists_the_known(docker_image, nothing_left):
    """A runtime that the engine lacks is named beside those that it has."""
    with pytest.raises(SandboxError, match=r"no runtime 'runsc-of-nowhere', only .*runc"):
        await DockerSandbox(workers=1, runtime="runsc-of-nowhere").__aenter__()


@docker
async def test_named_runtime_is_used(engine, nothing_left):
    """`runtime` reaches the engine."""
    async with DockerSandbox(workers=1, runtime="runc") as sandbox:
        (container,) = list_ours(engine, sandbox)
        assert engine.inspect_container(container)["HostConfig"]["Runtime"] == "runc"


@docker
async def test_untagged_image_does_not_stop_a_run(engine, docker_image, monkeypatch, nothing_left):
    """An image whose tag is taken away during a run still serves the run's next container."""
    engine.tag(docker_image, "sstar-sandbox", "test-untagged")
    monkeypatch.setattr(
        "sstar_code.sandbox.image.build.image_tag", lambda *_, **__: "sstar-sandbox:test-untagged"
    )
    async with DockerSandbox(workers=1) as sandbox:
        engine.remove_image("sstar-sandbox:test-untagged", force=True)
        (container,) = list_ours(engine, sandbox)
        engine.kill(container)
        (execution,) = await sandbox.run(ADD, ["1 2"], Limits())
    assert execution.stdout == "3\n"


async def test_absent_engine_is_one_clear_error(monkeypatch):
    """Without an engine, entering says what to do."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    with pytest.raises(SandboxError, match=r"unix:///nonexistent: is dockerd running\?.*--sandbox local"):
        await DockerSandbox(workers=1).__aenter__()


async def test_closed_sandbox_refuses(monkeypatch):
    """Running outside `async with` is an error, not a container."""
    with pytest.raises(SandboxError, match="async with"):
        await DockerSandbox(workers=1).run(ADD, ["1 2"], Limits())
