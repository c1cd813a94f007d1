"""Finds and reaches the Docker engine, and turns its refusals into advice."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.problems.errors import shorten
from sstar_code.sandbox.outcome import SandboxError

if TYPE_CHECKING:
    from docker import APIClient

_SOCKET = "/var/run/docker.sock"
_WITHOUT = "or use `--sandbox local`"


def engine_address() -> str:
    """`DOCKER_HOST`, else the system engine's socket, else that of this user's rootless engine."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    if not Path(_SOCKET).exists() and rootless.exists():
        return f"unix://{rootless}"
    return f"unix://{_SOCKET}"


def connect_engine(timeout_s: int = 60) -> APIClient:
    """A client of the engine that has answered once; every later request may take `timeout_s`.

    Raises:
        SandboxError: no engine, no permission, or no answer; the text says what to do.
    """
    address = engine_address()
    check_socket(address, timeout_s)
    import docker.constants  # here: 0.2 s that commands without Docker must not pay
    import docker.errors
    import docker.utils
    from docker import APIClient

    options: dict[str, Any] = docker.utils.kwargs_from_env() | {"base_url": address, "timeout": timeout_s}
    try:
        # The SDK's own version="auto" would leave its connection open where the engine does not answer.
        asking = APIClient(**options, version=docker.constants.DEFAULT_DOCKER_API_VERSION)
        asking.trust_env = False  # else REQUESTS_CA_BUNDLE would replace the engine's own authority
        try:
            version = str(asking.version(api_version=False)["ApiVersion"])
        finally:
            asking.close()
        client = APIClient(**options, version=version)
    except (docker.errors.DockerException, OSError, KeyError) as error:
        raise SandboxError(explain(address, error, timeout_s)) from error
    client.trust_env = False
    return client


def check_socket(address: str, timeout_s: float) -> None:
    """Whether somebody listens at `address`; at once, and only asked of `unix://`.

    Tells a missing, a forbidden and a dead socket apart, which the SDK hides.

    Raises:
        SandboxError: which of these it is, and what to do.
    """
    if not address.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(timeout_s)
        try:
            probe.connect(address.removeprefix("unix://"))
        except OSError as error:
            raise SandboxError(explain(address, error, timeout_s)) from error


def explain(address: str, error: BaseException, timeout_s: float) -> str:
    """One line for what `error`, or what caused it, says about the engine."""
    text = str(error)
    if "paramiko" in text:
        return f"{address} needs the SDK's ssh support (`pip install 'docker[ssh]'`), {_WITHOUT}"
    if _caused_by(error, lambda cause: isinstance(cause, PermissionError)):
        return (
            f"no permission for the Docker engine at {address}: join its group "
            f"(`sudo usermod -aG docker $USER`, then log in again), {_WITHOUT}"
        )
    if _caused_by(error, lambda cause: isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__):
        return explain_silence(address, timeout_s)
    detail = (
        ""
        if isinstance(error, FileNotFoundError | ConnectionRefusedError)
        else f" ({shorten(str(_find_root(error)), 200)})"
    )
    advice = "is dockerd running? Start it (`sudo systemctl start docker`)"
    if not address.startswith("unix://"):
        advice = "is DOCKER_HOST right, and does dockerd run there? Start it"
    return f"no Docker engine answers at {address}{detail}: {advice}, {_WITHOUT}"


def explain_silence(address: str, timeout_s: float) -> str:
    """One line for an engine that takes a connection and then says nothing."""
    return (
        f"the Docker engine at {address} did not answer within {timeout_s:g} s: it is stuck or the machine "
        f"is busy; try again, restart it (`sudo systemctl restart docker`), {_WITHOUT}"
    )


def _find_root(error: BaseException) -> BaseException:
    """The error for which `error` was raised in the first place."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _caused_by(error: BaseException | None, accept: Callable[[BaseException], bool]) -> bool:
    """Whether `error` or anything it was raised from, or wraps as an argument, is accepted."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        if accept(cause):
            return True
        waiting += [cause.__cause__, cause.__context__]
        waiting += [part for part in cause.args if isinstance(part, BaseException)]
    return False
