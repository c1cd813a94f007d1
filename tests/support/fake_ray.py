"""Stands in for Ray: a cluster whose nodes are objects in this process."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace


class RayError(Exception):
    """As `ray.exceptions.RayError`."""


class FakeCluster:
    """Nodes by id with their CPUs, the pool that each of them runs, and what was asked of them.

    Args:
        nodes: CPUs by id of the nodes that are alive.
        pools: makes the pool of a node from its id; it has the coroutines `open`, `run` and `close`.
    """

    def __init__(self, nodes=None, pools=None):
        self.nodes = dict(nodes or {})
        self.pools = pools
        self.joined = []
        self.left = 0
        self.started = []
        self.killed = []
        self.refusal = None

    def init(self, **options):
        """As `ray.init`."""
        self.joined.append(options)
        if self.refusal is not None:
            raise self.refusal

    def shutdown(self):
        """As `ray.shutdown`."""
        self.left += 1

    def list_nodes(self):
        """As `ray.nodes`."""
        return [
            {"NodeID": name, "Alive": True, "Resources": {"CPU": cpus}} for name, cpus in self.nodes.items()
        ]

    def remote(self, kind):
        """As `ray.remote` of a class."""
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=self._starter(kind, options)))

    def _starter(self, kind, options):
        def start(*arguments):
            strategy = options.pop("scheduling_strategy")
            self.started.append((kind, arguments, strategy, options))
            pool = self.pools(strategy.node_id)
            return SimpleNamespace(
                pool=pool,
                **{name: SimpleNamespace(remote=getattr(pool, name)) for name in ("open", "run", "close")},
            )

        return start

    def kill(self, actor):
        """As `ray.kill`."""
        self.killed.append(actor.pool)

    def modules(self):
        """What `sys.modules` has to hold."""
        ray, strategies = ModuleType("ray"), ModuleType("ray.util.scheduling_strategies")
        ray.exceptions = SimpleNamespace(RayError=RayError)
        ray.init, ray.shutdown, ray.nodes = self.init, self.shutdown, self.list_nodes
        ray.remote, ray.kill = self.remote, self.kill
        strategies.NodeAffinitySchedulingStrategy = lambda node_id, *, soft: SimpleNamespace(
            node_id=node_id, soft=soft
        )
        return {"ray": ray, "ray.util": ModuleType("ray.util"), strategies.__name__: strategies}
