"""Runs untrusted programs on inputs and reports what happened; knows nothing of models or benchmarks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.sandbox.choose import make_sandbox
    from sstar_code.sandbox.environment import Environment
    from sstar_code.sandbox.outcome import (
        Execution,
        Failure,
        Limits,
        Mode,
        Program,
        Sandbox,
        SandboxError,
        Status,
        Verdict,
        execution_key,
    )

_HOMES = {
    "choose": ("make_sandbox",),
    "environment": ("Environment",),
    "outcome": (
        "Execution",
        "Failure",
        "Limits",
        "Mode",
        "Program",
        "Sandbox",
        "SandboxError",
        "Status",
        "Verdict",
        "execution_key",
    ),
}
"""Submodule -> its names, which are loaded when they are first used: a command starts with what it needs."""

__all__ = [
    "Environment",
    "Execution",
    "Failure",
    "Limits",
    "Mode",
    "Program",
    "Sandbox",
    "SandboxError",
    "Status",
    "Verdict",
    "execution_key",
    "make_sandbox",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
