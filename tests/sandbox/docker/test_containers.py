"""Containers on a real engine: walled as documented, and gone when their owner is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from sstar_code.sandbox import Limits, Program, SandboxError
from sstar_code.sandbox.docker.container import (
    OWNER_LABEL,
    SESSION_LABEL,
    ContainerSpec,
    choose_memory_mb,
    choose_settings,
    create_container,
    describe_owner,
    new_labels,
    reap_orphans,
)
from sstar_code.sandbox.docker.worker import DockerWorker, LiveContainers
from sstar_code.sandbox.workers.protocol import Conversation, WorkerLost

ADD = Program("a, b = map(int, input().split())\nprint(a + b)")


@pytest.fixture
def spec(engine, docker_image):
    return ContainerSpec(engine.inspect_image(docker_image)["Id"], new_labels(), 1024)


@pytest.fixture
def make_worker(engine, spec):
    """Makes workers; all of their containers have to be gone in the end."""
    live = LiveContainers()
    made = []

    def make(**changes):
        made.append(DockerWorker(engine, replace(spec, **changes), choose_settings([]), live))
        return made[-1]

    yield make
    for worker in made:
        worker.kill()
    assert len(live) == 0
    assert list_session(engine, spec) == []


def list_session(engine, spec):
    label = f"{SESSION_LABEL}={spec.labels[SESSION_LABEL]}"
    return engine.containers(all=True, filters={"label": label})


def wait_until(condition, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def run_all(conversation, program, inputs, limits=None):
    return list(conversation.run(program, inputs, limits or Limits(), stop_on_failure=False))


@pytest.mark.docker
def test_programs_run(make_worker):
    """A container answers for every input, in order."""
    conversation = Conversation(make_worker())
    conversation.open()
    answers = run_all(conversation, ADD, [b"1 2\n", b"x\n", b"3 4\n"])
    assert [head["status"] >> 8 for head, _ in answers] == [0, 1, 0]
    assert [blob[:2] for _, blob in answers[::2]] == [b"3\n", b"7\n"]
    assert conversation.features["seccomp"]


@pytest.mark.docker
def test_walls_are_in_force(engine, make_worker):
    """Every wall of the documentation is what the engine has been told."""
    worker = make_worker(memory_mb=900, cpus="0")
    Conversation(worker).open()
    facts = engine.inspect_container(worker.container)
    host = facts["HostConfig"]
    assert (host["NetworkMode"], host["IpcMode"]) == ("none", "none")
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert sorted(name.removeprefix("CAP_") for name in host["CapAdd"]) == ["KILL", "SETGID", "SETUID"]
    assert [option.partition(":")[0] for option in host["SecurityOpt"]] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"] == 900 << 20
    assert host["PidsLimit"] == 256
    assert host["LogConfig"]["Type"] == "none"
    assert host["CpusetCpus"] == "0"
    assert host["AutoRemove"]
    assert not host["Privileged"]
    assert not host["Binds"]
    assert {path: limits.split(",")[0] for path, limits in host["Tmpfs"].items()} == {
        "/dev/mqueue": "ro",
        "/tmp": "rw",
    }
    assert {"noexec", "size=64m", "nr_inodes=1024"} <= set(host["Tmpfs"]["/tmp"].split(","))
    assert {"/sys", "/dev/mqueue", "/proc/cmdline", "/proc/pressure"} <= set(host["MaskedPaths"])
    assert host["ReadonlyPaths"] == ["/dev", "/proc"]
    assert not host["PortBindings"]
    assert not facts["Mounts"]
    assert facts["Config"]["StdinOnce"]
    assert not facts["Config"]["Tty"]


@pytest.mark.docker
def test_inside_there_is_little(make_worker):
    """A run sees one writable folder, no network but its own loopback, and no capability."""
    source = """
import os
for folder, names, _ in os.walk("/"):
    names[:] = [name for name in names if folder != "/" or name not in ("proc", "sys")]
    if os.access(folder, os.W_OK):
        print("writable", folder)
for line in open("/proc/self/status"):
    if line.startswith(("CapEff", "CapBnd", "NoNewPrivs")) and os.getuid():
        print(*line.split())
print(sorted(line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]))
"""
    conversation = Conversation(make_worker())
    conversation.open()
    ((head, blob),) = run_all(conversation, Program(source), [b""])
    text = blob[: head["sizes"][0]].decode()
    assert [line for line in text.splitlines() if "writable" in line] == ["writable /tmp"]
    assert "CapEff: 0000000000000000" in text
    assert "NoNewPrivs: 1" in text
    assert "['lo']" in text


@pytest.mark.docker
def test_memory_above_the_container_ends_the_run_alone(make_worker):
    """Where a run may take more than the container has, the kernel ends the run and not the supervisor."""
    conversation = Conversation(make_worker(memory_mb=256))
    conversation.open()
    bomb = Program("held = [bytearray(16 << 20) for _ in range(200)]")
    ((head, _),) = run_all(conversation, bomb, [b""], Limits(memory_mb=4096))
    assert head["status"] != 0
    ((head, blob),) = run_all(conversation, ADD, [b"1 1\n"])
    assert blob.startswith(b"2\n")


@pytest.mark.docker
def test_killed_container_is_a_lost_worker(engine, make_worker):
    """A container killed in the middle of a batch loses the worker there and then, and blames no program."""
    worker = make_worker()
    conversation = Conversation(worker)
    conversation.open()
    answers = conversation.run(
        Program("import time; time.sleep(0.1)"), [b""] * 100, Limits(), stop_on_failure=False
    )
    next(answers)
    engine.kill(worker.container)
    with pytest.raises(WorkerLost) as lost:
        list(answers)
    assert "no answer" not in str(lost.value), "it was waited for"


@pytest.mark.docker
def test_kill_frees_a_waiting_thread(make_worker):
    """Killing a worker from outside ends what another thread waits for."""
    worker = make_worker()
    conversation = Conversation(worker)
    conversation.open()
    raised = []

    def wait():
        try:
            run_all(conversation, Program("import time; time.sleep(60)"), [b""])
        except WorkerLost as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    worker.kill()
    worker.kill()
    thread.join(180)
    assert not thread.is_alive()
    assert raised


@pytest.mark.docker
def test_refused_container_is_one_clear_error(make_worker):
    """An unknown runtime or image is named, and nothing is left of the attempt."""
    with pytest.raises(SandboxError, match="--runtime"):
        make_worker(runtime="no-such-runtime").start()
    with pytest.raises(SandboxError, match="make image"):
        make_worker(image="sha256:" + "0" * 64).start()


OWNER = """
import sys, time
from sstar_code.sandbox.docker.container import ContainerSpec, choose_settings, create_container
from sstar_code.sandbox.docker.worker import DockerWorker, LiveContainers
from sstar_code.sandbox.docker.container import new_labels
from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.workers.protocol import Conversation
client = connect_engine()
spec = ContainerSpec(sys.argv[1], new_labels(), 512)
create_container(client, spec)
worker = DockerWorker(client, spec, choose_settings([]), LiveContainers())
Conversation(worker).open()
print(spec.labels["sstar.session"], flush=True)
time.sleep(600)
"""


@pytest.mark.docker
def test_nothing_survives_a_killed_owner(engine, spec):
    """After kill -9 a running container ends by itself; one never started is reaped at the next start."""
    command = [sys.executable, "-c", OWNER, spec.image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        session = owner.stdout.readline().strip()
        label = {"label": f"{SESSION_LABEL}={session}"}
        assert len(engine.containers(all=True, filters=label)) == 2
        reap_orphans(engine)
        assert len(engine.containers(all=True, filters=label)) == 2, "its owner lives"
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: engine.containers(filters=label) == [])
    reap_orphans(engine)  # any other sandbox that starts now does it too
    wait_until(lambda: engine.containers(all=True, filters=label) == [])


@pytest.mark.docker
def test_neighbours_are_left_alone(engine, spec):
    """Containers of another host, or without an owner that can be read, stay."""
    foreign = [
        replace(describe_owner(), host="elsewhere", start_ticks=1).to_labels(),
        {OWNER_LABEL: "somebody"},
    ]
    made = [create_container(engine, replace(spec, labels=labels)) for labels in foreign]
    try:
        reap_orphans(engine)
        assert [engine.inspect_container(name)["Id"] for name in made] == made
    finally:
        for name in made:
            engine.remove_container(name)


@pytest.mark.docker
def test_engine_over_tcp(engine, spec, monkeypatch):
    """The attach stream works the same where DOCKER_HOST is a tcp address."""
    if os.environ.get("DOCKER_HOST"):
        pytest.skip("needs the local engine's socket")
    from sstar_code.sandbox.docker.engine import connect_engine

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=forward, args=(listener,), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        client = connect_engine()
        worker = DockerWorker(client, spec, choose_settings([]), LiveContainers())
        conversation = Conversation(worker)
        conversation.open()
        assert len(run_all(conversation, ADD, [b"1 2\n"] * 5)) == 5
        worker.kill()
        client.close()
        listener.shutdown(socket.SHUT_RDWR)


def forward(listener):
    from sstar_code.sandbox.docker.worker import _pump_both

    while True:
        try:
            (near, _) = listener.accept()
        except OSError:
            return
        far = socket.socket(socket.AF_UNIX)
        far.connect("/var/run/docker.sock")
        threading.Thread(target=_pump_both, args=(near, far), daemon=True).start()


@pytest.mark.parametrize(
    ("engine_mb", "workers", "expected_mb"),
    [(64_000, 2, 4608), (8_000, 4, 1600), (2_000, 8, 768), (0, 0, 768)],
)
def test_memory_of_a_container(engine_mb, workers, expected_mb):
    """Containers get what the largest run needs, or a share of the machine, never less than runs need."""
    assert choose_memory_mb(engine_mb, workers) == expected_mb


def test_uids_fit_the_engine():
    """Runs get uids of their own: high ones, or such as an engine with remapped users has."""
    (first, count) = choose_settings(["name=seccomp,profile=default"]).uids
    assert first >= 1 << 30
    assert first + count < 1 << 31
    for option in ("name=rootless", "name=userns"):
        (first, count) = choose_settings([option]).uids
        assert first >= 1000
        assert first + count <= 65_536
