"""An engine of our own that stops, or cannot be reached for a while, costs time and no verdict."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import anyio
import pytest
from docker.errors import APIError

from sstar_code.sandbox import Limits, Program, Status
from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.image.build import image_tag
from tests.support import skip_unless_required

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.docker,
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="starting an engine of our own needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="dockerd is not installed"),
    # the SDK forgets to close a socket that it could not connect
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SLOW = Program("import time\ntime.sleep(0.2)\nprint(input())")


_OWN_NETWORK = ("unshare", "--net")  # a second engine in the same one takes the first one's bridge away


class OwnEngine:
    """A dockerd with everything of its own, that can be stopped without disturbing anybody."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "docker.sock"
        self.address = f"unix://{self.socket}"
        self._process = None

    def start(self):
        options = ["--storage-driver=vfs", "--iptables=false", "--bridge=none", "--host", self.address]
        folders = ["--data-root", self.folder / "data", "--exec-root", self.folder / "exec"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_OWN_NETWORK, "dockerd", *options, *folders, "--pidfile", self.folder / "pid"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 180
        while not probe_engine().reachable:
            if self._process.poll() is not None:
                raise ChildProcessError((self.folder / "log").read_text()[-300:])
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


@pytest.fixture
def own_engine(engine, docker_image, monkeypatch):
    """An engine that has the image."""
    folder = Path(tempfile.mkdtemp(prefix="sstar-engine-", dir="/var/tmp"))  # a socket's path must be short
    own = OwnEngine(folder)
    monkeypatch.setenv("DOCKER_HOST", own.address)
    try:
        try:
            own.start()
        except ChildProcessError as error:
            skip_unless_required("DOCKER", f"a second engine does not start here: {error}")
        client = connect_engine()
        for _ in client.load_image(b"".join(engine.get_image(docker_image))):
            pass
        yield own
        assert client.containers(all=True) == []
        client.close()
    finally:
        own.stop()
        gc.collect()
        subprocess.run(["umount", "-R", folder / "exec"], capture_output=True, check=False)
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


async def run_batches(sandbox, disturb):
    """Outputs of three batches while `disturb` happens."""
    outputs = []

    async def run():
        executions = await sandbox.run(SLOW, [str(number) for number in range(8)], Limits())
        assert {execution.status for execution in executions} == {Status.OK}
        outputs.append([execution.stdout.strip() for execution in executions])

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(run)
        await anyio.sleep(0.8)
        await disturb()
    return outputs


EXPECTED = [[str(number) for number in range(8)]] * 3


async def test_restarted_engine(own_engine):
    """The engine stops, with every container, and starts again: the runs are made again."""

    async def restart():
        await anyio.to_thread.run_sync(own_engine.stop)
        await anyio.sleep(1)
        await anyio.to_thread.run_sync(own_engine.start)

    async with DockerSandbox(workers=2) as sandbox:
        assert await run_batches(sandbox, restart) == EXPECTED


async def test_unreachable_engine(own_engine):
    """The engine's socket is gone for a while, and the containers just then too: the runs are made again."""
    async with DockerSandbox(workers=2) as sandbox:

        async def disturb():
            client = sandbox._client
            pids = [client.inspect_container(each)["State"]["Pid"] for each in sandbox._live._ids]
            hidden = own_engine.socket.rename(own_engine.folder / "hidden.sock")
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            await anyio.sleep(4)
            hidden.rename(own_engine.socket)

        assert await run_batches(sandbox, disturb) == EXPECTED


async def test_deleted_image(own_engine):
    """The image is deleted in the middle of the work, and a container dies after that: no verdict changes."""
    async with DockerSandbox(workers=2) as sandbox:

        async def disturb():
            client = sandbox._client
            with contextlib.suppress(APIError):  # in use: the engine takes the name away and keeps the rest
                client.remove_image(image_tag(), force=True)
            victims = list(sandbox._live._ids)
            client.kill(victims[0])

        assert await run_batches(sandbox, disturb) == EXPECTED


async def test_image_comes_by_another_way(own_engine):
    """An image that was carried over from another engine is as good as one built here."""
    assert probe_engine(timeout_s=120).image == image_tag()
