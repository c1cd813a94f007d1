"""A sandbox that isolates nothing: each program in a plain process, for programs on standard input only.

It shows what a sandbox owes. One that isolates would start its container or virtual machine in `__aenter__`.
"""

from __future__ import annotations

import subprocess
import sys

import anyio

from sstar_code.sandbox import Execution, Failure, SandboxError


class PlainProcess:
    """Implements `sstar_code.sandbox.Sandbox`."""

    name = "plain-process"

    def __init__(self, workers):
        """Make it for `workers` programs at once; None leaves the number to us."""
        self.workers = workers or 1
        self._slots = anyio.CapacityLimiter(self.workers)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        """Nothing runs any more: `run` has waited for every process."""

    async def run(self, program, inputs, limits, *, stop_on_failure=False):
        """One record an input, in order; with `stop_on_failure` none behind the first that is not OK."""
        if program.mode != "main":
            raise SandboxError("plain-process runs programs on standard input only; use --sandbox local")
        records = []
        for text in inputs:
            records.append(await anyio.to_thread.run_sync(_run, program, text, limits, limiter=self._slots))
            if stop_on_failure and records[-1].status != "OK":
                break
        return records


def _run(program, text, limits):
    command = [sys.executable, "-I", "-c", f"{program.preamble}\n{program.code}"]
    try:
        ended = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=limits.wall_ceiling_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Execution("TLE", limit="wall")
    if ended.returncode:
        return Execution("RE", ended.stdout, ended.stderr, failure=Failure(f"exit status {ended.returncode}"))
    return Execution("OK", ended.stdout, ended.stderr)
