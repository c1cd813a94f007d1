"""Whether load costs more than time: programs that never end, graded and chosen among beside busy processes.

    python -m benchmarks.sandbox.endless [--problems 60] [--busy 20] [--sandbox local|docker] [--workers 2]
        [--time-limit-s 1.0]

`sstar grade` and `sstar select` run idle, then beside the busy processes. There each is killed once, by -9,
when half of the executions are stored, and started again. The verdicts and choices have to be the same, no
stored execution may be run again, and neither may take more than `--bar` times what the share of a core
allows that its programs got: the seconds of the idle run, times how much larger their share was there.
Everything is in a session of its own, as the kernel may divide the cores by session.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sstar_code.agent.run.store import Store

_SSTAR = "import sys; from sstar_code.agent.cli.main import main; sys.argv[0] = 'sstar'; sys.exit(main())"
_BUSY = "while True: pass"
_PROGRAMS = (
    "print(int(input()) * {factor})",
    "while True: pass\n# {factor}",
    "n = int(input())\nwhile n % 2 == 0: pass\nprint(n * {factor})",
    "n = int(input())\nwhile n > 100: pass\nprint(n * {factor})",
    "print(int(input()) + {factor})",
)
"""Right; never ends; never ends on half of the inputs, on large ones; wrong."""
(_PUBLIC, _HIDDEN) = ((1, 3), (5, 8, 200, 7))
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Ended:
    """What one command came to."""

    results: list[tuple[object, ...]]
    """Problem, sample and verdict; or problem and choice."""
    seconds: float
    executions: int
    run_again: int
    """Executions that were stored before the command was killed, and are gone or other ones now."""
    share: float
    """CPU seconds of its programs by their seconds."""


def write_set(folder: Path, problems: int, time_limit_s: float) -> None:
    """`problems.jsonl` and `samples.jsonl`, five programs a problem."""
    rows, samples = [], []
    for number in range(problems):
        factor = number + 2
        (public, hidden) = (
            [{"input": f"{n}\n", "output": f"{n * factor}"} for n in inputs] for inputs in (_PUBLIC, _HIDDEN)
        )
        name = f"times-{factor}"
        about = {"id": name, "statement": f"Read an integer, print it times {factor}.", "kind": "stdin"}
        tests = {"public_tests": public, "hidden_tests": hidden, "time_limit_s": time_limit_s}
        rows.append(json.dumps(about | tests))
        samples += [
            json.dumps({"task_id": name, "solution": code.format(factor=factor)}) for code in _PROGRAMS
        ]
    (folder / "problems.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "samples.jsonl").write_text("\n".join(samples) + "\n", "utf-8")


def run(command: str, folder: Path, out: str, words: list[str], kill_at: int | None = None) -> Ended:
    """Run `sstar grade` or `select`, killed once when `kill_at` executions are stored."""
    arguments = [sys.executable, "-c", _SSTAR, command, "jsonl:problems.jsonl", "samples.jsonl", *words]
    started_s = time.monotonic()
    before: dict[str, float] = {}
    while True:
        with subprocess.Popen(
            [*arguments, "--out", out], cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            while process.poll() is None:
                time.sleep(_LOOK_S)
                if kill_at is not None and len(stored := _read_executions(folder / out)) >= kill_at:
                    (before, kill_at) = (stored, None)
                    process.kill()
        if not before or process.returncode >= 0:
            break
    if process.returncode not in (0, 1):
        sys.exit(f"sstar {command} ended with {process.returncode}")
    seconds = time.monotonic() - started_s
    after = _read_executions(folder / out)
    again = sum(after.get(key) != cpu_s for key, cpu_s in before.items())
    name = "verdicts.jsonl" if command == "grade" else "selections.jsonl"
    rows = [json.loads(line) for line in (folder / out / name).read_text("utf-8").splitlines()]
    results = [
        (row["problem_id"], *((row["sample"], row["verdict"]) if command == "grade" else (row["chosen"],)))
        for row in rows
    ]
    return Ended(results, seconds, len(after), again, _measure_share(folder / out, after))


def _read_executions(out: Path) -> dict[str, float]:
    """CPU seconds of every stored execution, by its key; empty where there is no store yet."""
    try:
        with closing(sqlite3.connect(f"file:{out / 'run.db'}?mode=ro", uri=True)) as db:
            return dict(db.execute("SELECT key, cpu_s FROM executions").fetchall())
    except sqlite3.OperationalError:
        return {}


def _measure_share(out: Path, keys: dict[str, float]) -> float:
    """The part of a core that the runs got that used at least half of what the longest one did."""
    with closing(Store(out / "run.db")) as store:
        runs = [run for key, cpu_s in keys.items() if cpu_s and (run := store.get_execution(key))]
    most = max(run.cpu_s for run in runs)
    runs = [run for run in runs if run.cpu_s > most / 2]
    return sum(run.cpu_s for run in runs) / sum(run.wall_s for run in runs)


def compare(command: str, folder: Path, words: list[str], busy: int) -> tuple[Ended, Ended]:
    """The command idle, and beside `busy` processes."""
    idle = run(command, folder, f"{command}-idle", words)
    loop = [sys.executable, "-S", "-c", _BUSY]
    children = [subprocess.Popen(loop, start_new_session=True) for _ in range(busy)]
    try:
        return idle, run(command, folder, f"{command}-loaded", words, kill_at=idle.executions // 2)
    finally:
        for child in children:
            child.kill()
            child.wait()


def main() -> int:
    """Print both commands' figures; 1 where something differs, was lost or took too long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--busy", type=int, default=20)
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--time-limit-s", type=float, default=1.0, help="of a run, in CPU time")
    parser.add_argument("--bar", type=float, default=1.5)
    options = parser.parse_args()
    words = ["--sandbox", options.sandbox, "--workers", str(options.workers)]
    print(
        f"{options.problems} problems, {options.sandbox}, {options.workers} workers, {os.cpu_count()} cores, "
        f"{options.busy} busy processes"
    )
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        write_set(Path(name), options.problems, options.time_limit_s)
        for command in ("grade", "select"):
            (idle, loaded) = compare(command, Path(name), words, options.busy)
            wrong = sum(one != other for one, other in zip(idle.results, loaded.results, strict=True))
            ratio = loaded.seconds * loaded.share / (idle.seconds * idle.share)
            faults += wrong + loaded.run_again + (ratio > options.bar)
            print(
                f"{command:6}  idle {idle.seconds:7.1f} s ({idle.share:.2f} of a core), loaded "
                f"{loaded.seconds:7.1f} s ({loaded.share:.3f}): {ratio:.2f} of what that allows; "
                f"{loaded.executions:,} executions, {wrong} of {len(idle.results)} results differ, "
                f"{loaded.run_again} stored executions were lost",
                flush=True,
            )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
