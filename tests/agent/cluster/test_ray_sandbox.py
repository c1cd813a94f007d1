"""Nodes are taken in and left out, calls go to nodes with room, and elsewhere when a node is lost."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from importlib.metadata import version
from pathlib import Path

import anyio
import pytest

from sstar_code.agent.cluster import ray_sandbox
from sstar_code.agent.cluster.node import NodeFacts, NodePool
from sstar_code.agent.cluster.ray_sandbox import RaySandbox, _Node, connect, list_nodes, quiet_stdout
from sstar_code.problems import UserError
from sstar_code.sandbox import Execution, Limits, Program, SandboxError, Status
from tests.support.fake_ray import FakeCluster, RayError

PROGRAM, LIMITS = Program("print(1)"), Limits()


class Pool:
    """A pool far away: counts calls, holds them while `gate` is shut, is lost after some."""

    def __init__(self, *, lost_after=10**9, gate=None, error=None, **facts):
        self.calls = 0
        self.most = self.now = 0
        self.closed = 0
        told = {"host": "host", "sandbox": "local", "workers": 2, "version": version("sstar-code"), **facts}
        self.facts = NodeFacts(**told)
        self._error = error
        self._lost_after = lost_after
        self._gate = gate

    async def open(self):
        await anyio.lowlevel.checkpoint()
        if self._error is not None:
            raise self._error
        return self.facts

    async def close(self):
        await anyio.lowlevel.checkpoint()
        self.closed += 1
        if self._lost_after == 0:
            raise RayError("gone")

    async def run(self, program, inputs, limits, *, stop_on_failure):
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self._gate is not None:
                await self._gate.wait()
            await anyio.lowlevel.checkpoint()
            if self.calls > self._lost_after:
                raise RayError("the node died\nlong ago")
            kept = inputs[:1] if stop_on_failure else inputs
            return [Execution(Status.OK, stdout=f"{program.code} {limits.cpu_s} {text}") for text in kept]
        finally:
            self.now -= 1


@pytest.fixture
def join(monkeypatch):
    """Pools (each with a node of its own, n0, n1, ... of 4 CPUs) -> the cluster that Ray then shows."""

    def make(*pools, cpus=4):
        cluster = FakeCluster(
            {f"n{place}": cpus for place in range(len(pools))}, lambda name: pools[int(name[1:])]
        )
        for name, module in cluster.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        return cluster

    return make


@pytest.fixture
def make(join):
    """Pools -> a sandbox over them that is open already, and what it says."""

    def make(*pools):
        cluster = join(*pools)
        said = []
        sandbox = RaySandbox("auto", say=said.append)
        for place, pool in enumerate(pools):
            actor = cluster.remote(NodePool).options(scheduling_strategy=NodeOf(f"n{place}")).remote()
            sandbox._nodes.append(_Node(f"n{place}", actor, pool.facts))
        return sandbox, said

    return make


class NodeOf:
    def __init__(self, node_id):
        self.node_id = node_id


async def run_many(sandbox, count):
    done = {}

    async def one(number):
        done[number] = await sandbox.run(PROGRAM, [str(number)], LIMITS)

    async with anyio.create_task_group() as group:
        for number in range(count):
            group.start_soon(one, number)
    return done


@pytest.mark.anyio
async def test_nodes_share_the_work_and_none_is_overfilled(make):
    """Every call is answered once with what it asked for; a node gets one more than it runs at once."""
    left, right = Pool(), Pool()
    sandbox, _ = make(left, right)
    done = await run_many(sandbox, 40)
    assert {n: runs[0].stdout for n, runs in done.items()} == {
        n: f"print(1) {LIMITS.cpu_s} {n}" for n in range(40)
    }
    assert left.calls + right.calls == 40
    assert min(left.calls, right.calls) >= 10
    assert (left.most, right.most) == (3, 3)
    assert sandbox.workers == 4
    assert all(node.in_flight == 0 for node in sandbox._nodes)


@pytest.mark.anyio
async def test_the_node_with_the_most_room_for_its_size_is_next(make):
    """A node of eight gets six calls while one of two gets three, the third of which waits there."""
    gate = anyio.Event()
    large, small = Pool(gate=gate, workers=8), Pool(gate=gate)
    sandbox, _ = make(large, small)
    async with anyio.create_task_group() as group:
        for number in range(9):
            group.start_soon(sandbox.run, PROGRAM, [str(number)], LIMITS)
        await anyio.wait_all_tasks_blocked()
        assert (large.now, small.now) == (6, 3)
        gate.set()


@pytest.mark.anyio
async def test_calls_of_a_lost_node_are_made_elsewhere(make):
    """A node that dies takes no call along; it is told once and gets no more."""
    dying, sound = Pool(lost_after=3, host="dying"), Pool()
    sandbox, said = make(dying, sound)
    done = await run_many(sandbox, 40)
    assert all(runs[0].status is Status.OK for runs in done.values())
    assert len(done) == 40
    assert said == ["sstar: lost node dying (the node died); its programs run elsewhere"]
    assert sandbox.workers == 2
    assert sandbox.facts == [sound.facts]


@pytest.mark.anyio
async def test_no_node_left_is_an_infrastructure_error(make):
    """Where the last node is lost, those who wait are told too."""
    sandbox, _ = make(Pool(lost_after=2))
    with pytest.raises(BaseExceptionGroup) as caught:
        await run_many(sandbox, 10)
    assert caught.group_contains(
        SandboxError, match="no node of the Ray cluster is left; run the same command"
    )
    assert sandbox.workers == 1


@pytest.mark.anyio
@pytest.mark.parametrize(("stops", "count"), [(True, 1), (False, 2)])
async def test_call_that_takes_nodes_along_is_given_up(make, stops, count):
    """A call over which three nodes were lost is an error of the sandbox (IE), not the end of the run."""
    sandbox, said = make(*(Pool(lost_after=0) for _ in range(4)))
    runs = await sandbox.run(PROGRAM, ["1", "2"], LIMITS, stop_on_failure=stops)
    assert [run.status for run in runs] == [Status.IE] * count
    assert runs[0].failure.message == "3 nodes were lost while they ran this"
    assert sandbox.workers == 2
    assert len(said) == 3


@pytest.mark.anyio
async def test_node_stops_at_a_failure_if_told_so(make):
    """Without it every input is run."""
    sandbox, _ = make(Pool())
    assert len(await sandbox.run(PROGRAM, ["1", "2"], LIMITS)) == 2
    assert len(await sandbox.run(PROGRAM, ["1", "2"], LIMITS, stop_on_failure=True)) == 1


@pytest.mark.anyio
async def test_withdrawn_call_loses_no_turn(make):
    """A caller that gives up while it waits leaves its turn to the next."""
    gate = anyio.Event()
    sandbox, _ = make(Pool(gate=gate, workers=1))
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
async def test_turn_of_a_call_that_is_withdrawn_at_once_is_the_next_ones(make):
    """A caller that is withdrawn when its turn has come passes the turn on."""
    sandbox, _ = make(Pool(workers=1))
    (node,) = sandbox._nodes
    node.in_flight = 2
    done = []

    async def take(scope):
        with scope:
            done.append(await sandbox._take())

    first, second = anyio.CancelScope(), anyio.CancelScope()
    with anyio.fail_after(180):
        async with anyio.create_task_group() as group:
            group.start_soon(take, first)
            group.start_soon(take, second)
            await anyio.wait_all_tasks_blocked()
            node.in_flight = 1
            first.cancel()
            sandbox._wake(1)
    assert done == [node]


@pytest.mark.anyio
async def test_program_is_run_on_each_node(make):
    """In the order of the nodes, on all inputs; a node that is lost over it is named."""
    sound, dying = Pool(host="sound"), Pool(lost_after=1, host="dying")
    sandbox, _ = make(sound, dying)
    (left, runs), (right, _) = await sandbox.run_on_each(PROGRAM, ["1", "2"], LIMITS)
    assert (left.host, right.host, len(runs)) == ("sound", "dying", 2)
    with pytest.raises(SandboxError, match=r"^node dying was lost: the node died"):
        await sandbox.run_on_each(PROGRAM, ["1"], LIMITS)


@pytest.mark.anyio
async def test_nodes_are_started_and_stopped(join):
    """Every node gets a pool pinned to it, with calls to spare; in the end all are closed and left."""
    pools = [Pool(host="a", workers=3), Pool(host="b", workers=3, lost_after=0)]
    cluster = join(*pools)
    said = []
    async with RaySandbox("auto", "docker", workers=3, runtime="runsc", say=said.append) as sandbox:
        assert (sandbox.name, sandbox.workers) == ("ray", 6)
        assert [facts.host for facts in sandbox.facts] == ["a", "b"]
    assert [(kind, arguments, options) for kind, arguments, _, options in cluster.started] == [
        (NodePool, ("docker", 3, "runsc", ()), {"num_cpus": 3, "max_concurrency": 6})
    ] * 2
    assert [(at.node_id, at.soft) for _, _, at, _ in cluster.started] == [("n0", False), ("n1", False)]
    assert said == ["sstar: node a: 3 at once, local", "sstar: node b: 3 at once, local"]
    assert [pool.closed for pool in pools] == [1, 1]
    assert cluster.killed == pools[:1]  # the other went with its node
    assert cluster.left == 1


@pytest.mark.anyio
@pytest.mark.parametrize(("workers", "asked", "cpus"), [(None, 4, 4), (9, 9, 4), (1, 1, 1)])
async def test_a_node_runs_as_many_programs_as_it_has_cpus(join, workers, asked, cpus):
    """Unless told otherwise; of Ray no more CPUs are asked than there are."""
    cluster = join(Pool())
    async with RaySandbox("auto", workers=workers):
        pass
    ((_, arguments, _, options),) = cluster.started
    assert arguments == ("auto", asked, None, ())
    assert options == {"num_cpus": cpus, "max_concurrency": asked + 3}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (Pool(problem="no engine"), "node host is left out: no engine"),
        (Pool(version="0.0"), f"node host is left out: has sstar 0.0, here is {version('sstar-code')}"),
        (Pool(error=RayError("lost\nall")), "node n0 is left out: lost"),
        (Pool(error=RayError()), "node n0 is left out: RayError"),
        (Pool(error=RayError("x" * 120)), "node n0 is left out: " + "x" * 120),
        (Pool(error=RayError("x" * 121)), "node n0 is left out: " + "x" * 119 + "…"),
    ],
)
async def test_node_that_cannot_run_programs_is_left_out(join, pool, why):
    """Why is told in one line; where no other node is there, the cluster is left again."""
    cluster = join(pool)
    said = []
    with pytest.raises(SandboxError, match=r"^--ray auto: no node of the cluster can run programs$"):
        async with RaySandbox("auto", say=said.append):
            pass
    assert said == [f"sstar: {why}"]
    assert cluster.killed == [pool]
    assert cluster.left == 1


@pytest.mark.anyio
async def test_node_that_does_not_start_in_time_is_left_out(join, monkeypatch):
    """Ray may wait forever for CPUs that others hold."""
    pool, said = Pool(), []
    pool.open = anyio.sleep_forever
    join(pool)
    monkeypatch.setattr(ray_sandbox, "_OPEN_TIMEOUT_S", 0.02)
    with pytest.raises(SandboxError):
        async with RaySandbox("auto", say=said.append):
            pass
    assert said == ["sstar: node n0 is left out: did not start in 0 s: are its CPUs taken?"]


@pytest.mark.anyio
async def test_nodes_that_join_later_are_taken_in(join, monkeypatch):
    """A node that fails to start is tried three times, one that runs is left as it is."""
    pools = [Pool(host="a"), Pool(host="b"), Pool(problem="broken")]
    cluster = join(*pools)
    del cluster.nodes["n1"]
    monkeypatch.setattr(ray_sandbox, "_LOOK_EVERY_S", 0.001)
    async with RaySandbox("auto") as sandbox:
        assert sandbox.workers == 2
        cluster.nodes["n1"] = 4
        with anyio.fail_after(180):
            while sandbox.workers < 4 or sandbox._refusals["n2"] < 3:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.001)
        await anyio.sleep(0.02)
    assert sorted(at.node_id for _, _, at, _ in cluster.started) == ["n0", "n1", "n2", "n2", "n2"]


@pytest.mark.anyio
async def test_node_tells_why_it_can_run_nothing():
    """A node without a sandbox says so in a line instead of failing."""
    pool = NodePool("local", 1, "runsc")
    facts = await pool.open()
    assert facts.problem is not None
    assert "needs the docker sandbox" in facts.problem
    await pool.close()


@pytest.mark.anyio
async def test_node_runs_programs_in_its_own_sandbox(isolated):
    """It tells which sandbox that is; the programs of it end with the pool."""
    pool = NodePool("local", 2, None)
    facts = await pool.open()
    assert (facts.workers, facts.version, facts.problem) == (2, version("sstar-code"), None)
    assert facts.sandbox
    runs = await pool.run(Program("print(1 / int(input()))"), ["0", "1"], LIMITS, stop_on_failure=True)
    assert [run.status for run in runs] == [Status.RE]
    (run,) = await pool.run(Program("print(7)"), [""], LIMITS, stop_on_failure=False)
    assert run.stdout == "7\n"
    await pool.close()


def test_a_cluster_is_joined_quietly(join):
    """Ray writes nothing of its own; `auto` and an address of another kind are left to it."""
    cluster = join()
    connect("auto")
    connect("ray://127.0.0.1:1")
    assert cluster.joined == [
        {"address": address, "log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        for address in ("auto", "ray://127.0.0.1:1")
    ]


def test_an_address_is_tried_before_ray_waits_for_it(join):
    """Ray would look for a minute whether anything listens."""
    cluster = join()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        connect(address)
    assert [options["address"] for options in cluster.joined] == [address]
    with pytest.raises(
        UserError, match=f"^--ray {address}: no cluster to join \\(Connection refused\\); `ray start"
    ):
        connect(address)
    assert len(cluster.joined) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [(ConnectionError("no\nanswer"), "no"), (RuntimeError(), "RuntimeError"), (ValueError(" odd "), "odd")],
)
def test_what_ray_says_is_told_in_a_line(join, error, words):
    """With what to do."""
    cluster = join()
    cluster.refusal = error
    with pytest.raises(UserError) as caught:
        connect("auto")
    assert str(caught.value) == f"--ray auto: no cluster to join ({words}); `ray start --head` makes one"


def test_without_ray_the_option_says_what_to_install(monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"^--ray needs Ray: pip install 'ray>=2\.40'$"):
        connect("auto")


def test_nodes_with_a_cpu_are_used(join, monkeypatch):
    """A node that is dead, or has no whole CPU, is none to run programs."""
    cluster = join()
    rows = [("a", True, {"CPU": 2.0}), ("b", False, {"CPU": 2.0}), ("c", True, {"CPU": 0.5}), ("d", True, {})]
    rows.append(("e", True, {"CPU": 1}))
    nodes = [{"NodeID": name, "Alive": alive, "Resources": has} for name, alive, has in rows]
    monkeypatch.setattr(sys.modules["ray"], "nodes", lambda: nodes)
    assert list_nodes() == {"a": 2, "e": 1}
    assert cluster.left == 0


def test_nothing_that_ray_prints_reaches_stdout(capfd, monkeypatch):
    """Results go there; afterwards it is as it was, and no file is left open."""
    files = Path("/proc/self/fd")
    with open(1, "w", encoding="utf-8", closefd=False) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        before = len(list(files.iterdir()))
        stdout.write("before ")
        with contextlib.suppress(ValueError), quiet_stdout():
            stdout.write("inside ")
            os.write(1, b"inside too ")
            raise ValueError
        stdout.write("after")
        assert len(list(files.iterdir())) == before
    assert capfd.readouterr().out == "before after"


def test_missing_cluster_is_a_usage_error(join, sstar, write_set, isolated):
    """Where no cluster answers, the address is named."""
    join()
    ended = sstar("eval", write_set(), "-m", "replay:examples", "--ray", "127.0.0.1:1", *isolated)
    assert ended.code == 2
    assert "--ray 127.0.0.1:1: no cluster to join" in ended.err
