"""A sandbox by name, and the reason for the choice where the name leaves it open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sstar_code.sandbox.outcome import Sandbox

__all__ = ["NAMES", "Choice", "choose", "make_sandbox"]

NAMES = ("auto", "docker", "local", "unsafe")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which sandbox `auto` stands for here."""

    name: str
    reason: str
    """One line for the user."""


def choose(name: str) -> Choice:
    """The sandbox that `name` stands for here; only `auto` looks around, for two seconds at most.

    Raises:
        UserError: no such name.
    """
    if name not in NAMES:
        raise UserError(f"unknown sandbox {name!r}: choose one of {', '.join(NAMES)}")
    if name != "auto":
        return Choice(name, f"sandbox {name}, as asked")
    from sstar_code.sandbox.docker.probe import probe_engine

    state = probe_engine()
    if state.reason is None:
        return Choice("docker", f"sandbox docker: engine {state.version} at {state.address}")
    if state.reachable:
        return Choice("local", f"sandbox local: Docker answers, but {state.reason}")
    return Choice("local", f"sandbox local: {state.reason}")


def make_sandbox(
    name: str,
    *,
    workers: int | None = None,
    runtime: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Sandbox:
    """The sandbox `name` (one of `NAMES`), not started yet.

    Args:
        name: `auto`: Docker where an engine answers and has the image, else local.
        workers: runs at once; None: the usable cores.
        runtime: an OCI runtime that Docker is to use, like `runsc`.
        say: is told the choice and its reason, one line.

    Raises:
        UserError: no such name, or a runtime without Docker.
    """
    choice = choose(name)
    if runtime is not None and choice.name != "docker":
        raise UserError(f"--runtime {runtime} needs the docker sandbox, not {choice.name} ({choice.reason})")
    if say is not None:
        say(choice.reason)
    if choice.name == "docker":
        from sstar_code.sandbox.docker.sandbox import DockerSandbox

        return DockerSandbox(workers, runtime=runtime)
    from sstar_code.sandbox.local.sandbox import LocalSandbox, UnsafeSandbox

    return LocalSandbox(workers) if choice.name == "local" else UnsafeSandbox(workers)
