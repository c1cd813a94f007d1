"""How many examples backtracking needs, by how well a planted wrong line is noticed on problems of seed 3.

    python -m scripts.train_tiny_model.backtracking.choose [--counts 800,3200,12800] [--seed 0]

Trains the recipe `backtrack` with each number of examples, one training after the other, and prints the
least number whose area under the curve (AUC) is within 0.02 of the best. Techniques are measured on problems
of seed 2, so nothing is chosen by what they are measured on. What is there is not trained again. Then:

    make tiny-coder TECHNIQUE=backtrack SEED=0 COUNT=N     # and seeds 1 and 2, and TECHNIQUE=plain
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import write_table
from scripts.train_tiny_model.build import run_trainer
from scripts.train_tiny_model.examples import PROMPTS, make_examples, make_row
from scripts.train_tiny_model.measure import list_right_lines
from scripts.train_tiny_model.recipes import RECIPES
from scripts.train_tiny_model.tasks import draw_held_out, write_wrong_line
from sstar_code.agent.prompts.templates import Prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[3]
SET_SEED = 3
PROBLEMS = 150
NEAR = 0.02


def plant(path: Path, problems: int) -> None:
    """Write {"messages", "kept", "wrong", "right"}: first lines of a right program, two lines to follow."""
    rng, prompts, rows = random.Random(SET_SEED), Prompts(PROMPTS), []
    for task in islice(draw_held_out(SET_SEED), problems):
        kept, wrong = write_wrong_line(task, rng)
        right = rng.choice(sorted(list_right_lines(task)[kept.count("\n")]))
        messages = make_row(prompts.render("generate", task.problem), "")["messages"]
        rows.append({"messages": messages, "kept": f"```python\n{kept}", "wrong": wrong, "right": right})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def choose_count(found: Mapping[int, float]) -> int:
    """The least number of examples whose AUC is within `NEAR` of the best."""
    best = max(found.values())
    return min(count for count, auc in found.items() if auc >= best - NEAR)


def find_auc(wrong: Sequence[float], right: Sequence[float]) -> float:
    """How likely one of `wrong` is greater than one of `right`, ties counted half."""
    return statistics.fmean((one > two) + (one == two) / 2 for one in wrong for two in right)


def measure(count: int, seed: int, out: Path) -> dict[str, list[float]]:
    """Train with so many examples, where that is not done, and see what is noticed: `wrong` and `right`."""
    folder = out / f"backtrack-{seed}-{count}"
    noticed = folder / "noticed.json"
    if not noticed.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "trained").exists():
            make_examples(folder, count, seed, RECIPES["backtrack"])
            run_trainer("train", folder, folder / "model", "--recipe", "backtrack", "--seed", seed)
            (folder / "trained").touch()
        text = run_trainer("backtracking.notice", out / "planted.jsonl", folder / "model", is_read=True)
        noticed.write_text(text, encoding="utf-8")
    found: dict[str, list[float]] = json.loads(noticed.read_text(encoding="utf-8"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--counts", default="800,3200,12800")
    parser.add_argument("--problems", type=int, default=PROBLEMS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "tiny-coder")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    plant(options.out / "planted.jsonl", options.problems)
    rows, areas = [], {}
    for count in map(int, options.counts.split(",")):
        found = measure(count, options.seed, options.out)
        areas[count] = find_auc(found["wrong"], found["right"])
        means = (f"{statistics.fmean(found[name]):.3f}" for name in ("wrong", "right"))
        rows.append((f"{count:,}", *means, f"{areas[count]:.3f}"))
    print(write_table(("examples", "behind a wrong line", "behind a right line", "AUC"), rows))
    print(f"\nchosen: {choose_count(areas)} examples")


if __name__ == "__main__":
    main()
