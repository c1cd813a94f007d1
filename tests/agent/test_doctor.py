"""What `sstar doctor` finds, where things are missing."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import anyio
import pytest

from sstar_code.agent import doctor
from sstar_code.agent.cluster.node import NodeFacts
from sstar_code.agent.doctor import Check, State, check_endpoint, check_machine, check_nodes, check_sandboxes
from sstar_code.agent.jobs.choices import Endpoint
from sstar_code.sandbox import Execution, SandboxError, Status
from sstar_code.sandbox.docker.probe import EngineState
from sstar_code.sandbox.environment import Environment
from tests.support.fake_ray import FakeCluster

pytestmark = pytest.mark.anyio


class Opened:
    """A sandbox that gives one answer, or an error."""

    name = "local"

    def __init__(self, answer, deep, environment):
        self._answer = answer
        self._deep = deep
        self.environment = environment

    async def __aenter__(self):
        await anyio.lowlevel.checkpoint()
        return self

    async def __aexit__(self, *_):
        await anyio.lowlevel.checkpoint()

    async def run(self, program, inputs, limits):
        await anyio.lowlevel.checkpoint()
        assert (inputs, limits.cpu_s) == ([""], 5.0)
        if isinstance(self._answer, Exception):
            raise self._answer
        if "lru_cache" in program.code:
            return [self._deep]
        assert program.code == "print(6 * 7)"
        return [self._answer]


GOOD = Execution(Status.OK, stdout="42\n", wall_s=0.25)
FULL = Environment("3.11", ("numpy", "sortedcontainers"))


@pytest.fixture
def machine(monkeypatch):
    """Engine state and what programs answer -> the findings about sandboxes."""

    def make(engine, answer, auto=None, deep=GOOD, environment=FULL):
        def choose(name, *, workers, say, packages):
            assert (workers, packages) == (1, ())
            if isinstance(auto, Exception) and name == "docker":
                raise auto
            say("no engine answers")
            return Opened(answer, deep, environment)

        monkeypatch.setattr("sstar_code.sandbox.docker.probe.probe_engine", lambda *, packages: engine)
        monkeypatch.setattr("sstar_code.sandbox.choose.make_sandbox", choose)
        return check_sandboxes()

    return make


async def test_all_is_well_without_an_engine(machine):
    """An engine that is missing is a note; the sandbox taken is told with the reason."""
    assert await machine(EngineState("unix", reason="no engine at unix"), GOOD) == [
        Check("docker engine", State.NOTE, "no engine at unix"),
        Check("local isolation", State.OK, "ran a program in 250 ms"),
        Check("local isolation: programs find", State.OK, "Python 3.11, numpy, sortedcontainers"),
        Check("--sandbox auto", State.OK, "takes local, as Docker is not ready here"),
    ]


async def test_what_right_programs_would_miss_is_told(machine):
    """A library with the command that installs it; recursion that this Python itself ends."""
    crash = Execution(Status.RE)
    found = await machine(EngineState("unix"), GOOD, deep=crash, environment=Environment("3.12", ("numpy",)))
    library, recursion = found[2:4]
    told = "Python 3.12, numpy; sortedcontainers missing: pip install sortedcontainers"
    assert library == Check("local isolation: programs find", State.NOTE, told)
    assert (recursion.name, recursion.state) == ("local isolation: recursion", State.NOTE)
    assert recursion.detail.startswith("Python 3.12 itself ends deep recursion through functools.lru_cache")
    bare = await machine(EngineState("unix"), GOOD, environment=Environment("3.11", ()))
    assert bare[2].detail.startswith("Python 3.11, no libraries; numpy, sortedcontainers missing:")


async def test_an_engine_is_told_with_its_image(machine):
    """An image that is missing is a note with what to do."""
    found = await machine(EngineState("unix", version="27", image="sstar:1"), GOOD)
    assert found[:2] == [
        Check("docker engine", State.OK, "27 at unix"),
        Check("docker image", State.OK, "sstar:1"),
    ]
    found = await machine(EngineState("unix", version="27", reason="no image"), GOOD)
    assert found[1] == Check("docker image", State.NOTE, "no image")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (SandboxError("no namespaces"), "no namespaces"),
        (Execution(Status.RE), "a test program ended with RE: None"),
        (Execution(Status.OK, stdout="41\n"), "a test program ended with OK: None"),
    ],
)
async def test_no_isolation_is_a_failure_of_auto_alone(machine, answer, why):
    """Something else may do; where nothing does the command fails."""
    assert (await machine(EngineState("unix"), answer))[1:] == [
        Check("local isolation", State.NOTE, why),
        Check("--sandbox auto", State.FAIL, why),
    ]


async def test_nothing_that_auto_could_take(machine):
    """Its reason is the finding."""
    found = await machine(EngineState("unix"), GOOD, auto=SandboxError("nothing isolates"))
    assert found[-1] == Check("--sandbox auto", State.FAIL, "nothing isolates")


@pytest.mark.parametrize(
    ("free", "state", "words"),
    [
        (2 * 2**30, State.OK, "2.0 GiB free here"),
        (2 * 2**30 - 1, State.NOTE, "2.0 GiB free here; run folders grow"),
    ],
)
def test_a_disk_that_is_nearly_full_is_noted(monkeypatch, free, state, words):
    """Below 2 GiB."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = {check.name: check for check in check_machine()}
    assert found["disk"] == Check("disk", state, words)
    assert found["python"].state is found["cores"].state is found["memory"].state is State.OK


async def test_an_endpoint_that_is_down_fails_only_where_it_is_wanted(monkeypatch):
    """Without a model named it is a note."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    for model, state in ((None, State.NOTE), ("m", State.FAIL)):
        key, found = await check_endpoint(Endpoint(model, base_urls=("http://127.0.0.1:1/v1",)))
        assert (key.state, key.detail) == (State.OK, "set")
        assert (found.name, found.state) == ("endpoint", state)


async def test_recorded_calls_need_no_endpoint(monkeypatch):
    """They are told as what they are."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert await check_endpoint(Endpoint("replay:examples")) == [
        Check("OPENAI_API_KEY", State.OK, "not set (a local server needs none)"),
        Check("model", State.OK, "replay:examples: recorded calls, no endpoint needed"),
    ]


class Pool:
    """A pool on a node that gives one answer."""

    def __init__(self, host, answer, problem=None):
        from importlib.metadata import version

        self.facts = NodeFacts(host, "docker", 4, version("sstar-code"), problem)
        self.run, self.close = self._run, anyio.lowlevel.checkpoint
        self._answer = answer

    async def open(self):
        await anyio.lowlevel.checkpoint()
        return self.facts

    async def _run(self, *_, **__):
        await anyio.lowlevel.checkpoint()
        return [self._answer]


@pytest.fixture
def join(monkeypatch):
    """Pools -> the findings about the cluster of their nodes."""

    def make(*pools):
        cluster = FakeCluster(
            {f"n{place}": 4 for place in range(len(pools))}, lambda name: pools[int(name[1:])]
        )
        for name, module in cluster.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        return check_nodes("auto")

    return make


async def test_every_node_is_tried(join):
    """A node that runs the program wrong fails, and so does one that is left out."""
    found = await join(
        Pool("a", GOOD),
        Pool("b", Execution(Status.OK, stdout="43\n")),
        Pool("c", Execution(Status.TLE)),
        Pool("d", GOOD, "no engine"),
    )
    assert found == [
        Check("ray node a", State.OK, "4 programs at once, docker; ran a program in 250 ms"),
        Check("ray node b", State.FAIL, "4 programs at once, docker; a test program ended with OK"),
        Check("ray node c", State.FAIL, "4 programs at once, docker; a test program ended with TLE"),
        Check("ray node", State.FAIL, "node d is left out: no engine"),
    ]


async def test_a_cluster_without_a_node_fails(join):
    """With what each node said."""
    assert await join(Pool("d", GOOD, "no engine")) == [
        Check("ray node", State.FAIL, "node d is left out: no engine"),
        Check("ray", State.FAIL, "--ray auto: no node of the cluster can run programs"),
    ]


@pytest.mark.parametrize("state", [State.OK, State.NOTE, State.FAIL])
def test_the_command_tells_everything_in_a_table(monkeypatch, sstar, state):
    """A failure decides the exit code; brackets in a detail are no markup."""

    async def find(*_, **__):
        await anyio.lowlevel.checkpoint()
        return [Check("thing", state, "[red]it[/]")]

    for name in ("check_sandboxes", "check_cpp", "check_endpoint", "check_nodes"):
        monkeypatch.setattr(doctor, name, find)
    monkeypatch.setattr(doctor, "check_machine", lambda: [Check("python", State.OK, "3")])
    ended = sstar("doctor", "--ray", "auto")
    assert ended.code == (state is State.FAIL)
    rows = [line.split() for line in ended.out.splitlines()]
    assert rows == [["ok", "python", "3"], *[[state.value, "thing", "[red]it[/]"]] * 4]
