"""Makes the training examples and the problems kept out: every prompt by the agent's own templates.

    python -m scripts.train_tiny_model.examples FOLDER [--recipe tiny-coder] [--count N] [--seed 0]

FOLDER/examples.jsonl holds {"messages", "answer"} in the order of training, FOLDER/problems.jsonl problems of
compositions kept out. An answer that ends with a wrong line and `<backtrack>` has its right lines in "answer"
and that line in "wrong"; the tokens of an answer begin anew at "cut", in characters. Failures in repair
prompts are real: wrong programs are run on the public tests.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.train_tiny_model.questions import QUESTIONS
from scripts.train_tiny_model.recipes import RECIPES, Recipe
from scripts.train_tiny_model.running import run_public
from scripts.train_tiny_model.tasks import (
    Task,
    draw_held_out,
    make_task,
    write_program,
    write_wrong,
    write_wrong_line,
)
from sstar_code.agent.generation.feedback import describe_failures
from sstar_code.agent.generation.lineage import Round
from sstar_code.agent.models.recorded import find_prompts
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.problems.formats.jsonl import to_json
from sstar_code.sandbox import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sstar_code.agent.models.request import Message

Row = dict[str, Any]
"""A line of examples.jsonl."""

HELD_OUT = 100
PROMPTS = find_prompts("replay:lists")
"""The model's own prompts: a change of the agent's asks for no new model."""


def make_answer(code: str, words: str = "") -> str:
    block = f"```python\n{code}\n```"
    return f"{words}\n\n{block}" if words else block


def write_some(task: Task, rng: random.Random, wrong: float) -> str:
    return write_wrong(task, rng)[0] if rng.random() < wrong else write_program(task, rng)


def make_row(messages: tuple[Message, ...], answer: str, wrong: str = "") -> Row:
    rows = [{"role": message.role, "content": message.content} for message in messages]
    return {"messages": rows, "answer": answer, **({"wrong": wrong} if wrong else {})}


class Maker:
    """Renders examples."""

    def __init__(self, rng: random.Random, recipe: Recipe) -> None:
        self.prompts = Prompts(PROMPTS)
        self.rng = rng
        self.recipe = recipe

    def make(self, task: Task, kind: float) -> Row | None:
        """One example for `task`; None where its wrong program passes the public tests."""
        recipe = self.recipe
        if kind < recipe.repairs:
            return self.repair(task)
        if kind < recipe.repairs + recipe.asked:
            name = self.rng.choice(tuple(QUESTIONS))
            values, text = QUESTIONS[name](task, self.rng)
            return make_row(self.prompts.render(name, task.problem, **values), text)
        messages = self.prompts.render("generate", task.problem)
        if recipe.marked and self.rng.random() < recipe.marked:
            kept, wrong = write_wrong_line(task, self.rng)
            return make_row(messages, f"```python\n{kept}", wrong)
        row = make_row(messages, make_answer(write_some(task, self.rng, recipe.wrong)))
        if recipe.cut and self.rng.random() < recipe.cut:
            ends = [place + 1 for place, char in enumerate(row["answer"]) if char == "\n"]
            row["cut"] = self.rng.choice(ends)
        return row

    def repair(self, task: Task) -> Row | None:
        code, words = write_wrong(task, self.rng)
        tried = self.run(task, code, 0)
        if tried.verdict is Verdict.AC:
            return None
        earlier = []
        if self.rng.random() < 0.35:
            other = self.run(task, write_wrong(task, self.rng)[0], 1)
            earlier = [other] if other.verdict is not Verdict.AC and other.code != code else []
        messages = self.prompts.render(
            "debug",
            task.problem,
            code=code,
            failures=tried.failures,
            summary="",
            passed=tried.passed,
            total=tried.total,
            earlier=earlier,
            reason="",
            is_cut=False,
        )
        return make_row(messages, make_answer(write_some(task, self.rng, self.recipe.wrong_repairs), words))

    def run(self, task: Task, code: str, index: int) -> Round:
        report = run_public(task.problem, code)
        notes = describe_failures(task.problem, code, report)
        return Round(index, code, report.passed, report.total, report.verdict, notes)


def draw_known(rng: random.Random, *, hidden: int = 0) -> Iterator[Task]:
    """Tasks of compositions that are trained on, without end."""
    tasks = map(partial(make_task, rng=rng, hidden=hidden), itertools.count())
    return (task for task in tasks if not task.held_out)


def make_examples(folder: Path, count: int, seed: int, recipe: Recipe = RECIPES["tiny-coder"]) -> None:
    rng = random.Random(seed)
    known, maker, done = draw_known(rng), Maker(rng, recipe), 0
    with (folder / "examples.jsonl").open("w", encoding="utf-8") as file:
        while done < count:
            made = maker.make(next(known), rng.random())
            if made is not None:
                file.write(json.dumps(made) + "\n")
                done += 1
    write_problems(folder / "problems.jsonl", HELD_OUT, seed)


def write_problems(path: Path, count: int, seed: int) -> None:
    """Held-out problems whose statements all differ."""
    found: dict[str, Task] = {}
    for task in draw_held_out(seed):
        found.setdefault(task.problem.statement, task)
        if len(found) == count:
            break
    rows = [json.dumps(to_json(task.problem)) for task in found.values()]
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", choices=RECIPES, default="tiny-coder")
    parser.add_argument("--count", type=int, help="examples (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    recipe = RECIPES[options.recipe]
    options.folder.mkdir(parents=True, exist_ok=True)
    make_examples(options.folder, options.count or recipe.count, options.seed, recipe)


if __name__ == "__main__":
    main()
