"""Programs on the nodes of a Ray cluster: joining it, and a sandbox that spreads batches over its nodes."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import to_thread

from sstar_code.agent.cluster.node import NodeFacts, NodePool
from sstar_code.problems import UserError
from sstar_code.sandbox import Environment, SandboxError
from sstar_code.sandbox.workers.classify import lost

if TYPE_CHECKING:
    from sstar_code.sandbox import Execution, Limits, Program

_PROBE_TIMEOUT_S = 5.0


def connect(address: str) -> None:
    """Join the cluster at `address`, as `ray.init` takes it.

    Raises:
        UserError: Ray is not installed, or no cluster answers there.
    """
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs Ray: pip install 'ray>=2.40'") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    _probe(address)
    try:  # in a thread of its own: on the main thread it would take over SIGTERM
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"--ray {address}: no cluster to join ({first}); `ray start --head` makes one"
        ) from error


def _probe(address: str) -> None:
    """Ray itself looks for a minute whether anything listens."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), _PROBE_TIMEOUT_S).close()
    except OSError as error:
        raise UserError(
            f"--ray {address}: no cluster to join ({error.strerror or error}); `ray start --head` makes one"
        ) from error


def list_nodes() -> dict[str, int]:
    """Number of CPUs by id of every node that is alive and has any."""
    import ray

    return {
        node["NodeID"]: int(node["Resources"]["CPU"])
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    }


def disconnect() -> None:
    """Leave the cluster; what this process has there ends."""
    import ray

    ray.shutdown()


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Nothing written inside reaches stdout, where results go: Ray prints a dying node's log there."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


_AHEAD = 1
"""Calls that a node holds beyond those it runs, so that none of its cores waits for us."""
_MOST_CHARS = 120
_TRIES = 3
"""Nodes that may be lost over one call before it is taken for the cause."""
_LOOK_EVERY_S = 5.0
_OPEN_TIMEOUT_S = 120.0
_CLOSE_TIMEOUT_S = 10.0
_REFUSALS = 3
"""Failed starts after which a node is left alone."""


@dataclass(slots=True, eq=False)
class _Node:
    """A node that runs programs."""

    id: str
    actor: Any
    facts: NodeFacts
    in_flight: int = 0

    @property
    def free(self) -> int:
        return self.facts.workers + _AHEAD - self.in_flight


class RaySandbox:
    """Implements `sandbox.Sandbox` over a cluster.

    A call whose node is lost goes to another one. Nodes that join while this is open are taken in.

    Args:
        address: of the cluster, as `ray.init` takes it: `auto`, `HOST:PORT`.
        sandbox: which sandbox the nodes use, as `sandbox.choose.make_sandbox` takes it.
        workers: programs at once on each node; None: as many as Ray counts CPUs there.
        runtime: for Docker.
        packages: libraries that programs find beside the usual ones; every node has to have them.
        say: is told of every node that comes, cannot be used, or goes.
    """

    def __init__(
        self,
        address: str,
        sandbox: str = "auto",
        *,
        workers: int | None = None,
        runtime: str | None = None,
        packages: tuple[str, ...] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = "ray"
        self._address = address
        self._choice = (sandbox, workers, runtime)
        self._packages = packages
        self._say = say
        self._nodes: list[_Node] = []
        self._refusals: dict[str, int] = {}
        self._waiting: deque[anyio.Event] = deque()
        self._group = anyio.create_task_group()
        self._joined = ExitStack()

    @property
    def workers(self) -> int:
        """Programs that run at once on all nodes together."""
        return max(1, sum(node.facts.workers for node in self._nodes))

    @property
    def environment(self) -> Environment:
        """What programs find on every node: the oldest Python, and the libraries that all of them have.

        Raises:
            SandboxError: no node is left.
        """
        found = [node.facts.environment for node in self._nodes if node.facts.environment is not None]
        if not found:
            raise SandboxError("no node of the Ray cluster can say what programs find there")
        oldest = min(found, key=lambda one: [int(part) for part in one.python.split(".")])
        everywhere = set.intersection(*(set(one.libraries) for one in found))
        return Environment(oldest.python, tuple(sorted(everywhere)))

    @property
    def facts(self) -> list[NodeFacts]:
        """What the nodes in use say of themselves."""
        return [node.facts for node in self._nodes]

    async def __aenter__(self) -> Self:
        """Connect, and start a sandbox on every node.

        Raises:
            UserError: Ray is not installed, or no cluster answers there.
            SandboxError: no node can run programs.
        """
        with ExitStack() as undo:
            undo.enter_context(quiet_stdout())
            await to_thread.run_sync(connect, self._address)
            undo.callback(disconnect)
            await self._look()
            if not self._nodes:
                raise SandboxError(f"--ray {self._address}: no node of the cluster can run programs")
            self._joined = undo.pop_all()
        await self._group.__aenter__()
        self._group.start_soon(self._keep_looking)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every program on every node, and leave the cluster."""
        self._group.cancel_scope.cancel()
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(_CLOSE_TIMEOUT_S):
                    async with anyio.create_task_group() as group:
                        for node in self._nodes:
                            group.start_soon(_close, node.actor)
                await to_thread.run_sync(self._joined.close)

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """As `Sandbox.run`.

        Raises:
            SandboxError: no node is left.
        """
        import ray

        for _ in range(_TRIES):
            node = await self._take()
            try:
                return await _ask(node.actor, program, inputs, limits, stop=stop_on_failure)
            except ray.exceptions.RayError as error:
                self._drop(node, error)
            finally:
                node.in_flight -= 1
                self._wake(1)
        return [lost(f"{_TRIES} nodes were lost while they ran this")] * (
            1 if stop_on_failure else len(inputs)
        )

    async def run_on_each(
        self, program: Program, inputs: Sequence[str], limits: Limits
    ) -> list[tuple[NodeFacts, list[Execution]]]:
        """What `program` does on every node.

        Raises:
            SandboxError: a node was lost over it.
        """
        import ray

        results: list[tuple[NodeFacts, list[Execution]]] = []
        for node in list(self._nodes):
            try:
                runs = await _ask(node.actor, program, inputs, limits, stop=False)
            except ray.exceptions.RayError as error:
                raise SandboxError(f"node {node.facts.host} was lost: {error}") from error
            results.append((node.facts, runs))
        return results

    async def _take(self) -> _Node:
        """The node with the most room, once there is one with any."""
        while True:
            if not self._nodes:
                raise SandboxError("no node of the Ray cluster is left; run the same command again")
            node = max(self._nodes, key=lambda one: one.free / one.facts.workers)
            if node.free > 0:
                node.in_flight += 1
                return node
            turn = anyio.Event()
            self._waiting.append(turn)
            try:
                await turn.wait()
            except BaseException:  # withdrawn: a turn that it had got already is the next one's
                if turn.is_set():
                    self._wake(1)
                else:
                    self._waiting.remove(turn)
                raise

    def _wake(self, count: int) -> None:
        for _ in range(min(count, len(self._waiting))):
            self._waiting.popleft().set()

    def _drop(self, node: _Node, error: Exception) -> None:
        if node in self._nodes:
            self._nodes.remove(node)
            self._say(
                f"sstar: lost node {node.facts.host} ({_first_line(error)}); its programs run elsewhere"
            )
            self._wake(len(self._waiting))

    async def _keep_looking(self) -> None:
        while True:
            await anyio.sleep(_LOOK_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        """Start a sandbox on every node that has none."""
        known = {node.id for node in self._nodes}
        alive = await to_thread.run_sync(list_nodes)
        async with anyio.create_task_group() as group:
            for node_id, cpus in alive.items():
                if node_id not in known and self._refusals.get(node_id, 0) < _REFUSALS:
                    group.start_soon(self._open, node_id, cpus)

    async def _open(self, node_id: str, cpus: int) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        sandbox, workers, runtime = self._choice
        workers = workers or cpus
        actor = (
            ray.remote(NodePool)
            .options(
                num_cpus=min(workers, cpus),
                max_concurrency=workers + _AHEAD + 2,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
            )
            .remote(sandbox, workers, runtime, self._packages)
        )
        problem: str | None = f"did not start in {_OPEN_TIMEOUT_S:.0f} s: are its CPUs taken?"
        facts: NodeFacts | None = None
        try:
            with anyio.move_on_after(_OPEN_TIMEOUT_S):
                facts = await actor.open.remote()
                problem = facts.problem or _find_mismatch(facts)
        except ray.exceptions.RayError as error:
            problem = _first_line(error)
        if problem is None and facts is not None:
            self._nodes.append(_Node(node_id, actor, facts))
            self._say(f"sstar: node {facts.host}: {facts.workers} at once, {facts.sandbox}")
            self._wake(facts.workers + _AHEAD)
        else:
            self._refusals[node_id] = self._refusals.get(node_id, 0) + 1
            self._say(f"sstar: node {facts.host if facts else node_id} is left out: {problem}")
            ray.kill(actor)


async def _ask(
    actor: Any, program: Program, inputs: Sequence[str], limits: Limits, *, stop: bool
) -> list[Execution]:
    executions: list[Execution] = await actor.run.remote(program, list(inputs), limits, stop_on_failure=stop)
    return executions


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= _MOST_CHARS else line[: _MOST_CHARS - 1] + "…"


def _find_mismatch(facts: NodeFacts) -> str | None:
    from importlib.metadata import version

    here = version("sstar-code")
    return None if facts.version == here else f"has sstar {facts.version}, here is {here}"


async def _close(actor: Any) -> None:
    import ray

    try:
        await actor.close.remote()
    except ray.exceptions.RayError:
        return  # it went with its node
    ray.kill(actor)
