"""Runs programs under plain `python3` and in the sandboxes: the same output and exit status, or a reason.

    python -m benchmarks.sandbox.differential [FOLDER] [--idioms N] [--recorded N] [--sandbox NAME ...]
        [--seed N] [--out FILE]

The programs are those of `idioms.py` and, where FOLDER has them, recorded ones of people and models. Plain
Python is the interpreter that runs this, with standard input and output redirected from and to files. Where a
program differs without a reason the exit status is 1; --out lists every difference.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from benchmarks.sandbox.idioms import make_programs
from benchmarks.tables import write_table
from sstar_code.problems import Kind
from sstar_code.sandbox import Execution, Limits, Program, Status, make_sandbox
from sstar_code.sandbox.workers.protocol import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CPU_S = 3
_WALL_S = 120.0
_LIMITS = Limits(cpu_s=_CPU_S, wall_s=_WALL_S, memory_mb=1024)
_OVER = "over its time"
_REFUSED = re.compile(
    r"\b(subprocess|multiprocessing|os\.(system|popen|fork|exec\w*|nice)|import socket|urllib|requests)\b"
)

_RANDOM = re.compile(
    r"^(?!from|import).*\b(random\.\w+|randint|choice|shuffle|sample|uniform)\(", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Case:
    """A program and its input."""

    origin: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """What is compared: exit status (negative: a signal) and standard output."""

    status: int | str
    output: str


def read_recorded(folder: Path, count: int) -> Iterator[Case]:
    """Up to `count` recorded programs: those that read standard input, and functions with assertions."""
    from benchmarks.recorded.agreement import SETS

    share = -(-count // len(SETS))
    for name, read in SETS.items():
        seen: set[str] = set()
        for case in _thin(list(read(folder)), 3 * share):
            test = next(iter(case.tests), None)
            if len(seen) == share or test is None or case.code in seen:
                continue
            seen.add(case.code)
            code = f"{case.problem.preamble}\n{case.code}" if case.problem.preamble else case.code
            if test.program is not None:
                yield Case(name, f"{code}\n{test.program}\n", "")
            elif case.problem.kind is Kind.STDIN:
                yield Case(name, code, test.input)
            else:
                yield Case(name, f"{code}\nprint('defined')\n", test.input)


def _thin(items: list, count: int) -> Iterator:
    step = max(1, len(items) // max(1, count))
    return islice(items, 0, None, step)


def _limit_cpu() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))


def run_plain(case: Case) -> End:
    """The end of `python3 program.py < input > output` in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "solution.py").write_text(case.code, "utf-8")
        (folder / "input").write_bytes(case.text.encode("utf-8", "surrogatepass"))
        environment = ENVIRONMENT | {"PATH": os.environ["PATH"]}
        with (folder / "input").open() as source, (folder / "output").open("wb") as sink:
            try:
                done = subprocess.run(
                    [sys.executable, "solution.py"], stdin=source, stdout=sink, stderr=subprocess.DEVNULL,
                    cwd=folder, env=environment, timeout=_WALL_S, check=False,
                    preexec_fn=_limit_cpu,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return End(_OVER, "")
        if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return End(_OVER, "")
        return End(done.returncode, (folder / "output").read_bytes().decode("utf-8", "backslashreplace"))


def read_end(run: Execution) -> End:
    """The end of a run in a sandbox, in the same words."""
    kind = run.failure.type if run.failure else ""
    if run.status is Status.TLE:
        return End(_OVER, "")
    if run.status is Status.OK:
        return End(0, run.stdout)
    if run.status not in (Status.RE, Status.CE) and kind != "MemoryError":
        return End(run.status.value, run.stdout)
    if kind.startswith("exit status "):
        return End(int(kind.rpartition(" ")[2]), run.stdout)
    return End(-int(signal.Signals[kind]) if kind.startswith("SIG") else 1, run.stdout)


def find_reason(case: Case, plain: End, ours: End) -> str | None:
    """Why the two may differ; None: for no reason that is known."""
    if run_plain(case) != plain:
        return "plain python3 does not do the same twice"
    if _REFUSED.search(case.code):
        return "starts processes or uses the network, which the sandbox refuses"
    if _OVER in (ours.status, plain.status):
        return "over the time limit in one of the two"
    if _RANDOM.search(case.code):
        return "random numbers without a seed: the sandbox has a fixed one"
    return None


async def run_inside(cases: Sequence[Case], name: str) -> list[End]:
    """The ends of all cases in the sandbox `name`."""
    ends: list[End | None] = [None] * len(cases)
    async with make_sandbox(name) as sandbox:
        queue = iter(enumerate(cases))

        async def work() -> None:
            for place, case in queue:
                (run,) = await sandbox.run(Program(case.code), [case.text], _LIMITS)
                ends[place] = read_end(run)

        async with anyio.create_task_group() as group:
            for _ in range(2 * sandbox.workers):
                group.start_soon(work)
    return [end for end in ends if end is not None]


def compare(
    cases: Sequence[Case], sandboxes: Sequence[str]
) -> tuple[list[list[object]], list[dict[str, object]]]:
    """A row for each sandbox (programs, same, different with a reason, without), and the differences."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        plains = list(pool.map(run_plain, cases))
    (rows, differences) = ([], [])
    for name in sandboxes:
        reasons: Counter[str | None] = Counter()
        for case, plain, ours in zip(cases, plains, anyio.run(run_inside, cases, name), strict=True):
            if plain != ours:
                reason = find_reason(case, plain, ours)
                reasons[reason] += 1
                differences.append({
                    "sandbox": name, "origin": case.origin, "reason": reason,
                    "plain": [plain.status, plain.output], "ours": [ours.status, ours.output],
                    "code": case.code, "input": case.text,
                })  # fmt: skip
        without = reasons.pop(None, 0)
        told = reasons.total()
        rows.append([name, len(cases), len(cases) - told - without, told, without])
        for reason, count in reasons.most_common():
            rows.append([f"- {reason}", "", "", count, ""])
    return rows, differences


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--idioms", type=int, default=1000)
    parser.add_argument("--recorded", type=int, default=1200)
    parser.add_argument("--sandbox", action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cases = [Case("idioms", code, text) for code, text in make_programs(options.idioms, options.seed)]
    if options.folder is not None:
        cases += read_recorded(options.folder, options.recorded)
    print(f"{len(cases)} programs: {dict(Counter(case.origin for case in cases))}", file=sys.stderr)
    (rows, differences) = compare(cases, options.sandbox or ["docker", "local"])
    heads = ["sandbox", "programs", "same", "different with a reason", "different without"]
    print(write_table(heads, rows))
    if options.out is not None:
        options.out.write_text(json.dumps(differences, indent=1))
    return 1 if any(row[4] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
