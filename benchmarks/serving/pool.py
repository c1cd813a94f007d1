"""What HTTP costs `sstar pool`: runs a second of its clients beside those of its sandbox, in one run.

    python -m benchmarks.serving.pool [--runs 4000] [--inputs 20] [--clients 4] [--sandbox local] [--rounds 5]
    python -m benchmarks.serving.pool --endurance 200000

Both have a sandbox of the same kind with as many workers; they take turns, and the ratio of each turn is
printed with their median. With `--endurance` the clients go on until so many runs are done, and memory of the
pool, processes and containers are printed every tenth of the way.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import anyio

from benchmarks.sandbox.endurance import read_kernel_mb
from benchmarks.sandbox.workload import TRIVIAL, make_inputs
from sstar_code.agent.pool.client import run_jobs
from sstar_code.sandbox import Limits, Program, make_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running(sandbox: str, workers: int) -> Iterator[tuple[str, int]]:
    """A pool in a process of its own: its address and process."""
    command = [sys.executable, "-m", "sstar_code", "pool", "--port", "0", "--sandbox", sandbox]
    process = subprocess.Popen(
        [*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.wait()


def make_jobs(runs: int, inputs: int, seed: int) -> list[tuple[str, list[str]]]:
    """Programs that differ, so that nothing is compiled once for several."""
    texts, _ = make_inputs(TRIVIAL, inputs, seed)
    return [(f"{TRIVIAL.code}# {seed} {n}\n", list(texts)) for n in range(runs // inputs)]


def time_clients(address: str, jobs: list[tuple[str, list[str]]], clients: int) -> float:
    """Seconds until `clients`, each in a thread of its own, have everything."""

    def use(client: int) -> None:
        mine = [{"code": code, "inputs": inputs} for code, inputs in jobs[client::clients]]
        results = anyio.run(run_jobs, address, mine)
        assert all(run["status"] == "OK" for result in results for run in result["executions"])

    begun_s = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(use, range(clients)))
    return time.perf_counter() - begun_s


async def time_sandbox(kind: str, workers: int, jobs: list[tuple[str, list[str]]]) -> float:
    """Seconds that the sandbox takes for the same."""
    async with make_sandbox(kind, workers=workers) as sandbox:
        await sandbox.run(Program("print(1)"), [""] * 4, Limits())
        places = iter(jobs)

        async def work() -> None:
            for code, inputs in places:
                runs = await sandbox.run(Program(code), inputs, Limits())
                assert all(run.status == "OK" for run in runs)

        begun_s = time.perf_counter()
        async with anyio.create_task_group() as group:
            for _ in range(2 * workers):
                group.start_soon(work)
        return time.perf_counter() - begun_s


def compare(options: argparse.Namespace) -> None:
    ratios = []
    with running(options.sandbox, options.workers) as (address, _):
        time_clients(address, make_jobs(100, options.inputs, 99), 1)
        for turn in range(options.rounds):
            jobs = make_jobs(options.runs, options.inputs, turn)
            through = time_clients(address, jobs, options.clients)
            own = anyio.run(time_sandbox, options.sandbox, options.workers, jobs)
            ratios.append(own / through)
            print(
                f"turn {turn}: sandbox {options.runs / own:.0f} runs/s, {options.clients} clients over HTTP "
                f"{options.runs / through:.0f}, ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(f"median ratio {median(ratios):.2f}")


def endure(options: argparse.Namespace) -> None:
    step = options.endurance // 10
    with running(options.sandbox, options.workers) as (address, pid):
        for turn in range(11):
            if turn:
                time_clients(address, make_jobs(step, options.inputs, turn), options.clients)
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            memory_mb = int(status["VmRSS"].split()[0]) / 1024
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            print(
                f"{turn * step} runs: {memory_mb:.1f} MB, {files} files, kernel {read_kernel_mb():.1f} MB",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--inputs", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--endurance", type=int, default=0)
    chosen = parser.parse_args()
    endure(chosen) if chosen.endurance else compare(chosen)
