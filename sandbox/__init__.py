"""Runs untrusted programs on inputs and reports what happened; knows nothing of models or benchmarks."""

from sandbox.choose import make_sandbox
from sandbox.errors import SandboxError
from sandbox.outcome import (
    Execution,
    Failure,
    Limits,
    Mode,
    Program,
    Sandbox,
    Status,
    Verdict,
    execution_key,
)

__all__ = [
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
