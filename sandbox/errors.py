"""The sandbox's own failures. A candidate's failure is data: see `outcome.Execution`."""

from __future__ import annotations

from sstar_code.problems import InfrastructureError


class SandboxError(InfrastructureError):
    """The sandbox cannot be started, or broke; the message says what to do."""
