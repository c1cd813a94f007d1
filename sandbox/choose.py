"""Sandboxes by name: ours, and those that other packages bring.

An entry point is a callable that takes the number of programs to run at once (None: the usable cores) and
returns a sandbox (`outcome.Sandbox`), not started:

    [project.entry-points."sstar_code.sandboxes"]
    mine = "my_package:MySandbox"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sstar_code.problems import UserError
from sstar_code.problems.errors import suggest
from sstar_code.problems.plugins import Plugin, list_plugins
from sstar_code.sandbox.environment import Environment, check_packages, describe_interpreter
from sstar_code.sandbox.languages.table import PYTHON, find_language
from sstar_code.sandbox.outcome import Execution, Limits, Program, Sandbox, SandboxError


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

    @property
    def environment(self) -> Environment:
        """What it says that programs find; this interpreter without libraries where it does not say.

        Raises:
            SandboxError: it says something else.
        """
        with self._plugin.blamed(SandboxError):
            found = getattr(self._sandbox, "environment", None)
            if found is not None and not isinstance(found, Environment):
                raise TypeError(f"gives a {type(found).__name__} where an Environment is expected")
            return found or describe_interpreter()

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            SandboxError: it cannot be started.
        """
        with self._plugin.blamed(SandboxError):
            await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._plugin.blamed(SandboxError):
            await self._sandbox.__aexit__(kind, error, trace)

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
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


NAMES = ("auto", "docker", "local", "unsafe")
"""The sandboxes known here; installed packages may bring more (`plugin.list_sandbox_plugins`)."""


def check_name(name: str) -> None:
    """Promise that there is a sandbox of this name; nothing is started or imported.

    Raises:
        UserError: there is none; the message lists all.
    """
    if name not in NAMES and name not in (plugins := list_sandbox_plugins()):
        names = ", ".join([*NAMES, *plugins])
        raise UserError(f"unknown sandbox {name!r}{suggest(name, [*NAMES, *plugins])}: choose one of {names}")


@dataclass(frozen=True, slots=True)
class _Choice:
    """The sandbox that a name stands for here."""

    name: str
    reason: str
    """One line for the user."""


def _choose(name: str, packages: tuple[str, ...], *, cpp: bool) -> _Choice:
    """The sandbox that `name` stands for here; only `auto` looks around, for two seconds at most."""
    if name not in NAMES:
        return _Choice(name, f"sandbox {name} of {list_sandbox_plugins()[name].package}, as asked")
    if name != "auto":
        return _Choice(name, f"sandbox {name}, as asked")
    from sstar_code.sandbox.docker.probe import probe_engine

    state = probe_engine(packages=packages, cpp=cpp)
    if state.reason is None:
        return _Choice("docker", f"sandbox docker: engine {state.version} at {state.address}")
    if state.reachable:
        return _Choice("local", f"sandbox local: Docker answers, but {state.reason}")
    return _Choice("local", f"sandbox local: {state.reason}")


def make_sandbox(
    name: str,
    *,
    workers: int | None = None,
    runtime: str | None = None,
    packages: Sequence[str] = (),
    languages: Iterable[str] = (),
    say: Callable[[str], None] | None = None,
) -> Sandbox:
    """The sandbox `name` (one of `NAMES`, or an installed package's), not started yet.

    Args:
        name: `auto`: Docker where an engine answers and has the image, else local.
        workers: runs at once; None: the usable cores.
        runtime: an OCI runtime that Docker is to use, like `runsc`.
        packages: import names of libraries that programs find beside `environment.DEFAULT_LIBRARIES`.
        languages: what programs may be written in (`languages.table`); Python always.
        say: is told the choice and its reason, one line.

    Raises:
        UserError: no such name, a runtime without Docker, a library or a compiler that is not there, or a
            broken package.
    """
    check_name(name)
    packages = check_packages(packages)
    compiled = tuple(dict.fromkeys(find_language(name).name for name in languages if name != PYTHON))
    choice = _choose(name, packages, cpp=bool(compiled))
    if runtime is not None and choice.name != "docker":
        raise UserError(f"--runtime {runtime} needs the docker sandbox, not {choice.name} ({choice.reason})")
    if say is not None:
        say(choice.reason)
    if choice.name == "docker":
        from sstar_code.sandbox.docker.sandbox import DockerSandbox

        return DockerSandbox(workers, runtime=runtime, packages=packages, languages=compiled)
    if choice.name not in NAMES:
        if packages:
            raise UserError(f"--packages: sandbox {choice.name} of another package has libraries of its own")
        return PluginSandbox(list_sandbox_plugins()[choice.name], workers)
    from sstar_code.sandbox.local.sandbox import LocalSandbox, UnsafeSandbox

    if choice.name == "local":
        return LocalSandbox(workers, packages=packages, languages=compiled)
    return UnsafeSandbox(workers, packages=packages, languages=compiled)
