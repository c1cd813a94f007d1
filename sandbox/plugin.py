"""Sandboxes of other packages: entry points of the group `sstar_code.sandboxes`.

An entry point is a callable that takes the number of programs to run at once (None: the usable cores) and
returns a sandbox (`outcome.Sandbox`), not started:

    [project.entry-points."sstar_code.sandboxes"]
    mine = "my_package:MySandbox"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.sandbox.errors import SandboxError
from sstar_code.sandbox.outcome import Execution, Limits, Program, Sandbox


def list_sandbox_plugins() -> Mapping[str, Plugin]:
    """The sandboxes that installed packages bring."""
    return list_plugins("sandbox", "sstar_code.sandboxes")


class PluginSandbox:
    """A sandbox of another package; what goes wrong in it is told as that package's fault."""

    def __init__(self, plugin: Plugin, workers: int | None = None) -> None:
        """Make the sandbox for `workers` programs at once.

        Raises:
            UserError: the package is broken.
        """
        self.name = plugin.name
        self._plugin = plugin
        make = plugin.load()
        with plugin.blamed():
            self._sandbox: Sandbox = make(workers)
            self.workers = int(self._sandbox.workers)
            if self.workers < 1:
                raise ValueError(f"it has {self.workers} workers")

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            SandboxError: it cannot be started.
        """
        with self._plugin.blamed(SandboxError):
            await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._plugin.blamed(SandboxError):
            await self._sandbox.__aexit__(kind, error, trace)

    async def run(
        self,
        program: Program,
        inputs: Sequence[str],
        limits: Limits,
        *,
        stop_on_failure: bool = False,
    ) -> list[Execution]:
        """As `Sandbox.run`.

        Raises:
            SandboxError: it fails, or gives something else than the promised records.
        """
        with self._plugin.blamed(SandboxError):
            runs = list(await self._sandbox.run(program, inputs, limits, stop_on_failure=stop_on_failure))
            for run in runs:
                if not isinstance(run, Execution):
                    raise TypeError(f"gives a {type(run).__name__} where an Execution is expected")
            enough = 1 <= len(runs) <= len(inputs) if stop_on_failure and inputs else len(runs) == len(inputs)
            if not enough:
                raise ValueError(f"gives {len(runs)} records for {len(inputs)} inputs")
        return runs
