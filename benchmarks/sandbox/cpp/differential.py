"""C++ programs with known verdicts under plain g++ and in the sandboxes: the same, or a reason.

    python -m benchmarks.sandbox.cpp.differential [--count 200] [--seed 0] [--sandbox local] [--out FILE]

Each program of `contest.py` is compiled by `g++` with the flags that models are told (and the precompiled
header, which saves time and no more) and runs as a child process on every input, its limits set by
`setrlimit`; then in the sandbox. Compared are verdict, signal or exit status, and output, with each other and
with what is known of the program. A program that differs is listed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from benchmarks.sandbox.cpp.contest import make_cases
from sstar_code.problems import Kind
from sstar_code.problems.checkers import accepts
from sstar_code.sandbox import Limits, Program, Sandbox, Status, make_sandbox
from sstar_code.sandbox.languages.host import prepare_tools
from sstar_code.sandbox.languages.table import find_language

if TYPE_CHECKING:
    from benchmarks.sandbox.cpp.known import Case

CPU_S = 2
WALL_S = 6.0
_PLAIN_WALL_S = 90.0
"""A child process has no one who tells sleep from a busy machine."""
_OUTPUT_KB = 1024
_STACK_MB = 512


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a program on one input."""

    verdict: str
    failure: str = ""
    """A signal or an exit status; empty where it is about limits."""
    output: str = ""
    """What it printed, where it ended well."""


def judge(right: str, outcome: Outcome) -> Outcome:
    """`outcome` with `AC` or `WA` where the program ended well."""
    if outcome.verdict != Status.OK:
        return outcome
    verdict = "AC" if accepts("exact", Kind.STDIN, right, outcome.output) else "WA"
    return Outcome(verdict, output=outcome.output)


def run_plainly(case: Case, folder: Path, headers: Path) -> list[Outcome]:
    """What becomes of `case` under plain `g++`; `headers` has precompiled ones by language."""
    source, binary = folder / "solution.cpp", folder / "solution"
    source.write_text(case.code, "utf-8")
    header = ("-w", "-fmax-errors=5", "-fno-diagnostics-show-caret", f"-I{headers / case.language}")
    command = ["g++", *find_language(case.language).flags, *header, str(source), "-o", str(binary)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return [Outcome("CE")] * len(case.tests)
    return [judge(right, _run_once(case, folder, text)) for text, right in case.tests]


def _run_once(case: Case, folder: Path, text: str) -> Outcome:
    (folder / "in").write_bytes(text.encode())
    with (
        (folder / "in").open("rb") as given,
        (folder / "out").open("wb") as out,
        (folder / "err").open("wb") as err,
    ):
        process = subprocess.Popen(
            [folder / "solution"],
            stdin=given,
            stdout=out,
            stderr=err,
            preexec_fn=partial(_limit, case.memory_mb),  # noqa: PLW1509 - it sets limits and no more
        )
        over = threading.Timer(_PLAIN_WALL_S, process.kill)
        over.start()
        (_, status, usage) = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        was_over = over.finished.is_set()
        over.cancel()
    return _name_end(case, process.returncode, usage, was_over=was_over, folder=folder)


def _limit(memory_mb: int) -> None:
    space = (2 * memory_mb + 256) << 20
    for kind, value in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, _OUTPUT_KB << 10),
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_STACK, _STACK_MB << 20),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = value + 1 if kind == resource.RLIMIT_CPU else value
        resource.setrlimit(kind, (value, hard))


def _name_end(case: Case, code: int, usage: Any, *, was_over: bool, folder: Path) -> Outcome:
    said = (folder / "err").read_bytes()
    if code in (-signal.SIGXCPU, -signal.SIGKILL) or was_over:
        return Outcome("TLE")
    if (
        code == -signal.SIGXFSZ
        or max((folder / name).stat().st_size for name in ("out", "err")) >= _OUTPUT_KB << 10
    ):
        return Outcome("OLE")
    if usage.ru_maxrss >> 10 > case.memory_mb or (code and b"bad_alloc" in said):
        return Outcome("MLE")
    if code:
        return Outcome("RE", signal.Signals(-code).name if code < 0 else f"exit status {code}")
    return Outcome("OK", output=(folder / "out").read_bytes().decode("utf-8", "backslashreplace"))


async def run_in(sandbox: Sandbox, case: Case) -> list[Outcome]:
    """What becomes of `case` in `sandbox`."""
    limits = Limits(cpu_s=CPU_S, wall_s=WALL_S, memory_mb=case.memory_mb, output_kb=_OUTPUT_KB)
    program = Program(case.code, language=case.language)
    runs = await sandbox.run(program, [text for text, _ in case.tests], limits)
    found = []
    for (_, right), run in zip(case.tests, runs, strict=True):
        failure = run.failure.type if run.status is Status.RE and run.failure else ""
        found.append(
            judge(right, Outcome(run.status.value, failure, run.stdout if run.status is Status.OK else ""))
        )
    return found


def find_faults(case: Case, ours: list[Outcome], plain: list[Outcome]) -> list[str]:
    """Where the two differ, and where they are not what is known of the program."""
    faults = [
        f"input {place}: ours {mine}, plain {other}"
        for place, (mine, other) in enumerate(zip(ours, plain, strict=True))
        if mine != other
    ]
    verdicts = [outcome.verdict for outcome in ours]
    known = {
        "right": verdicts == ["AC"] * len(verdicts),
        "wrong": set(verdicts) <= {"AC", "WA"} and "WA" in verdicts,
    }
    if not known.get(case.kind, set(verdicts) == {case.kind}):
        faults.append(f"known to be {case.kind}, found {verdicts}")
    if case.failure and any(outcome.failure != case.failure for outcome in ours):
        faults.append(f"known to end by {case.failure}, found {[outcome.failure for outcome in ours]}")
    return faults


async def main(options: argparse.Namespace) -> int:
    """Run all, tell of each that differs, print a table; 1 where a program differs."""
    cases = list(make_cases(options.count, options.seed))[options.skip :]
    headers = prepare_tools().folder
    plain: dict[int, list[Outcome]] = {}
    faulty: list[dict[str, Any]] = []
    for name in options.sandbox:
        done: Counter[str] = Counter()
        runs = 0
        async with make_sandbox(name, workers=options.workers, languages=["cpp"]) as sandbox:
            limiter = anyio.CapacityLimiter(options.workers)

            async def one(place: int, name: str = name, sandbox: Sandbox = sandbox) -> None:
                nonlocal runs
                case = cases[place]
                async with limiter:  # noqa: B023 - the group ends in this turn
                    if place not in plain:
                        plain[place] = await to_thread.run_sync(_run_in_folder, case, headers)
                    ours = await run_in(sandbox, case)
                faults = find_faults(case, ours, plain[place])
                runs += len(ours)
                done[case.kind] += 1  # noqa: B023 - as above
                if faults:
                    row = {"sandbox": name, "name": case.name, "faults": faults, "code": case.code}
                    faulty.append(row)
                    print(f"  {name}: {case.name}: {'; '.join(faults)[:600]}", flush=True)
                if options.progress:
                    print(f"  {sum(done.values())} done: {case.name}", flush=True)  # noqa: B023 - as above

            async with anyio.create_task_group() as group:
                for place in range(len(cases)):
                    group.start_soon(one, place)
        differ = sum(row["sandbox"] == name for row in faulty)
        print(f"{name}: {len(cases)} programs, {runs} runs; {differ} differ")
        print("  " + ", ".join(f"{count} {kind}" for kind, count in sorted(done.items())))
    if options.out:
        options.out.write_text("".join(json.dumps(row) + "\n" for row in faulty))
    return 1 if faulty else 0


def _run_in_folder(case: Case, headers: Path) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as folder:
        return run_plainly(case, Path(folder), headers)


def _read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sandbox", nargs="+", default=["local"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--skip", type=int, default=0, help="programs to leave out, the first ones")
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(anyio.run(main, _read()))
