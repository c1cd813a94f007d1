"""What works on each node of a Ray cluster."""

from __future__ import annotations

from sstar_code.agent.doctor.machine import Check, State
from sstar_code.problems import SstarError


async def check_nodes(address: str) -> list[Check]:
    """Run a program for real on every node of the cluster at `address`: a finding a node."""
    from sstar_code.agent.cluster.ray_sandbox import RaySandbox
    from sstar_code.sandbox import Limits, Program, Status

    said: list[str] = []
    try:
        async with RaySandbox(address, say=said.append) as cluster:
            tried = await cluster.run_on_each(Program("print(6 * 7)"), [""], Limits(cpu_s=5.0))
    except SstarError as error:
        return [*_left_out(said), Check("ray", State.FAIL, str(error))]
    checks = []
    for facts, (run,) in tried:
        works = run.status is Status.OK and run.stdout == "42\n"
        how = (
            f"ran a program in {1000 * run.wall_s:.0f} ms"
            if works
            else f"a test program ended with {run.status}"
        )
        detail = f"{facts.workers} programs at once, {facts.sandbox}; {how}"
        checks.append(Check(f"ray node {facts.host}", State.OK if works else State.FAIL, detail))
    return [*checks, *_left_out(said)]


def _left_out(said: list[str]) -> list[Check]:
    """Nodes that can run nothing."""
    return [
        Check("ray node", State.FAIL, line.removeprefix("sstar: ")) for line in said if "is left out" in line
    ]
