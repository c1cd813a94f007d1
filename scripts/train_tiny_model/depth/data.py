"""Makes the examples that models of depth learn from, and problems of compositions kept out of them.

    python -m scripts.train_tiny_model.depth.data FOLDER [--count 700] [--problems 120] [--seed 0]

FOLDER/examples.jsonl holds {"messages", "answer"}: first answers alone, all right. FOLDER/problems.jsonl is a
set, FOLDER/prompts.jsonl its prompts, which are those of the live tests' model.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.train_tiny_model.examples import PROMPTS, draw_known, make_answer, write_problems
from scripts.train_tiny_model.tasks import write_program
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.problems.sets.load import load_set

if TYPE_CHECKING:
    from sstar_code.problems import Problem

KINDS = {
    "depth": "recurrent",
    "inner": "inner",
    "depth-plain": "plain",
    "depth-deep": "deep",
    "depth-loop": "loop",
}
"""What is built, by the name of its technique; the last three are what the others are compared with."""
COUNT = 700
PROBLEMS = 120
PROBLEM_SEED = 2
"""Seeds 0 and 1 have drawn the problems of the live tests and of the bundled set."""


def make_examples(folder: Path, count: int, problems: int, seed: int = 0) -> None:
    """Write all three files; all techniques and all seeds of training have those of one seed."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, prompts = random.Random(seed), Prompts(PROMPTS)
    with (folder / "examples.jsonl").open("w", encoding="utf-8") as file:
        for task in itertools.islice(draw_known(rng), count):
            row = {**show(prompts, task.problem), "answer": make_answer(write_program(task, rng))}
            file.write(json.dumps(row) + "\n")
    write_problems(folder / "problems.jsonl", problems, PROBLEM_SEED)
    with (folder / "prompts.jsonl").open("w", encoding="utf-8") as file:
        for problem in load_set(f"jsonl:{folder / 'problems.jsonl'}").problems:
            file.write(json.dumps({"id": problem.id, **show(prompts, problem)}) + "\n")


def show(prompts: Prompts, problem: Problem) -> dict[str, list[dict[str, str]]]:
    """The messages of a first answer."""
    said = prompts.render("generate", problem)
    return {"messages": [{"role": message.role, "content": message.content} for message in said]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--problems", type=int, default=PROBLEMS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_examples(options.folder, options.count, options.problems, options.seed)


if __name__ == "__main__":
    main()
