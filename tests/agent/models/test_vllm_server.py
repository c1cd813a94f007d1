"""A server of our own: it starts, is looked after, and leaves nothing behind, however anyone ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from sstar_code.agent.models import Message, ModelError, ModelUserError, Purpose, Request, RetryPolicy, Stage
from sstar_code.agent.models.vllm.plan import make_plan
from sstar_code.agent.models.vllm.process import reap_orphans
from sstar_code.agent.models.vllm.server import KeepAlive, ManagedModel
from tests.support import ROOT

pytestmark = pytest.mark.anyio

COMMAND = shlex.join([sys.executable, str(ROOT / "tests" / "support" / "fake_vllm.py")])
KEEP = KeepAlive(first_wait_s=0.01, poll_s=0.02, grace_s=1.0, tell_every_s=0.1)
CUDA_TRACE = """INFO 11-21 05:00:00 [api_server.py:1200] vLLM API server version 0.99.0
(EngineCore pid=77) ERROR 11-21 05:00:09 [core.py:866] EngineCore failed to start.
(EngineCore pid=77) ERROR 11-21 05:00:09 [core.py:866] Traceback (most recent call last):
(EngineCore pid=77) ERROR 11-21 05:00:09 [core.py:866]   File "gpu_worker.py", line 1, in init_device
(EngineCore pid=77) ERROR 11-21 05:00:09 [core.py:866] ValueError: Free memory on device cuda:0 \
(3.1/79.1 GiB) on startup is less than desired GPU memory utilization (0.92, 72.8 GiB).
(APIServer pid=70) Traceback (most recent call last):
(APIServer pid=70)   File "core_client.py", line 1, in launch
(APIServer pid=70) RuntimeError: Engine core initialization failed. See root cause above. Failed core \
proc(s): {}
"""


@dataclass
class Fake:
    """A fake vLLM and what it left in its folder."""

    folder: Path
    said: list[str]

    def read(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def alive(self) -> list[int]:
        return [pid for pid in map(int, self.read("pids")) if is_alive(pid)]

    def model(self, arguments: str = "", **keep) -> ManagedModel:
        plan = make_plan("org/fake", command=COMMAND, arguments=arguments)
        model = ManagedModel(
            plan,
            say=self.said.append,
            on_retry=self.said.append,
            retry_policy=RetryPolicy(attempts=3, first_wait_s=0.01, max_wait_s=0.02),
            keep=KeepAlive(**{name: getattr(KEEP, name) for name in KEEP.__slots__} | keep),
        )
        model.log = self.folder / "vllm.log"
        return model


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, what: str) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"a minute has passed without {what}")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Make a fake vLLM: `fake({"1": {...}, "else": {...}})` says what each start does."""

    def make(plan=None) -> Fake:
        (tmp_path / "plan.json").write_text(json.dumps(plan or {}))
        monkeypatch.setenv("FAKE_VLLM", str(tmp_path))
        return Fake(tmp_path, [])

    return make


def make_request(seed: int = 0) -> Request:
    return Request((Message("user", "x"),), Purpose("p", Stage.GENERATE, seed), seed=seed)


async def ask_many(model, count: int) -> list[str]:
    texts: dict[int, str] = {}

    async def ask(seed: int) -> None:
        texts[seed] = (await model.ask(make_request(seed))).text

    async with anyio.create_task_group() as group:
        for seed in range(count):
            group.start_soon(ask, seed)
    return [texts[seed] for seed in range(count)]


async def test_serves_and_leaves_nothing(fake):
    """It is started with a key that is on no command line, asked, and gone with all its children after."""
    double = fake({"else": {"children": True}})
    async with double.model("--max-num-seqs 8") as model:
        info = await model.check()
        assert (info.models, info.version) == (("org/fake",), "vllm 0.99.0")
        assert len(await ask_many(model, 8)) == 8
        assert len(double.alive()) == 4
        (described,) = model.describe()
    (start,) = [json.loads(line) for line in double.read("starts.jsonl")]
    assert start["words"][:2] == ["serve", "org/fake"]
    assert start["words"][-2:] == ["--max-num-seqs", "8"]
    assert len(start["key"]) > 30
    assert start["key"] not in " ".join(start["words"]) + json.dumps(described)
    assert double.alive() == []


async def test_a_server_that_will_not_end_is_killed(fake):
    """One that ignores SIGTERM is killed after its grace."""
    double = fake({"else": {"deaf": True, "children": True}})
    async with double.model(grace_s=0.2) as model:
        await model.ask(make_request())
    assert double.alive() == []


async def test_the_reason_of_a_death_at_start_is_one_line(fake):
    """The engine's own error is told, not what the front says of it, with what to do; nothing is left."""
    double = fake({"else": {"log": CUDA_TRACE, "children": True}})
    with pytest.raises(ModelError) as caught:
        async with double.model():
            pass
    message = str(caught.value)
    assert message.startswith("vLLM did not start: ValueError: Free memory on device cuda:0 (3.1/79.1 GiB)")
    assert "--gpu-memory-utilization" in message
    assert "\n" not in message
    assert double.alive() == []
    assert len(double.read("starts.jsonl")) == 1


async def test_a_slow_start_tells_how_far_it_is(fake):
    """While it loads, a line now and then says for how long."""
    double = fake({"else": {"slow_s": 1.0}})
    async with double.model(tell_every_s=0.05):
        pass
    assert any(line.startswith("vLLM is starting, ") for line in double.said)
    assert double.said[-1].startswith("vLLM is ready after ")


async def test_a_flag_of_ours_that_is_not_known_is_left_out(fake):
    """An older vLLM is started without the flag it refuses; one that the user gave ends the command."""
    double = fake({"else": {"refuses": "--disable-uvicorn-access-log"}})
    async with double.model() as model:
        await model.ask(make_request())
        assert "--disable-uvicorn-access-log" not in model.describe()[0]["command"]
    assert "this vLLM does not know --disable-uvicorn-access-log: starting without it" in double.said
    with pytest.raises(ModelUserError, match="does not take its arguments: unrecognized arguments"):
        async with fake({"else": {"refuses": "--typo"}}).model("--typo"):
            pass


async def test_a_port_that_is_taken_meanwhile(fake, monkeypatch):
    """Where another took the free port first, the server is started at the next one."""
    from sstar_code.agent.models.vllm import server

    taken = {"log": "OSError: [Errno 98] Address already in use\n"}
    double = fake({"1": taken, "else": {}})
    async with double.model() as model:
        await model.ask(make_request())
    assert len(double.read("starts.jsonl")) == 2
    assert server.find_free_port("127.0.0.1") > 0


@pytest.mark.parametrize("dying_s", [0.0, 0.5])
async def test_a_death_under_load_costs_no_call(fake, dying_s):
    """Calls wait for the restart and are asked again; none that was answered is asked twice."""
    double = fake({"1": {"answers": 5, "dying_s": dying_s, "children": True}, "else": {"children": True}})
    async with double.model(dying_s=30.0) as model:
        assert len(await ask_many(model, 20)) == 20
        assert model.server.restarts == 1
    asked = [json.loads(line)["seed"] for line in double.read("asked.jsonl")]
    assert sorted(set(asked)) == list(range(20))
    assert len(asked) <= 25  # what the first start answered as it died may be lost with it
    assert any("vLLM ended (it was killed (SIGKILL)" in line for line in double.said)
    assert double.alive() == []


async def test_what_is_known_of_the_model_holds_after_a_restart(fake):
    """A template that opens thinking does so at the next start too: what was cut there is no answer."""
    double = fake({"1": {"answers": 0}, "else": {"finish_reason": "length"}})
    async with double.model(dying_s=30.0) as model:
        model.opens_thinking = True  # as `check` finds out
        answer = await model.ask(make_request())
        assert model.server.restarts == 1
    assert answer.is_cut_thinking


async def test_a_server_that_always_dies_is_given_up(fake):
    """After so many restarts one error says how often, why and where the log is."""
    double = fake({"else": {"answers": 0}})
    with pytest.raises(ModelError) as caught:
        async with double.model(max_restarts=2, dying_s=30.0) as model:
            await model.ask(make_request())
    assert str(caught.value).startswith("vLLM ended 3 times, last: it was killed (SIGKILL)")
    assert str(double.folder / "vllm.log") in str(caught.value)
    assert len(double.read("starts.jsonl")) == 3
    assert double.alive() == []


async def test_cancelling_leaves_nothing(fake):
    """A run that is cancelled, also while the server starts, ends it all the same."""
    double = fake({"else": {"slow_s": 600, "children": True}})
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def open_model() -> None:
                async with double.model():
                    pass

            group.start_soon(open_model)
            await anyio.to_thread.run_sync(wait_until, lambda: len(double.read("pids")) == 4, "a start")
            scope.cancel()
    assert double.alive() == []


async def test_an_orphan_without_guardian_is_reaped_by_the_next_start(fake, spawn):
    """When command and guardian are both killed, what they left is ended by the next start."""
    double = fake({"else": {"children": True, "deaf": True}})
    run = spawn_solve(spawn, double)
    wait_until(lambda: double.read("asked.jsonl"), "a call")
    (guardian,) = [pid for pid in list_children(run.pid) if is_guardian(pid)]
    run.kill()
    os.kill(guardian, signal.SIGKILL)
    run.wait()
    wait_until(lambda: not is_alive(guardian), "an end of the guardian")
    assert double.alive()
    assert await anyio.to_thread.run_sync(reap_orphans) >= 4
    wait_until(lambda: not double.alive(), "an end of the orphans")


def list_children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def is_guardian(pid: int) -> bool:
    return b"guardian.py" in Path(f"/proc/{pid}/cmdline").read_bytes()


def spawn_solve(spawn, double: Fake, **plan):
    (double.folder / "task.md").write_text("Print twice the number.\n\nInput:\n2\n\nOutput:\n4\n")
    words = ["solve", "task.md", "-m", "vllm:org/fake", "--vllm-command", COMMAND, "--n", "4", "--out", "run"]
    return spawn(*words, "--sandbox", "unsafe", env={"FAKE_VLLM": str(double.folder)})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_command_that_is_ended(fake, spawn, number):
    """Ctrl-C, SIGTERM and kill -9 in the middle of calls: nothing of the server is left."""
    double = fake({"else": {"children": True, "call_s": 600.0}})
    run = spawn_solve(spawn, double)
    wait_until(lambda: double.read("asked.jsonl"), "a call")
    assert len(double.alive()) == 4
    run.send_signal(number)
    code = run.wait(timeout=180)
    assert code == (-9 if number == signal.SIGKILL else 130)
    wait_until(lambda: not double.alive(), "an end of the server")
