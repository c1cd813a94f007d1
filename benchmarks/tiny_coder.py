"""What each stage of the method is worth on a model that really samples: one table from one run folder.

    sstar eval SET -m NAME --n 16 --rounds 2 --select majority --out RUN
    python -m benchmarks.tiny_coder SET RUN --out results

Every method chooses among the same stored programs, before debugging (the first answers) and after it, by
free evidence alone: no model is asked. The table goes to stdout and, with each choice, to `results`.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.tables import write_table
from sstar_code.agent.run.summary import mean_rate, paired_bootstrap
from sstar_code.problems.sets.load import load_set
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.memo import MemoSandbox
from sstar_code.selection import Candidate
from sstar_code.selection.methods.registry import select_all
from sstar_code.selection.pool import Pool, expected_accuracy

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox

METHODS = ("majority", "adaptive")
STAGES = ("before repair", "after repair")
LABELS = {
    "sample": "one sample",
    "random": "random survivor",
    "majority": "majority",
    "adaptive": "**adaptive, no judge**",
    "oracle": "oracle",
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Figures of a stage of the run."""

    calls: int
    prompt: int
    output: int

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.calls + other.calls, self.prompt + other.prompt, self.output + other.output)


def read_candidates(db: sqlite3.Connection) -> dict[str, dict[str, list[Candidate]]]:
    """Stage -> problem id -> candidates in the order of samples."""
    found: dict[str, dict[str, list[Candidate]]] = {stage: defaultdict(list) for stage in STAGES}
    for stage, which in zip(STAGES, ("round = 0", "is_best = 1"), strict=True):
        rows = db.execute(
            "SELECT problem_id, code, public_passed, public_total, hidden_verdict FROM candidates "
            f"WHERE {which} ORDER BY problem_id, sample"
        )
        for problem_id, code, passed, total, verdict in rows:
            right = None if verdict is None else verdict == "AC"
            found[stage][problem_id].append(Candidate(code or "", passed, total, hidden_pass=right))
    return found


def read_tokens(folder: Path) -> dict[str, Tokens]:
    """What stood behind each of `STAGES`."""
    stages = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["stages"]
    counts = [
        Tokens(**{key: stages.get(name, {}).get(key, 0) for key in Tokens.__slots__})
        for name in ("generate", "debug")
    ]
    return dict(zip(STAGES, (counts[0], counts[0] + counts[1]), strict=True))


async def choose(problem: Problem, candidates: list[Candidate], sandbox: Sandbox) -> dict[str, Any]:
    """By method: whether its choice is right (a share for `sample` and `random`), what it chose, its runs."""
    chosen = await select_all(Pool(problem, tuple(candidates), sandbox), METHODS)
    right = [bool(candidate.hidden_pass) for candidate in candidates]
    scores: dict[str, float] = {
        "sample": statistics.fmean(right),
        "random": expected_accuracy(candidates) or 0.0,
        "oracle": float(any(right)),
    }
    for name, selection in chosen.items():
        scores[name] = float(selection.chosen is not None and right[selection.chosen])
    runs = {name: selection.executions for name, selection in chosen.items()}
    choices = {name: [selection.chosen, selection.confidence] for name, selection in chosen.items()}
    return {"scores": scores, "runs": runs, "chosen": choices, "right": [int(item) for item in right]}


async def measure(set_name: str, folder: Path, sandbox_name: str) -> dict[str, dict[str, Any]]:
    """Stage -> problem id -> what `choose` gives."""
    problems = {problem.id: problem for problem in load_set(set_name).problems}
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
        stages = read_candidates(db)
    results: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    async with MemoSandbox(make_sandbox(sandbox_name)) as sandbox:
        for stage, pools in stages.items():
            for problem_id, candidates in pools.items():
                results[stage][problem_id] = await choose(problems[problem_id], candidates, sandbox)
                print(f"{stage}: {len(results[stage])} of {len(pools)}", file=sys.stderr)
    return results


def show(results: dict[str, dict[str, Any]], tokens: dict[str, Tokens]) -> str:
    """The table, and what `adaptive` has over the others, with 95% intervals over problems."""
    rows = []
    for name, label in LABELS.items():
        cells = []
        for stage in STAGES:
            rate = mean_rate([item["scores"][name] for item in results[stage].values()])
            cells.append(f"{100 * rate.value:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]")
        rows.append((label, *cells))
    for key in Tokens.__slots__:
        label = "calls" if key == "calls" else f"{key} tokens"
        rows.append((label, *(f"{getattr(tokens[stage], key):,}" for stage in STAGES)))
    lines = [write_table(("", *STAGES), rows), ""]
    first = [item["scores"]["sample"] for item in results[STAGES[0]].values()]
    for stage in STAGES:
        scores = [item["scores"] for item in results[stage].values()]
        pairs = {"pass@1": first, **{name: [row[name] for row in scores] for name in LABELS}}
        for other in ("pass@1", "random", "majority", "oracle"):
            gains = [row["adaptive"] - value for row, value in zip(scores, pairs[other], strict=True)]
            lines.append(f"{stage}, adaptive over {other}: {paired_bootstrap(gains)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", help="as `sstar eval` takes it")
    parser.add_argument("run", type=Path, help="run folder of an eval with hidden tests")
    parser.add_argument("--out", type=Path, help="folder for the table and the choices")
    parser.add_argument("--sandbox", default="auto")
    options = parser.parse_args()
    results = anyio.run(partial(measure, options.set, options.run, options.sandbox))
    table = show(results, read_tokens(options.run))
    print(table)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "table.md").write_text(table + "\n", encoding="utf-8")
        (options.out / "choices.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
