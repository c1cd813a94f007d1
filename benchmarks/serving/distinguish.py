"""Times `distinguish` of `sstar mcp` on 20 pairs: the reference and the wrong twin of each bundled example.

    python -m benchmarks.serving.distinguish [--sandbox local] [--workers 2] [--rounds 3]

The calls go through the client of the MCP SDK, one after the other. `cpu` is the CPU time of a call: of this
process and, with `--sandbox local`, of those that ran the programs. Unlike the seconds it says the same on a
busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median

import anyio
import mcp

from sstar_code.agent.tools.server import make_server
from sstar_code.problems import load_set
from sstar_code.sandbox.choose import make_sandbox


@dataclass(frozen=True)
class Timing:
    name: str
    seconds: float
    cpu_s: float
    tried: int
    differ: bool


_TICKS = os.sysconf("SC_CLK_TCK")


def read_cpu_s() -> float:
    """CPU seconds so far of this process and of all that it has started."""
    rows: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        rows[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    ours, found = {os.getpid()}, 1
    while found:
        more = {pid for pid, (parent, _) in rows.items() if parent in ours} - ours
        ours, found = ours | more, len(more)
    return sum(rows[pid][1] for pid in ours) / _TICKS


def read_pairs() -> Iterator[tuple[str, dict[str, object]]]:
    """Name and arguments of each call; the inputs are those of the public tests."""
    folder = resources.files("sstar_code.problems.bundled") / "examples"
    programs = {
        name: {
            row["task_id"]: row["solution"]
            for row in map(json.loads, (folder / f"{name}.jsonl").read_text("utf-8").splitlines())
        }
        for name in ("references", "twins")
    }
    for problem in load_set("examples").problems:
        given: dict[str, object] = {
            "first": programs["references"][problem.id],
            "second": programs["twins"][problem.id],
            "inputs": [test.input for test in problem.public_tests],
        }
        if problem.entry_point is not None:
            given["function"] = problem.entry_point
        yield problem.id, given


async def measure(sandbox: str, workers: int | None, rounds: int) -> list[Timing]:
    """The fastest of `rounds` calls for each pair: the rest is other work on the machine."""
    best: dict[str, Timing] = {}
    async with make_sandbox(sandbox, workers=workers) as opened, mcp.Client(make_server(opened)) as client:
        await client.call_tool("run_tests", {"programs": ["print(1)"], "inputs": [""]})
        for _ in range(rounds):
            for name, given in read_pairs():
                started_s, cpu_s = time.monotonic(), read_cpu_s()
                made = (await client.call_tool("distinguish", given)).structured_content
                assert made is not None, name
                seconds, cpu = time.monotonic() - started_s, read_cpu_s() - cpu_s
                if name not in best or seconds < best[name].seconds:
                    best[name] = Timing(name, seconds, cpu, made["tried"], made["differ"])
    return list(best.values())


def write_table(rows: list[Timing]) -> str:
    lines = ["| pair | differ | inputs tried | seconds | cpu |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.name} | {'yes' if row.differ else 'none found'} | {row.tried} | {row.seconds:.2f} | "
        f"{row.cpu_s:.2f} |"
        for row in rows
    ]
    seconds, cpus = [row.seconds for row in rows], [row.cpu_s for row in rows]
    lines += [
        f"\n{sum(row.differ for row in rows)} of {len(rows)} told apart",
        f"seconds: median {median(seconds):.2f}, most {max(seconds):.2f}",
        f"cpu: median {median(cpus):.2f}, most {max(cpus):.2f}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(write_table(anyio.run(measure, options.sandbox, options.workers, options.rounds)))


if __name__ == "__main__":
    main()
