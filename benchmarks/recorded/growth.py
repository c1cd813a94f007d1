"""Time and memory of `sstar grade` as the number of problems grows.

    python -m benchmarks.recorded.growth FOLDER [--sizes 100,1000,10000] [--sandbox local] [--workers 2]

FOLDER holds the recorded HumanEval programs. Those recorded as right are taken: a loop without end takes
seconds of CPU time, which is another matter. Problems are recorded ones under new names, each with one
program, which a comment makes another, so that nothing is remembered and all of it runs. Memory is the
largest resident set of the command's own process; the sandbox's processes are not in it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import cycle, islice, pairwise
from pathlib import Path

from benchmarks.recorded.data import load, number, prepare, read_lines
from benchmarks.tables import write_head, write_row
from sstar_code.problems.formats.jsonl import to_json

_SSTAR = "import sys; from sstar_code.agent.cli.main import main; sys.argv[0] = 'sstar'; sys.exit(main())"
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Measured:
    """One size."""

    problems: int
    seconds: float
    peak_mb: float
    run_db_mb: float
    passed: int


def write_set(folder: Path, size: int, target: Path) -> tuple[Path, Path]:
    """A set of `size` problems and a program for each."""
    known = load(f"humaneval:{folder / 'humaneval' / 'HumanEval.jsonl.gz'}")
    rows = list(read_lines(folder / "humaneval_chat10" / "samples.jsonl.gz"))
    pairs = [
        (known[number(row["task_id"])], item["code"])
        for row in rows
        for item in row["samples"]
        if item["base_pass"]
    ]
    problems, samples = target / f"problems-{size}.jsonl", target / f"samples-{size}.jsonl"
    with problems.open("w", encoding="utf-8") as one, samples.open("w", encoding="utf-8") as other:
        for place, (recorded, code) in enumerate(islice(cycle(pairs), size)):
            problem = replace(prepare(recorded), id=f"p{place}", metadata={})
            one.write(json.dumps(to_json(problem)) + "\n")
            other.write(json.dumps({"task_id": problem.id, "solution": f"{code}\n# {place}\n"}) + "\n")
    return problems, samples


def measure(folder: Path, size: int, words: list[str]) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        problems, samples = write_set(folder, size, Path(name))
        out = Path(name) / "run"
        command = [sys.executable, "-c", _SSTAR, "grade", f"jsonl:{problems}", str(samples), "--json"]
        started_s, peak_kb = time.monotonic(), 0
        process = subprocess.Popen(
            [*command, *words, "--out", str(out)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        while process.poll() is None:
            time.sleep(0.05)
            try:
                found = _PEAK.search(Path(f"/proc/{process.pid}/status").read_text("utf-8"))
            except OSError:
                break
            peak_kb = max(peak_kb, int(found[1]) if found else 0)
        answer, _ = process.communicate()
        seconds = time.monotonic() - started_s
        scores = json.loads(answer)
        assert scores["problems"] == size, scores
        assert not scores["errors"], scores
        run_db_mb = sum(file.stat().st_size for file in out.glob("run.db*")) / 1e6
        return Measured(size, seconds, peak_kb / 1024, run_db_mb, scores["passed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument("--sandbox", default="local")
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    words = ["--sandbox", options.sandbox, "--workers", options.workers]
    print(write_head(("problems", "seconds", "a problem", "peak MB", "run.db MB", "passed")))
    found: list[Measured] = []
    for size in map(int, options.sizes.split(",")):
        found.append(measure(options.folder, size, words))
        last = found[-1]
        each_ms = f"{1000 * last.seconds / size:.0f} ms"
        memory = (f"{last.peak_mb:.0f}", f"{last.run_db_mb:.1f}")
        print(write_row((size, f"{last.seconds:.1f}", each_ms, *memory, last.passed)), flush=True)
    for before, after in pairwise(found):
        more = after.problems - before.problems
        kb = 1024 * (after.peak_mb - before.peak_mb) / more
        ms = 1000 * (after.seconds - before.seconds) / more
        print(f"\n{before.problems} to {after.problems}: {kb:.1f} kB and {ms:.0f} ms a further problem")


if __name__ == "__main__":
    main()
