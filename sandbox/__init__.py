"""Runs untrusted programs on inputs and reports what happened; knows nothing of models or benchmarks."""

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
