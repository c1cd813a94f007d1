"""What runs on a node of a Ray cluster: a sandbox of its own. It sees programs and inputs, never a model."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems import SstarError

if TYPE_CHECKING:
    from sstar_code.sandbox import Environment, Execution, Limits, Program, Sandbox


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node says of itself."""

    host: str
    sandbox: str
    """Which one, and why."""
    workers: int
    version: str
    """Version of sstar on the node."""
    problem: str | None = None
    """Why it can run nothing; None where it can."""
    environment: Environment | None = None
    """What programs find there; None where it can run nothing."""


class NodePool:
    """A sandbox on the node where this is made; the methods are called from afar.

    Args:
        name: of the sandbox, as `sandbox.choose.make_sandbox` takes it.
        workers: programs that run at once here.
        runtime: for Docker.
        packages: libraries that programs find beside the usual ones.
    """

    def __init__(self, name: str, workers: int, runtime: str | None, packages: tuple[str, ...] = ()) -> None:
        self._choice = (name, workers, runtime)
        self._packages = packages
        self._stack = AsyncExitStack()
        self._sandbox: Sandbox | None = None

    async def open(self) -> NodeFacts:
        """Start the sandbox; what keeps it from starting is told, not raised."""
        from importlib.metadata import version

        from sstar_code.sandbox.choose import make_sandbox

        name, workers, runtime = self._choice
        said: list[str] = []
        problem = environment = None
        try:
            sandbox = make_sandbox(
                name, workers=workers, runtime=runtime, packages=self._packages, say=said.append
            )
            self._sandbox = await self._stack.enter_async_context(sandbox)
            environment = self._sandbox.environment
        except SstarError as error:
            problem = str(error)
        return NodeFacts(
            platform.node(), "; ".join(said), workers, version("sstar-code"), problem, environment
        )

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool
    ) -> list[Execution]:
        """As `Sandbox.run`.

        Raises:
            SandboxError: the sandbox here is broken.
        """
        assert self._sandbox is not None, "open comes first"
        return await self._sandbox.run(program, inputs, limits, stop_on_failure=stop_on_failure)

    async def close(self) -> None:
        """Stop every program here."""
        await self._stack.aclose()
