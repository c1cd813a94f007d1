"""Grades what models of depth wrote for the problems of FOLDER, and compares them.

    python -m scripts.train_tiny_model.depth.measure grade FOLDER SAMPLES

runs each program in the local sandbox and prints a row a model: the share of problems solved by the
likeliest answer, by one sample at temperature 0.7, and by the first of 2, 4 and 8 samples that passes the
public tests (the first of all where none does), each a mean over seeds; with 95% intervals over problems.
FOLDER/solved.jsonl has what each program did, and `compare` prints paired differences from it:

    python -m scripts.train_tiny_model.depth.measure compare FOLDER A B [--samples K L]
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.run.summary import paired_bootstrap
from sstar_code.problems.sets.load import load_set
from sstar_code.sandbox.choose import make_sandbox
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from sstar_code.problems import Problem

Row = dict[str, Any]
Solved = dict[tuple[str, int, str], dict[int, Row]]
"""(model, seed, problem) -> sample -> its row; sample -1 is the likeliest answer."""
CHOICES = (2, 4, 8)


def _load(folder: Path) -> dict[str, Problem]:
    return {problem.id: problem for problem in load_set(f"jsonl:{folder / 'problems.jsonl'}").problems}


async def grade(folder: Path, samples: Path) -> None:
    """Write what each program does; equal programs for a problem run once."""
    problems, known = _load(folder), dict[tuple[str, str], tuple[bool, bool]]()
    rows = _read(samples)
    async with make_sandbox("local") as sandbox:
        with (folder / "solved.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                problem = problems[row["problem"]]
                code = extract_code(row.pop("text"), problem).code
                key = (problem.id, code or "")
                if key not in known and code:
                    public = await run_tests(sandbox, problem, code, problem.public_tests)
                    hidden = await run_tests(
                        sandbox, problem, code, problem.hidden_tests, stop_on_failure=True
                    )
                    known[key] = tuple(report.passed == report.total for report in (public, hidden))
                row["public"], row["solved"] = known.get(key, (False, False))
                file.write(json.dumps(row) + "\n")
    for model in dict.fromkeys(row["model"] for row in rows):
        print(_describe(model, _group(_read(folder / "solved.jsonl"))))


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _group(rows: list[Row]) -> Solved:
    found: Solved = defaultdict(dict)
    for row in rows:
        found[row["model"], row["seed"], row["problem"]][row["sample"]] = row
    return found


def rate(solved: Solved, model: str, samples: int) -> dict[str, float]:
    """How often each problem is solved, over seeds: by the likeliest answer (0), or a choice of so many."""
    found: dict[str, list[float]] = defaultdict(list)
    for (name, _, problem), rows in solved.items():
        if name == model and (samples == 0 or samples - 1 in rows):
            found[problem].append(_solve(rows, samples))
    return {problem: mean(values) for problem, values in found.items()}


def _solve(rows: dict[int, Row], samples: int) -> float:
    """One sample counts as the mean over all; of several the first that passes the public tests is taken."""
    if samples == 0:
        return float(rows[-1]["solved"])
    drawn = [row for sample, row in sorted(rows.items()) if sample >= 0]
    if samples == 1:
        return mean(row["solved"] for row in drawn)
    some = drawn[:samples]
    return float(next((row for row in some if row["public"]), some[0])["solved"])


def _describe(model: str, solved: Solved) -> str:
    mine = [rows for (name, _, _), rows in solved.items() if name == model]
    seeds = {seed for name, seed, _ in solved if name == model}
    best = [rows[-1] for rows in mine if -1 in rows]
    loops, tokens = mean(row["loops"] for row in best), mean(row["tokens"] for row in best)
    cells = [f"{model:24} {len(seeds)} seeds, {tokens:5.1f} tokens, loops {loops:4.2f}"]
    for samples in (0, 1, *CHOICES):
        values = list(rate(solved, model, samples).values())
        if values:
            told = paired_bootstrap(values)
            name = "likeliest" if samples == 0 else f"{samples} drawn"
            cells.append(f"{name} {told.value:.1%} [{told.low:.1%}, {told.high:.1%}]")
    by_seed = [
        mean(rows[-1]["solved"] for (name, one, _), rows in solved.items() if name == model and one == seed)
        for seed in sorted(seeds)
    ]
    return "; ".join([*cells, "by seed " + " ".join(f"{value:.1%}" for value in by_seed)])


def compare(folder: Path, first: str, second: str, samples: tuple[int, int]) -> None:
    solved = _group(_read(folder / "solved.jsonl"))
    one, other = rate(solved, first, samples[0]), rate(solved, second, samples[1])
    told = paired_bootstrap([one[problem] - other[problem] for problem in one])
    print(
        f"{first} ({samples[0]}) - {second} ({samples[1]}): {100 * told.value:+.1f} "
        f"[{100 * told.low:+.1f}, {100 * told.high:+.1f}] points, {len(one)} problems"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    grading, comparing = (actions.add_parser(name) for name in ("grade", "compare"))
    for action in (grading, comparing):
        action.add_argument("folder", type=Path)
    grading.add_argument("samples", type=Path)
    comparing.add_argument("models", nargs=2)
    comparing.add_argument("--samples", type=int, nargs=2, default=(0, 0))
    options = parser.parse_args()
    if options.action == "grade":
        asyncio.run(grade(options.folder, options.samples))
    else:
        compare(options.folder, *options.models, tuple(options.samples))


if __name__ == "__main__":
    main()
