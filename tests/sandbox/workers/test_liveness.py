"""When a worker counts as lost, and what is kept of what it did: no clock of the machine decides."""

from __future__ import annotations

import os
import re
import time

import anyio
import pytest

from sstar_code.sandbox import Limits, Program, Status
from sstar_code.sandbox.inside import frames, kernel
from sstar_code.sandbox.inside.run import SupervisorState
from sstar_code.sandbox.inside.stream import Stream
from sstar_code.sandbox.local.pipe_worker import PipeWorker, find_interpreter
from sstar_code.sandbox.memo import DictMemory, MemoSandbox
from sstar_code.sandbox.workers import pool, protocol
from sstar_code.sandbox.workers.pool import PooledSandbox
from sstar_code.sandbox.workers.protocol import Conversation, Settings, WorkerLost, command

_RUN = {
    "run": 0, "token": "t", "status": 0, "killed": "", "cpu_s": 0.1, "wall_s": 0.1, "memory_kb": 1,
    "sizes": [0, 0, 0], "tail": 0, "last": 0,
}  # fmt: skip
_LIMITS = Limits(cpu_s=1.0, wall_s=10.0)


class _Scripted:
    """A worker whose frames come at given seconds of a clock of its own."""

    def __init__(self, script):
        self.settings = Settings()
        self.now_s = 0.0
        self._script = list(script)

    def monotonic(self):
        return self.now_s

    def send(self, data):
        """Nobody reads it."""

    def receive(self, timeout_s):
        (at_s, head) = self._script[0]
        if at_s > self.now_s + timeout_s:
            self.now_s += timeout_s
            raise TimeoutError("nothing came")
        del self._script[0]
        self.now_s = max(self.now_s, at_s)
        return frames.pack({"id": 1, **head})


def _converse(script, monkeypatch):
    worker = _Scripted(script)
    monkeypatch.setattr(protocol, "time", worker)
    conversation = Conversation(worker)
    return [
        head for head, _ in conversation.run(Program("x"), [b""], _LIMITS, stop_on_failure=False)
    ], worker.now_s


def test_a_worker_is_waited_for_as_long_as_its_program_gets_cpu_time(monkeypatch):
    """A loop of a second that takes a day on a busy machine is no lost worker."""
    beats = [(60.0 * minute, {"heartbeat": minute / 1440}) for minute in range(1, 1440)]
    script = [*beats, (86_400.0, _RUN), (86_400.0, {"done": True})]
    (heads, now_s) = _converse(script, monkeypatch)
    assert [head["run"] for head in heads] == [0]
    assert now_s == 86_400.0


@pytest.mark.parametrize("cpu_s", [None, 0.0, 0.7])
def test_a_worker_without_answer_and_cpu_time_is_given_up(cpu_s, monkeypatch):
    """Silence, and heartbeats that tell of no more CPU time, are waited for no longer than a bound."""
    far = [(1e9, {})]
    script = far if cpu_s is None else [*((5.0 * n, {"heartbeat": cpu_s}) for n in range(1, 10_000)), *far]
    with pytest.raises(WorkerLost, match="neither an answer nor CPU time"):
        _converse(script, monkeypatch)
    assert protocol.time.now_s < 400.0


def test_a_sleeper_may_sleep_to_its_own_limit(monkeypatch):
    """A program that uses no CPU time is the inside's to end: the host waits until well after that."""
    script = [(5.0, {"heartbeat": 0.1}), (_LIMITS.wall_ceiling_s + 100.0, _RUN), (150.0, {"done": True})]
    (heads, _) = _converse(script, monkeypatch)
    assert len(heads) == 1


def test_a_heartbeat_takes_along_what_was_collected(monkeypatch):
    """Answers leave before the heartbeat of the run after them; none is sent where one just was."""
    (theirs, ours) = os.pipe()
    stream = Stream(os.open(os.devnull, os.O_RDONLY), ours)
    stream.send(b'{"id": 7, "run": 0}')
    stream.send_heartbeat(7, 0.5)
    monkeypatch.setattr("sstar_code.sandbox.inside.stream.HEARTBEAT_S", 0.0)
    stream.send_heartbeat(7, 1.5)
    decoder = frames.Decoder()
    heads = [head for head, _ in decoder.feed(os.read(theirs, 1 << 16))]
    assert heads == [{"id": 7, "run": 0}, {"id": 7, "heartbeat": 1.5}]
    for descriptor in (theirs, ours, stream.source):
        os.close(descriptor)


class _Listening(PipeWorker):
    """Keeps what it heard."""

    def __init__(self):
        super().__init__(command(find_interpreter()), Settings())
        self.heard = []
        self._frames = frames.Decoder()

    def receive(self, timeout_s):
        data = super().receive(timeout_s)
        self.heard += [head for head, _ in self._frames.feed(data)]
        return data


@pytest.fixture
def hurried(monkeypatch):
    """Supervisors look at what they started a hundred times a second, and tell each time."""

    def hurry(source):
        return re.sub(r"(?m)^(HEARTBEAT_S|GLANCE_S) = .*", r"\1 = 0.01", source)

    sources = [(name, hurry(source)) for name, source in protocol._sources()]
    assert sources != protocol._sources()
    monkeypatch.setattr(protocol, "_sources", lambda: sources)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "inputs"),
    [
        ("while True: pass", ["1"]),  # the program process becomes the run
        ("while True: pass", ["1", "2"]),
        ("def f(): \n while True: pass", None),  # an assert-style test: two processes
        ("".join(f"{' ' * n}try: a = 1\n{' ' * n}finally:\n" for n in range(15)) + " " * 15 + "a", ["1"]),
    ],
    ids=["one", "two", "assert", "compiler"],
)
@pytest.mark.usefixtures("hurried")
async def test_the_supervisor_tells_of_the_cpu_time_of_its_work(code, inputs):
    """While a program runs or is compiled, heartbeats come, and tell of ever more CPU time."""
    workers = []

    def make():
        workers.append(_Listening())
        return workers[-1]

    program = Program(code) if inputs else Program(code, "assert", "f")
    async with PooledSandbox("test", make, workers=1) as sandbox:
        runs = await sandbox.run(program, inputs or ["f()"], Limits(cpu_s=0.5))
    used = [head["heartbeat"] for head in workers[0].heard if "heartbeat" in head]
    assert len(workers) == 1
    assert {run.status for run in runs} <= {Status.TLE, Status.OK}
    assert len(set(used)) > 1, "no CPU time was seen to move"
    assert max(used) > 0


class _Counted(DictMemory):
    """Tells when it holds so many results."""

    def __init__(self, count):
        super().__init__()
        self.is_full = anyio.Event()
        self._count = count

    def put_executions(self, executions):
        super().put_executions(executions)
        if len(self._results) >= self._count:
            self.is_full.set()


@pytest.mark.anyio
async def test_what_was_run_is_kept_before_the_rest_is(monkeypatch):
    """A batch that is cancelled, as by Ctrl-C or a kill, loses no more than the part under way."""
    monkeypatch.setattr(pool, "PART_S", 0.0)  # each run is a part
    memory = _Counted(3)
    sandbox = PooledSandbox("test", lambda: PipeWorker(command(find_interpreter()), Settings()), workers=1)
    program = Program("import time\nif input() == 'stop': time.sleep(600)\nprint(1)")
    texts = ["a", "b", "c", "stop", "d"]
    async with sandbox, anyio.create_task_group() as group:
        memo = MemoSandbox(sandbox, memory)
        group.start_soon(memo.run, program, texts, Limits(wall_s=900.0))
        with anyio.fail_after(180):
            await memory.is_full.wait()
        group.cancel_scope.cancel()
    assert {run.stdout for run in memory._results.values()} == {"1\n"}


@pytest.mark.anyio
async def test_parts_are_the_whole_in_the_end(monkeypatch):
    """A batch answered in parts has every run once, in order, and ends at a failure where that is asked."""
    monkeypatch.setattr(pool, "PART_S", 0.0)
    sandbox = PooledSandbox("test", lambda: PipeWorker(command(find_interpreter()), Settings()), workers=1)
    program = Program("print(1 / int(input()))")
    async with sandbox:
        memo = MemoSandbox(sandbox)
        runs = await memo.run(program, ["1", "2", "0", "4"], Limits())
        assert [run.stdout or run.status for run in runs] == ["1.0\n", "0.5\n", Status.RE, "0.25\n"]
        assert memo.executed == 4
        runs = await memo.run(program, ["5", "0", "7"], Limits(), stop_on_failure=True)
        assert [run.status for run in runs] == [Status.OK, Status.RE]
        assert memo.executed == 5
        assert len(await sandbox.run(program, ["1", "2"], Limits())) == 2, "asked for as a whole"


class _Fragile(PipeWorker):
    """Ends when it is asked for what holds the poison, once what was before has been answered."""

    def send(self, data):
        if b"poison" in data:
            self.kill()
        super().send(data)


@pytest.mark.anyio
async def test_why_a_worker_was_replaced_is_logged(caplog):
    """Each loss is a line of the log, with its reason; a verdict of it is IE."""
    caplog.set_level("INFO", "sstar_code.sandbox.workers.pool")
    sandbox = PooledSandbox("test", lambda: _Fragile(command(find_interpreter()), Settings()), workers=1)
    async with sandbox:
        (run,) = await sandbox.run(Program("print(input())"), ["poison"], Limits())
    assert run.status is Status.IE
    assert [line for line in caplog.messages if line.startswith("a worker of the test sandbox is replaced: ")]


def test_a_parent_speaks_only_while_its_child_cannot():
    """Two writers never meet on one stream: a heartbeat for the child ends before the child may write."""
    spoken = []

    class Recording:
        def send_heartbeat(self, name, cpu_s):
            spoken.append((name, cpu_s))

    names = ("uids", "seccomp", "processes", "proc_descriptor", "scratch", "compile_mb")
    state = SupervisorState(dict.fromkeys(names))
    state.page[8:16] = (9).to_bytes(8, "little")
    for compiling, is_run in ((0, 0), (1, 0), (0, 1)):
        (state.page[1], state.page[2]) = (compiling, is_run)
        state.tell_for_child(Recording(), 0.5)
    assert spoken == [(9, 0.5), (9, 0.5)]
    assert state.page[4] == 0
    (state.page[1], state.page[4]) = (1, 1)
    child = os.fork()
    if child == 0:
        state.end_compiling()  # waits until the parent has said what it was about to say
        os._exit(0 if state.page[4] == 0 else 1)
    while state.page[1] == 1:
        time.sleep(0.001)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    state.page[4] = 0
    assert os.waitpid(child, 0)[1] == 0
    if state.domain is not None:
        os.close(state.domain)


def test_cpu_time_of_a_process_that_is_gone_is_none():
    """It is asked for while the process may end at any moment."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert kernel.spent_s(child) == 0.0
    assert kernel.spent_s(os.getpid()) > 0.0
