"""Backtracking as it was trained, beside sampling and repair: at equal tokens, over several trainings.

    make tiny-coder TECHNIQUE=plain SEED=0          # and seeds 1 and 2
    make tiny-coder TECHNIQUE=backtrack SEED=0
    python -m scripts.train_tiny_model.measure --seeds 0,1,2

Serves each model of runs/tiny-coder by a vLLM of its own, one after the other, and lets `sstar compare` run
each strategy on the same held-out problems at the same budget. A problem counts by the share of trainings
that solved it; intervals and paired differences, to the first arm, are over problems, and the trainings stand
beside them one by one. What is finished is not run again.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import write_table
from scripts.train_tiny_model.examples import PROMPTS, write_problems
from scripts.train_tiny_model.recipes import BACKTRACK
from scripts.train_tiny_model.tasks import Task, draw_held_out, write_program
from sstar_code.agent.comparison.arms import Cell
from sstar_code.agent.run.summary import mean_rate, paired_bootstrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
SET_SEED = 2
"""The live tests' problems come from seed 0, the demo's from 1; settings are tried on 3."""
STRATEGY = f"backtrack:token={BACKTRACK},n=8"
ARMS = {
    "`plain`, sampling": ("plain", "model", "sample:rounds=0"),
    "`plain`, sampling and repair": ("plain", "model", "sample"),
    "`backtrack`, its decoder": ("backtrack", "model", STRATEGY),
    "the same, improved": ("backtrack", "improved-1", STRATEGY),
}
"""Recipe, its model, strategy."""
OPTIONS = "--n 16 --rounds 2 --max-tokens 200 --temperature 0.7 --select first --sandbox local"
VLLM_ARGS = "--max-model-len 2048"


@dataclass(frozen=True, slots=True)
class Ended:
    """A run: what came of each problem."""

    solved: dict[str, bool]
    possible: dict[str, bool]
    """Whether any candidate was right."""
    tokens: int


def run_compare(
    model: Path, cells: Sequence[Cell], problems: Path, out: Path, options: str = OPTIONS
) -> None:
    """Run what is not finished; a vLLM of its own serves the model."""
    if all((out / cell.folder / "summary.json").is_file() for cell in cells):
        return
    command = [
        *(Path(sys.executable).with_name("sstar"), "compare", f"jsonl:{problems}"),
        *("-m", f"vllm:{model}", "--vllm-command", ROOT / ".venv-vllm" / "bin" / "vllm"),
        *("--vllm-args", VLLM_ARGS, "--prompts", PROMPTS, "--out", out),
        *("--strategies", ",".join(cell.strategy for cell in cells), "--tokens", cells[0].tokens),
    ]
    subprocess.run([*map(str, command), *options.split()], check=True)


def read_run(folder: Path) -> Ended:
    """What a finished run left; the choice is that of its one method."""
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
        outcomes = [json.loads(text) for (text,) in db.execute("SELECT outcome FROM problems")]
        answers = [json.loads(text) for (text,) in db.execute("SELECT answer FROM calls")]
    solved, possible = {}, {}
    for outcome in outcomes:
        right = [sample["hidden"] == "AC" for sample in outcome["samples"]]
        chosen = next(iter(outcome["chosen"].values()), None)
        solved[outcome["problem_id"]] = chosen is not None and right[chosen]
        possible[outcome["problem_id"]] = any(right)
    return Ended(solved, possible, sum(row["usage"]["prompt"] + row["usage"]["output"] for row in answers))


def share_problems(arms: Mapping[str, Sequence[Ended]]) -> dict[str, list[float]]:
    """The share of an arm's runs that solved each problem; one that a run lacks counts as not solved."""
    names = sorted({problem for runs in arms.values() for run in runs for problem in run.solved})
    return {
        arm: [statistics.fmean(run.solved.get(name, False) for run in runs) for name in names]
        for arm, runs in arms.items()
    }


def show_gain(one: Sequence[float], two: Sequence[float]) -> str:
    """`one` less `two` in points, paired by problem."""
    gain = paired_bootstrap([first - second for first, second in zip(one, two, strict=True)])
    return f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def show(arms: Mapping[str, Sequence[Ended]]) -> str:
    """The table."""
    shares, rows = share_problems(arms), []
    first = next(iter(arms))
    count = len(shares[first])
    for arm, runs in arms.items():
        rate = mean_rate(shares[arm])
        rows.append(
            (
                arm,
                f"{100 * rate.value:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})",
                ", ".join(f"{100 * sum(run.solved.values()) / count:.1f}" for run in runs),
                f"{100 * statistics.fmean(sum(run.possible.values()) / count for run in runs):.1f}",
                f"{statistics.fmean(run.tokens for run in runs):,.0f}",
                "" if arm == first else show_gain(shares[arm], shares[first]),
            )
        )
    head = ("arm", "solved, percent", "by training", "oracle", "tokens", "less the first, points")
    return f"{write_table(head, rows)}\n\n{count} problems"


def list_right_lines(task: Task) -> list[set[str]]:
    """The lines that right programs of a task have at each place, in every style."""
    rng = random.Random(0)
    programs = [write_program(task, rng).split("\n") for _ in range(80)]
    return [set(lines) for lines in zip(*programs, strict=True)]


def find_wrong_line(text: str, right: Sequence[set[str]]) -> int | None:
    """The first line of an answer's program that no right program has there."""
    lines = text.removeprefix("```python\n").rstrip("\n").removesuffix("\n```").split("\n")
    return next((at for at, line in enumerate(lines) if at >= len(right) or line not in right[at]), None)


def read_beams(folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Problem, answer from its first line on, and whether it ended at the token, of every beam of a run."""
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT problem_id, request, answer FROM calls").fetchall()
    for problem, request, answer in rows:
        prompt = json.loads(request)["extra"].get("prompt", [])
        before = "".join(part for part in prompt if isinstance(part, str))
        made = json.loads(answer)
        yield problem, before + made["text"], made["tokens"]["stopped_by"] == BACKTRACK


def show_token(runs: Sequence[Path], tasks: Mapping[str, Task]) -> str:
    """How often the token stands behind the first wrong line, and how often one is left without it."""
    right = {name: list_right_lines(task) for name, task in tasks.items()}
    ends = {True: [0, 0], False: [0, 0]}
    """By whether the token was written: whether a line was wrong, no and yes."""
    for problem, text, is_marked in (beam for run in runs for beam in read_beams(run)):
        wrong = find_wrong_line(text, right[problem])
        last = text.removeprefix("```python\n").rstrip("\n").count("\n")
        ends[is_marked][wrong == last if is_marked else wrong is not None] += 1
    (early, found), (whole, missed) = ends[True], ends[False]
    return (
        f"token: {found + early} times, behind the first wrong line {found}; "
        f"without it: {whole + missed} answers, {missed} with a wrong line"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT / "runs" / "tiny-coder")
    parser.add_argument("--seeds", default="0,1,2", help="the trainings")
    parser.add_argument("--problems", type=int, default=150)
    parser.add_argument("--tokens", type=int, default=300_000, help="for all problems together")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "trained")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    problems = options.out / "problems.jsonl"
    write_problems(problems, options.problems, SET_SEED)
    arms: dict[str, list[Path]] = {}
    for seed in options.seeds.split(","):
        for (recipe, name), group in groupby(ARMS.items(), lambda item: item[1][:2]):
            model, out = options.models / f"{recipe}-{seed}" / name, options.out / f"{recipe}-{seed}-{name}"
            if not model.is_dir():
                print(f"left out, since it is not there: {model}")
                continue
            cells = {arm: Cell(strategy, "cot", options.tokens) for arm, (_, _, strategy) in group}
            run_compare(model, list(cells.values()), problems, out)
            for arm, cell in cells.items():
                arms.setdefault(arm, []).append(out / cell.folder)
    tasks = {task.problem.id: task for task in islice(draw_held_out(SET_SEED), 2 * options.problems)}
    lines = [show({arm: [read_run(run) for run in runs] for arm, runs in arms.items()}), ""]
    lines += [f"{arm}: {show_token(runs, tasks)}" for arm, runs in arms.items() if ARMS[arm][2] == STRATEGY]
    print("\n".join(lines))
    (options.out / "trained.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
