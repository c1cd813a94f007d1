"""Calls are handed to nodes with room, and go elsewhere when a node is lost."""

from __future__ import annotations

import anyio
import pytest

from sstar_code.agent.cluster.node import NodeFacts, NodePool
from sstar_code.agent.cluster.ray_sandbox import RaySandbox, _Node
from sstar_code.sandbox import Execution, Limits, Program, SandboxError, Status

ray = pytest.importorskip("ray", reason="Ray is not installed")

PROGRAM, LIMITS = Program("print(1)"), Limits()


class Actor:
    """The handle of a pool far away: counts calls, holds them while `gate` is shut, is lost after some."""

    def __init__(self, lost_after=10**9, gate=None):
        self.run = self
        self.calls = 0
        self.most = self.now = 0
        self._lost_after = lost_after
        self._gate = gate

    async def remote(self, program, inputs, limits, *, stop_on_failure):
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self._gate is not None:
                await self._gate.wait()
            await anyio.lowlevel.checkpoint()
            if self.calls > self._lost_after:
                raise ray.exceptions.ActorDiedError
            return [Execution(Status.OK, stdout=text) for text in inputs]
        finally:
            self.now -= 1


def make(*actors, workers=2):
    said = []
    sandbox = RaySandbox("auto", say=said.append)
    for place, actor in enumerate(actors):
        sandbox._nodes.append(_Node(f"n{place}", actor, NodeFacts(f"host{place}", "fake", workers, "0")))
    return sandbox, said


async def run_many(sandbox, count):
    done = {}

    async def one(number):
        done[number] = await sandbox.run(PROGRAM, [str(number)], LIMITS)

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(one, number)
    return done


@pytest.mark.anyio
async def test_nodes_share_the_work_and_none_is_overfilled():
    """Every call is answered once with what it asked for; a node gets one more than it runs at once."""
    left, right = Actor(), Actor()
    sandbox, _ = make(left, right)
    done = await run_many(sandbox, 40)
    assert {number: runs[0].stdout for number, runs in done.items()} == {n: str(n) for n in range(40)}
    assert left.calls + right.calls == 40
    assert min(left.calls, right.calls) >= 10
    assert max(left.most, right.most) <= 3
    assert sandbox.workers == 4


@pytest.mark.anyio
async def test_calls_of_a_lost_node_are_made_elsewhere():
    """A node that dies takes no call along; it is told once and gets no more."""
    dying, sound = Actor(lost_after=3), Actor()
    sandbox, said = make(dying, sound)
    done = await run_many(sandbox, 40)
    assert all(runs[0].status is Status.OK for runs in done.values())
    assert len(done) == 40
    assert [line for line in said if "host0" in line] == said
    assert len(said) == 1
    assert sandbox.workers == 2


@pytest.mark.anyio
async def test_no_node_left_is_an_infrastructure_error():
    """Where the last node is lost, those who wait are told too."""
    sandbox, _ = make(Actor(lost_after=2))
    with pytest.raises(BaseExceptionGroup) as caught:
        await run_many(sandbox, 10)
    assert caught.group_contains(SandboxError, match="no node of the Ray cluster is left")


@pytest.mark.anyio
async def test_call_that_takes_nodes_along_is_given_up():
    """A call over which three nodes were lost is an error of the sandbox (IE), not the end of the run."""
    sandbox, _ = make(*(Actor(lost_after=0) for _ in range(4)))
    (run,) = await sandbox.run(PROGRAM, ["1"], LIMITS)
    assert run.status is Status.IE
    assert sandbox.workers == 2


@pytest.mark.anyio
async def test_withdrawn_call_loses_no_turn():
    """A caller that gives up while it waits leaves its turn to the next."""
    gate = anyio.Event()
    sandbox, _ = make(Actor(gate=gate), workers=1)
    async with anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(sandbox.run, PROGRAM, [str(number)], LIMITS)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01):
            await sandbox.run(PROGRAM, ["withdrawn"], LIMITS)
        group.start_soon(sandbox.run, PROGRAM, ["last"], LIMITS)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert not sandbox._waiting


@pytest.mark.anyio
async def test_node_tells_why_it_can_run_nothing():
    """A node without a sandbox says so in a line instead of failing."""
    pool = NodePool("local", 1, "runsc")
    facts = await pool.open()
    assert facts.problem is not None
    assert "needs the docker sandbox" in facts.problem
    await pool.close()


def test_missing_cluster_is_a_usage_error(sstar, write_set, isolated):
    """Where no cluster answers, the address is named."""
    ended = sstar("eval", write_set(), "-m", "replay:examples", "--ray", "127.0.0.1:1", *isolated)
    assert ended.code == 2
    assert "--ray 127.0.0.1:1: no cluster to join" in ended.err
