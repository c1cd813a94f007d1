"""Workers that break, hang, cannot be started or are cancelled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from sstar_code.problems.problem import MAX_PROGRAM
from sstar_code.sandbox import Limits, Program, SandboxError, Status
from sstar_code.sandbox.local.pipe_worker import PipeWorker, find_interpreter
from sstar_code.sandbox.workers.pool import PooledSandbox, _exchange
from sstar_code.sandbox.workers.protocol import Conversation, Settings, WorkerLost, command
from tests.support import ROOT

_ECHO = Program("print(input())")


def _worker() -> PipeWorker:
    return PipeWorker(command(find_interpreter()), Settings())


class _Watched(PooledSandbox):
    """Keeps every worker it ever made."""

    def __init__(self, **options):
        self.made = []
        super().__init__("test", self._make, **options)

    def _make(self):
        self.made.append(_worker())
        return self.made[-1]

    def processes(self):
        return [worker._process for worker in self.made]


@pytest.mark.anyio
async def test_killed_supervisor_is_retried():
    """A supervisor killed in the middle of a batch costs nothing but time: never RE, never IE."""
    async with _Watched(workers=1) as sandbox:
        slow = Program("import time; time.sleep(0.1); print(input())")
        async with anyio.create_task_group() as group:
            runs = []

            async def work():
                runs.extend(await sandbox.run(slow, list("abcdefgh"), Limits()))

            group.start_soon(work)
            await anyio.sleep(0.35)
            sandbox.processes()[0].kill()
        assert [run.stdout.strip() for run in runs] == list("abcdefgh")
        assert len(sandbox.made) == 2


@pytest.mark.anyio
async def test_idle_worker_that_died_is_replaced():
    """A worker that died while nobody used it is noticed by the next run."""
    async with _Watched(workers=1) as sandbox:
        os.kill(sandbox.processes()[0].pid, signal.SIGKILL)
        (run,) = await sandbox.run(_ECHO, ["x"], Limits())
        assert run.stdout == "x\n"


class _Poisoned(PipeWorker):
    """Dies whenever an input holds the poison."""

    def send(self, data):
        if b"poison" in data:
            self.kill()
        super().send(data)


@pytest.mark.anyio
async def test_input_that_breaks_every_worker_is_ie():
    """Two workers lost on one input make it IE; the other inputs have their results."""
    sandbox = PooledSandbox("test", lambda: _Poisoned(command(find_interpreter()), Settings()), workers=1)
    async with sandbox:
        big = "x" * 40_000  # larger than the window, so that every input is sent alone
        runs = await sandbox.run(_ECHO, [big, "poison" + big, big], Limits())
        assert [run.status for run in runs] == [Status.OK, Status.IE, Status.OK]
        assert runs[1].failure.type == "SandboxError"
        runs = await sandbox.run(_ECHO, ["poison"] * 50, Limits())
        assert {run.status for run in runs} == {Status.IE}
        assert len(runs) == 50


@pytest.mark.anyio
async def test_hung_worker_is_given_up(monkeypatch):
    """A worker that says nothing is killed when the limits and the grace are over."""

    class Watched(_Watched):
        def _make(self):
            monkeypatch.undo()  # the worker that comes in its place has all the time of a busy machine
            return super()._make()

    async with Watched(workers=1) as sandbox:
        monkeypatch.setattr("sstar_code.sandbox.workers.protocol._GRACE_S", 0.5)
        monkeypatch.setattr("sstar_code.sandbox.workers.protocol._COMPILE_S", 0.5)
        sandbox.processes()[0].send_signal(signal.SIGSTOP)
        (run,) = await sandbox.run(_ECHO, ["x"], Limits(cpu_s=0.5, wall_s=1.0))
        assert run.stdout == "x\n"
        assert sandbox.processes()[0].returncode is not None


@pytest.mark.parametrize(
    "arguments", [["/nonexistent/python"], ["/bin/true"], ["/bin/cat"], [find_interpreter(), "-c", "1 / 0"]]
)
@pytest.mark.anyio
async def test_worker_that_cannot_start(arguments, monkeypatch):
    """It is a SandboxError of one line when the sandbox is entered, not a hang."""
    monkeypatch.setattr("sstar_code.sandbox.workers.protocol._START_S", 3.0)
    sandbox = PooledSandbox("test", lambda: PipeWorker(arguments, Settings()), workers=1)
    with pytest.raises(SandboxError) as caught:
        async with sandbox:
            pass
    assert "\n" not in str(caught.value)


def test_the_log_of_a_worker_can_be_read_while_it_is_ended(monkeypatch):
    """Whoever ends it waits until the log has been read, and what it said last stays."""
    worker = PipeWorker(["/bin/sh", "-c", "echo told >&2; cat"], Settings())
    worker.start()
    worker.send(b"x")
    worker.receive(60)
    ending, fstat = threading.Thread(target=worker.kill), os.fstat

    def wait(descriptor):
        if not ending.ident:
            ending.start()
            ending.join(0.5)
        return fstat(descriptor)

    monkeypatch.setattr(os, "fstat", wait)
    assert worker.log() == "told\n"
    ending.join()
    assert worker.log() == "told\n"


@pytest.mark.anyio
async def test_cancelled_run_leaves_no_broken_worker():
    """After a cancelled run the next one has a sound worker, and the old one is gone."""
    async with _Watched(workers=1) as sandbox:
        with anyio.move_on_after(0.3):
            await sandbox.run(Program("import time; time.sleep(60)"), ["x"], Limits())
        (run,) = await sandbox.run(_ECHO, ["next"], Limits())
        assert run.stdout == "next\n"
        assert sandbox.processes()[0].returncode is not None
    assert all(process.returncode is not None for process in sandbox.processes())


@pytest.mark.anyio
async def test_leaving_ends_runs_at_work():
    """When the sandbox is left by an error, workers at work end with it."""
    sandbox = _Watched(workers=2)
    with pytest.raises(BaseExceptionGroup):  # noqa: PT012 - the block is what is left
        async with sandbox, anyio.create_task_group() as group:
            group.start_soon(sandbox.run, Program("import time; time.sleep(60)"), ["x"], Limits())
            await anyio.sleep(0.3)
            raise RuntimeError
    assert {process.returncode for process in sandbox.processes()} == {-signal.SIGKILL}


@pytest.mark.anyio
async def test_workers_start_when_needed_and_never_more():
    """One worker for one run after the other; as many as allowed for many at once."""
    async with _Watched(workers=2) as sandbox:
        for _ in range(3):
            await sandbox.run(_ECHO, ["x"], Limits())
        assert len(sandbox.made) == 1
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(sandbox.run, Program("import time; time.sleep(0.05)"), ["x"], Limits())
        assert len(sandbox.made) == 2


@pytest.mark.anyio
async def test_worker_is_recycled():
    """A worker that has made its number of runs is replaced."""
    async with _Watched(workers=1, recycle_after=5) as sandbox:
        for _ in range(4):
            runs = await sandbox.run(_ECHO, ["x"] * 3, Limits())
            assert [run.status for run in runs] == [Status.OK] * 3
        assert len(sandbox.made) == 2
        assert sandbox.processes()[0].returncode is not None


@pytest.mark.anyio
async def test_closed_sandbox_says_so():
    """Outside `async with` a run is an error that says what to do."""
    with pytest.raises(SandboxError, match="async with"):
        await _Watched(workers=1).run(_ECHO, ["x"], Limits())


@pytest.mark.anyio
async def test_no_inputs_no_runs():
    """An empty list of inputs gives an empty list."""
    async with _Watched(workers=1) as sandbox:
        assert await sandbox.run(_ECHO, [], Limits()) == []


_OWNER = """
import anyio, sys
sys.path.insert(0, sys.argv[1])
from sstar_code.sandbox import Limits, Program
from sstar_code.sandbox.local.sandbox import LocalSandbox, UnsafeSandbox
async def main():
    async with {"local": LocalSandbox, "unsafe": UnsafeSandbox}[sys.argv[2]](1) as sandbox:
        print("ready", flush=True)
        await sandbox.run(Program("while True: pass"), ["x"] * int(sys.argv[3]), Limits(cpu_s=60))
anyio.run(main)
"""


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("backend", ["local", "unsafe"])
def test_everything_ends_with_its_owner(backend, inputs, sandbox_local):
    """When the process that owns a sandbox is killed by -9, nothing of it is left a moment later."""
    arguments = [sys.executable, "-c", _OWNER, str(ROOT / "src"), backend, str(inputs)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout.readline() == b"ready\n"
        deadline = time.monotonic() + 180
        while len(family := _descendants(owner.pid)) < 1 + inputs:  # supervisor, program process, run
            assert time.monotonic() < deadline
            time.sleep(0.05)
        owner.kill()
    deadline = time.monotonic() + 180
    while any(_parent(pid) is not None for pid in family):
        assert time.monotonic() < deadline, "a process outlived its owner"
        time.sleep(0.05)


def _parent(pid):
    """The parent of a process that is alive; else None."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def _descendants(root):
    parents = {int(path.name): _parent(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = {root}
    while grown := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= grown
    return found - {root}


@pytest.mark.anyio
async def test_canary_lives_in_a_sound_worker():
    """A worker that lives proves itself, one that has died does not."""
    conversation = Conversation(_worker())
    conversation.open()
    conversation.check()
    assert conversation.checked_at == conversation.runs == 1
    conversation.worker.kill()
    with pytest.raises(Exception, match="ended"):
        conversation.check()


@pytest.mark.anyio
async def test_worker_whose_canary_dies_is_replaced(monkeypatch):
    """A worker that no longer computes what is known is thrown away; what it had done stands."""
    monkeypatch.setattr("sstar_code.sandbox.workers.protocol._CANARY_OUTPUT", "43\n")
    async with _Watched(workers=1, check_every=2) as sandbox:
        runs = await sandbox.run(_ECHO, list("abc"), Limits())
        assert [run.stdout.strip() for run in runs] == list("abc")
        monkeypatch.undo()
        runs = await sandbox.run(_ECHO, list("abc"), Limits())
        assert [run.stdout.strip() for run in runs] == list("abc")
        assert len(sandbox.made) == 2
        assert sandbox.processes()[0].returncode is not None


_FINE = {
    "token": "t", "status": 0, "killed": "", "cpu_s": 0.1, "wall_s": 0.1, "memory_kb": 1, "sizes": [0, 0, 0],
    "tail": 0,
}  # fmt: skip
_KILLED = {**_FINE, "status": 9}
_UNCOMPILED = {"lost": "the process that compiles ended by signal 9"}


class _Answers:
    """Stands for a conversation: each request is answered by the next of `scripts`."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)

    def run(self, *_, **__):
        yield from ((head, b"") for head in self.scripts.pop(0))


@pytest.mark.parametrize(
    ("scripts", "ends"),
    [
        ([[_FINE, _FINE]], "OK OK"),
        ([[_UNCOMPILED], [_FINE, _FINE]], "OK OK"),
        ([[_UNCOMPILED], [_UNCOMPILED]], "lost"),
        ([[_FINE, _KILLED], [_FINE]], "OK OK"),
        ([[_KILLED, _FINE], [_KILLED]], "RE OK"),
        ([[_KILLED, _FINE], [_UNCOMPILED], [_FINE]], "OK OK"),
        ([[_FINE, _KILLED], [_UNCOMPILED], [_UNCOMPILED]], "OK lost"),
    ],
)
def test_what_was_killed_is_asked_once_more(scripts, ends):
    """A run or a compiler that nobody of ours killed has a second try; a contradiction makes it lost."""
    records, answers = [], _Answers(*scripts)
    ask = (answers, _ECHO, [b"a", b"b"], Limits(), records)
    if ends.endswith("lost"):
        with pytest.raises(WorkerLost):
            _exchange(*ask, stop=False, eager=False)
        assert [record.status for record in records] == ends.split()[:-1]
    else:
        _exchange(*ask, stop=False, eager=False)
        assert [record.status for record in records] == ends.split()
    assert answers.scripts == []


@pytest.mark.anyio
@pytest.mark.parametrize("stop", [False, True])
async def test_a_program_that_no_compiler_should_see_is_refused_as_its_verdict(stop):
    """It is CE in one line for every input, no worker is lost to it, and the next program runs."""
    async with _Watched(workers=1) as sandbox:
        for code in ("#" * (MAX_PROGRAM + 1), "x = [" + "[]," * (1 << 26)):
            runs = await sandbox.run(Program(code), ["1", "2"], Limits(), stop_on_failure=stop)
            assert [run.status for run in runs] == [Status.CE] * (1 if stop else 2)
            assert f"at most {MAX_PROGRAM} are run" in runs[0].failure.message
        (run,) = await sandbox.run(_ECHO, ["x"], Limits())
        assert (run.stdout, len(sandbox.made)) == ("x\n", 1)
