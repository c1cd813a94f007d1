"""The whole command `sstar grade`, start-up included, beside a pool of plain child processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.sandbox.workload import CONTEST, make_inputs
from benchmarks.tables import write_table
from sstar_code.sandbox.docker.probe import probe_engine

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compare_grading"]

_PROBLEMS, _SAMPLES, _INPUTS, _WORKERS = 12, 10, 40, 2

_POOL = """\
import json, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
python, problems, samples, workers = sys.argv[1:]
tests = {}
for line in open(problems):
    row = json.loads(line)
    tests[row["id"]] = row["public_tests"] + row["hidden_tests"]
folder = Path(tempfile.mkdtemp())
def grade(number, row):
    file = folder / f"{number}.py"
    file.write_text(row["solution"])
    for test in tests[row["task_id"]]:
        done = subprocess.run([python, "-I", str(file)], input=test["input"], capture_output=True, text=True)
        if done.returncode or done.stdout.split() != test["output"].split():
            return False
    return True
with ThreadPoolExecutor(int(workers)) as pool:
    passed = list(pool.map(lambda pair: grade(*pair), enumerate(map(json.loads, open(samples)))))
print(sum(passed))
"""
_SSTAR = "import sys; from sstar_code.agent.cli.main import main; sys.argv[0] = 'sstar'; sys.exit(main())"


def _write_set(folder: Path) -> tuple[Path, Path]:
    """A set of `_PROBLEMS` problems with `_INPUTS` tests, and `_SAMPLES` programs for each."""
    (problems, samples) = (folder / "problems.jsonl", folder / "samples.jsonl")
    (problem_lines, sample_lines) = ([], [])
    for number in range(_PROBLEMS):
        (texts, outputs) = make_inputs(CONTEST, _INPUTS, first=number * _INPUTS)
        tests = [{"input": text, "output": output} for text, output in zip(texts, outputs, strict=True)]
        row = {"id": f"graph-{number}", "statement": "", "kind": "stdin"}
        problem_lines.append(json.dumps(row | {"public_tests": tests[:2], "hidden_tests": tests[2:]}))
        sample_lines += [
            json.dumps({"task_id": row["id"], "solution": CONTEST.make_program(number * _SAMPLES + place)})
            for place in range(_SAMPLES)
        ]
    problems.write_text("\n".join(problem_lines) + "\n", "utf-8")
    samples.write_text("\n".join(sample_lines) + "\n", "utf-8")
    return problems, samples


def _time(command: list[str]) -> tuple[float, str]:
    started_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    if done.returncode != 0:
        sys.exit(f"{command[:4]} failed:\n{done.stderr[-2000:]}")
    return time.monotonic() - started_s, done.stdout


def compare_grading(python: str, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds of each way, `rounds` times in turn; `text` is the comparison in Markdown."""
    programs = _PROBLEMS * _SAMPLES
    sandboxes = ["local"] + (["docker"] if probe_engine(timeout_s=10).reason is None else [])
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        (problems, samples) = _write_set(Path(name))
        pool = [sys.executable, "-I", "-c", _POOL, python, str(problems), str(samples), str(_WORKERS)]
        for number in range(rounds):
            say(f"sstar grade, round {number + 1} of {rounds}")
            (took_s, answer) = _time(pool)
            assert int(answer) == programs, answer
            seconds.setdefault("pool of plain `python -I`", []).append(took_s)
            for sandbox in sandboxes:
                out = str(Path(name) / f"{sandbox}-{number}")
                command = [sys.executable, "-c", _SSTAR, "grade", f"jsonl:{problems}", str(samples)]
                command += ["--sandbox", sandbox, "--workers", str(_WORKERS), "--out", out, "--json"]
                (took_s, answer) = _time(command)
                assert json.loads(answer)["passed"] == programs, answer
                seconds.setdefault(f"`sstar grade --sandbox {sandbox}`", []).append(took_s)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    peer_s = medians["pool of plain `python -I`"]
    rows = [(way, f"{took_s:.1f}", f"{peer_s / took_s:.2f}") for way, took_s in medians.items()]
    about = f"{programs} contest programs x {_INPUTS} inputs, {_WORKERS} workers, start-up included:"
    return {"seconds": seconds, "text": f"{about}\n\n{write_table(('way', 'seconds', 'x pool'), rows)}"}
