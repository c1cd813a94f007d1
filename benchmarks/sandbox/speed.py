"""Runs per second and CPU time per run: the sandbox beside what else one would use, interleaved in one run.

    python -m benchmarks.sandbox.speed [--seconds 1] [--rounds 5] [--out FOLDER] [--evalplus PYTHON]
        [--no-grade]

Every round measures every way once for each program and number of workers, one after another, so that what
else this machine does falls on all of them; figures are medians over the rounds. Ratios within one run are
what counts, not single rates. CPU time holds the client, its children, containers and the engine's daemons.
The peer is a plain child process of the interpreter that runs the programs inside the sandbox.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.charts import draw_bars
from benchmarks.sandbox import ways as methods
from benchmarks.sandbox.cputime import Meter
from benchmarks.sandbox.grading import compare_grading
from benchmarks.sandbox.workload import CONTEST, TRIVIAL, Work
from benchmarks.tables import write_table
from sstar_code.sandbox.docker.container import describe_owner
from sstar_code.sandbox.docker.engine import connect_engine
from sstar_code.sandbox.docker.probe import probe_engine
from sstar_code.sandbox.docker.sandbox import DockerSandbox
from sstar_code.sandbox.image.build import image_tag
from sstar_code.sandbox.local.pipe_worker import find_interpreter, list_ways
from sstar_code.sandbox.local.sandbox import LocalSandbox
from sstar_code.sandbox.outcome import Limits, Program

if TYPE_CHECKING:
    from sstar_code.sandbox.workers.pool import PooledSandbox

_SYSTEM = "/usr/bin/python3"
_PLAIN = "plain `python -I`"
_WORKERS = (1, 2)
_COLUMNS = ("2 workers", "x plain", "CPU ms", "x plain")


@dataclass(slots=True)
class Cell:
    """What was measured of one way, program and number of workers: one figure a round."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def summary(self, plain: Cell) -> dict[str, float]:
        faster = [rate / other for rate, other in zip(self.rates, plain.rates, strict=True)]
        cheaper = [other / cpu_ms for cpu_ms, other in zip(self.cpu_ms, plain.cpu_ms, strict=True)]
        return {
            "runs_per_s": round(statistics.median(self.rates), 1),
            "cpu_ms": round(statistics.median(self.cpu_ms), 3),
            "cpu_ms_least": round(min(self.cpu_ms), 3),
            "x_plain": round(statistics.median(faster), 2),
            "x_plain_cpu": round(statistics.median(cheaper), 2),
        }


def _version(python: str) -> str:
    try:
        asked = [python, "-c", "import platform; print(platform.python_version())"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def choose_interpreter() -> str:
    """The system's interpreter where it can run the local sandbox, as it does in the image; else our own."""
    numbers = [int(part) for part in _version(_SYSTEM).split(".")[:2] if part.isdigit()]
    return os.path.realpath(_SYSTEM) if numbers >= [3, 9] else find_interpreter()


async def _list_modules(sandbox: PooledSandbox) -> dict[str, list[str]]:
    """Standard modules that a run of each program finds loaded before its own first line."""
    found = {}
    for work in (TRIVIAL, CONTEST):
        code = "print('\\n'.join(sorted(sys.modules)))\n"
        imports = "".join(
            line + "\n" for line in work.code.splitlines() if line.startswith(("import", "from"))
        )
        (run,) = await sandbox.run(Program(f"{imports}\nimport sys\n{code}"), [""], Limits())
        names = [name for name in run.stdout.split() if not name.startswith(("sstar_code", "__main__"))]
        found[work.name] = [name for name in names if name != "solution"]
    return found


async def _open_all(
    stack: AsyncExitStack, python: str, evalplus: str | None, say: Any
) -> tuple[list[methods.Method], Any]:
    """Every way that works here, with each number of workers."""
    ways: list[methods.Method] = []
    state = probe_engine(timeout_s=10)
    client = connect_engine() if state.reason is None else None
    if client is None:
        say(f"no Docker in this table: {state.reason}")
    modules: dict[str, list[str]] = {}
    for workers in _WORKERS:
        sandboxes: dict[str, PooledSandbox] = {"local": LocalSandbox(workers, ways=list_ways(python=python))}
        if client is not None:
            sandboxes["docker"] = DockerSandbox(workers)
        for name, sandbox in sandboxes.items():
            await stack.enter_async_context(sandbox)
            say(f"ours, {name}: Python {sandbox.features['python']}, {workers} worker(s)")
            modules = modules or await _list_modules(sandbox)
            ways += [methods.Ours(f"**ours**, {name}", sandbox, inputs) for inputs in (20, 1)]
        ways.append(methods.Plain(python, workers))
        ways.append(methods.Floor(python, workers, modules))
        if client is not None:
            ways.append(methods.DockerExec(client, image_tag(), workers))
            ways.append(methods.DockerRun(client, image_tag(), workers))
        if evalplus is not None:
            ways += [methods.Evalplus(evalplus, workers, inputs) for inputs in (20, 1)]
    for way in ways:
        stack.callback(way.close)
    return ways, client


async def _measure(way: methods.Method, work: Work, seconds: float, client: Any) -> tuple[float, float]:
    """Runs per second, and CPU milliseconds per run."""
    in_docker = "docker" in way.name
    containers: list[str] = getattr(way, "containers", [])
    if in_docker and isinstance(way, methods.Ours):
        labels = [f"{key}={value}" for key, value in describe_owner().to_labels().items()]
        containers = [found["Id"] for found in client.containers(filters={"label": labels})]
    meter = Meter(client if in_docker else None, containers)
    meter.start()
    started_s = time.monotonic()
    runs = await way.measure(work, seconds)
    elapsed_s = time.monotonic() - started_s
    return runs / elapsed_s, meter.stop_s() / runs * 1000


async def _measure_all(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    python = choose_interpreter()
    cells: dict[tuple[str, str, int], Cell] = {}
    async with AsyncExitStack() as stack:
        (ways, client) = await _open_all(stack, python, options.evalplus, say)
        for number in range(options.rounds + 1):  # the first is a warm-up
            say(f"round {number} of {options.rounds}")
            seconds = options.seconds if number else min(0.2, options.seconds)
            for work in (TRIVIAL, CONTEST):
                for way in ways:
                    if not way.can(work):
                        continue
                    (rate, cpu_ms) = await _measure(way, work, seconds, client)
                    cell = cells.setdefault((way.name, work.name, way.workers), Cell())
                    if number:
                        cell.rates.append(rate)
                        cell.cpu_ms.append(cpu_ms)
    return {
        "python": {"path": python, "version": _version(python)},
        "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, {platform.machine()}",
        "seconds": options.seconds,
        "rounds": options.rounds,
        "rows": [
            {
                "way": way,
                "program": program,
                "workers": workers,
                **cell.summary(cells[_PLAIN, program, workers]),
            }
            for (way, program, workers), cell in cells.items()
        ],
    }


def make_table(found: dict[str, Any]) -> str:
    """Markdown: a row a way; the ratios are to the plain child process, at two workers."""
    by_key = {(row["way"], row["program"], row["workers"]): row for row in found["rows"]}
    ways = list(dict.fromkeys(row["way"] for row in found["rows"]))
    rows = []
    for way in ways:
        cells = [way]
        for work in (TRIVIAL, CONTEST):
            (one, two) = (by_key.get((way, work.name, workers)) for workers in _WORKERS)
            if one is None or two is None:
                cells += [""] * 5
                continue
            cells += [f"{one['runs_per_s']:.1f}", f"{two['runs_per_s']:.1f}", f"{two['x_plain']:.2f}"]
            cells += [f"{two['cpu_ms']:.2f}", f"{two['x_plain_cpu']:.2f}"]
        rows.append(cells)
    return write_table(["way", "trivial, 1 worker", *_COLUMNS, "contest, 1 worker", *_COLUMNS], rows)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each window")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder for sandbox.md, sandbox.json and sandbox.svg")
    parser.add_argument(
        "--evalplus", default=methods.find_evalplus(), help="an interpreter that has evalplus"
    )
    parser.add_argument("--no-grade", action="store_true", help="leave the whole command out")
    return parser.parse_args()


def main() -> None:
    options = _parse()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    found = anyio.run(_measure_all, options, say)
    table = make_table(found)
    if not options.no_grade:
        found["grade"] = compare_grading(choose_interpreter(), options.rounds, say)
        table += "\n\n" + found["grade"]["text"]
    python = found["python"]
    header = f"Python {python['version']} ({python['path']}) inside and as peer; {found['machine']}; "
    header += f"medians of {options.rounds} rounds of {options.seconds:g} s. Runs per second."
    print(f"{header}\n\n{table}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "sandbox.md").write_text(f"{header}\n\n{table}\n", "utf-8")
        (options.out / "sandbox.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        (options.out / "sandbox.svg").write_text(draw_bars(found["rows"], header), "utf-8")


if __name__ == "__main__":
    main()
