"""Learning from feedback at test time, by AdamW and by a learned optimiser, beside sampling and repair.

    make tiny-coder TECHNIQUE=optune SEED=0     # and seeds 1 and 2
    python -m scripts.train_tiny_model.learning.measure --seeds 0,1,2

All arms ask the tiny coder for the same held-out problems at the same budget of tokens, and have at most 24
calls a problem, more than these tokens pay for. A seed is one of sampling, for OpTune also of the training
of its optimiser. Where runs/tiny-coder has `plain` of a seed, its samples stand there too: that model was
trained further on right answers as the optimiser was. A problem counts by the share of seeds that solved it;
intervals and paired differences are over problems. What is finished is not run again, and a run that was
broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.train_tiny_model.examples import write_problems
from scripts.train_tiny_model.learning.lessons import FILE
from scripts.train_tiny_model.measure import (
    SET_SEED,
    Ended,
    read_run,
    run_compare,
    share_problems,
    show,
    show_gain,
)
from sstar_code.agent.comparison.arms import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[3]
TINY = ROOT / "tests" / "live" / "tiny_coder" / "model"
N, ROUNDS = 8, 2
OPTIONS = f"--n {N} --rounds {ROUNDS} --max-tokens 200 --temperature 0.7 --select first --sandbox local"
SAMPLING = f"sample:n={N * (1 + ROUNDS)},rounds=0"
FIRST, OPTUNE, FTTT, REPAIR = "first sample", "OpTune", "FTTT", "sampling and repair"
ARMS = {"sampling": SAMPLING, REPAIR: "sample", FTTT: "learn:rate=1e-3", OPTUNE: "learn:optimizer=FILE"}
"""The rate of FTTT is that of its first measurement, on other problems; no other was tried on any."""
PLAIN = "`plain`, sampling"
PAIRS = ((FTTT, REPAIR), (OPTUNE, REPAIR), (OPTUNE, FTTT), (OPTUNE, PLAIN))


@dataclass(frozen=True, slots=True)
class Tried:
    """Programs that a run wrote for a problem behind its first wave: how many, and how many of these pass."""

    programs: int
    passing: int


def read_first(folder: Path) -> Ended:
    """What the first sample of each problem of a run of samples would have come to by itself."""
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT problem_id, outcome FROM problems").fetchall()
        calls = db.execute("SELECT answer FROM calls WHERE stage = 'generate' AND sample = 0").fetchall()
    right = {problem: json.loads(text)["samples"][0]["hidden"] == "AC" for problem, text in rows}
    used = [json.loads(text)["usage"] for (text,) in calls]
    return Ended(right, right, sum(one["prompt"] + one["output"] for one in used))


def read_later(folder: Path, condition: str) -> dict[str, Tried]:
    """By problem, the programs of `condition`, a clause on the table of candidates."""
    query = (
        "SELECT problem_id, COUNT(*), SUM(public_passed = public_total) FROM candidates "
        f"WHERE code IS NOT NULL AND {condition} GROUP BY problem_id"
    )
    with closing(sqlite3.connect(f"file:{folder / 'run.db'}?mode=ro", uri=True)) as db:
        return {name: Tried(programs, passing) for name, programs, passing in db.execute(query)}


def show_steps(runs: Sequence[Path], sampled: Sequence[Path]) -> str:
    """What changed models wrote, beside further samples of the same problems by the model itself."""
    mine, own = [], []
    beside = {run.parent: run for run in sampled}
    for run in runs:
        after = read_later(run, "round > 0")
        further = read_later(beside[run.parent], f"sample >= {N}")
        for name in after.keys() & further.keys():
            mine.append(after[name])
            own.append(further[name])
    told = [
        f"{sum(one.passing for one in some)} of {sum(one.programs for one in some)} programs"
        for some in (mine, own)
    ]
    return f"pass the public tests after a step: {told[0]}; further samples of these problems: {told[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=ROOT / "runs" / "tiny-coder")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--problems", type=int, default=120)
    parser.add_argument("--tokens", type=int, default=300_000, help="for all problems together")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "learning")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    problems = options.out / "problems.jsonl"
    write_problems(problems, options.problems, SET_SEED)
    runs: dict[str, list[Path]] = {}
    for seed in options.seeds.split(","):
        file = (options.models / f"optune-{seed}" / FILE).resolve()
        cells = {
            arm: Cell(strategy.replace("FILE", str(file)), "cot", options.tokens)
            for arm, strategy in ARMS.items()
            if arm != OPTUNE or is_there(file)
        }
        made = run_arms(TINY, cells, problems, options.out / f"tiny-coder-{seed}", seed)
        plain = options.models / f"plain-{seed}" / "model"
        if is_there(plain):
            cells = {PLAIN: Cell(SAMPLING, "cot", options.tokens)}
            made |= run_arms(plain, cells, problems, options.out / f"plain-{seed}", seed)
        for arm, folder in made.items():
            runs.setdefault(arm, []).append(folder)
    text = write_tables(runs)
    print(text)
    (options.out / "learning.md").write_text(text + "\n", encoding="utf-8")


def is_there(path: Path) -> bool:
    if not path.exists():
        print(f"left out, since it is not there: {path}")
    return path.exists()


def run_arms(model: Path, cells: Mapping[str, Cell], problems: Path, out: Path, seed: str) -> dict[str, Path]:
    """The folder of each arm's run; no sample of a seed is one of another."""
    run_compare(model, list(cells.values()), problems, out, f"{OPTIONS} --seed {1000 * int(seed)}")
    return {arm: out / cell.folder for arm, cell in cells.items()}


def write_tables(runs: Mapping[str, Sequence[Path]]) -> str:
    arms = {arm: [read_run(run) for run in some] for arm, some in runs.items()}
    arms[FIRST] = [read_first(run) for run in runs["sampling"]]
    shares = share_problems(arms)
    lines = [show(arms), ""]
    lines += [
        f"{one} less {two}: {show_gain(shares[one], shares[two])}"
        for one, two in PAIRS
        if {one, two} <= arms.keys()
    ]
    lines += [f"{arm}: {show_steps(runs[arm], runs['sampling'])}" for arm in (FTTT, OPTUNE) if arm in runs]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
