"""A sandbox by name, and the reason for the choice where the name leaves it open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems import UserError
from sstar_code.problems.messages import suggest
from sstar_code.sandbox.plugin import PluginSandbox, list_sandbox_plugins

if TYPE_CHECKING:
    from sstar_code.sandbox.outcome import Sandbox

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


def _choose(name: str) -> _Choice:
    """The sandbox that `name` stands for here; only `auto` looks around, for two seconds at most."""
    if name not in NAMES:
        return _Choice(name, f"sandbox {name} of {list_sandbox_plugins()[name].package}, as asked")
    if name != "auto":
        return _Choice(name, f"sandbox {name}, as asked")
    from sstar_code.sandbox.docker.probe import probe_engine

    state = probe_engine()
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
    say: Callable[[str], None] | None = None,
) -> Sandbox:
    """The sandbox `name` (one of `NAMES`, or an installed package's), not started yet.

    Args:
        name: `auto`: Docker where an engine answers and has the image, else local.
        workers: runs at once; None: the usable cores.
        runtime: an OCI runtime that Docker is to use, like `runsc`.
        say: is told the choice and its reason, one line.

    Raises:
        UserError: no such name, a runtime without Docker, or a broken package.
    """
    check_name(name)
    choice = _choose(name)
    if runtime is not None and choice.name != "docker":
        raise UserError(f"--runtime {runtime} needs the docker sandbox, not {choice.name} ({choice.reason})")
    if say is not None:
        say(choice.reason)
    if choice.name == "docker":
        from sstar_code.sandbox.docker.sandbox import DockerSandbox

        return DockerSandbox(workers, runtime=runtime)
    if choice.name not in NAMES:
        return PluginSandbox(list_sandbox_plugins()[choice.name], workers)
    from sstar_code.sandbox.local.sandbox import LocalSandbox, UnsafeSandbox

    return LocalSandbox(workers) if choice.name == "local" else UnsafeSandbox(workers)
