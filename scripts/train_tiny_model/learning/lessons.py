"""Makes what a learned optimiser is trained on: failed programs with their feedback, and a right one.

    python -m scripts.train_tiny_model.learning.lessons FOLDER [--count 400] [--unseen 48] [--seed 0]

FOLDER/lessons.jsonl holds {"messages", "steps", "right"}: the question, the trials of two steps as
`--strategy learn` would have them, and a right answer. FOLDER/unseen.jsonl holds some of compositions kept
out of training, those that settings are tried on. The failed programs are planted mistakes: the tiny coder
was taught to make just these.
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.train_tiny_model.examples import PROMPTS, draw_known, make_answer, make_row
from scripts.train_tiny_model.running import run_public
from scripts.train_tiny_model.tasks import draw_held_out, write_program, write_wrong
from sstar_code.agent.generation.feedback import describe_failures, summarize_tests
from sstar_code.agent.generation.lineage import Round
from sstar_code.agent.prompts.shown import fence
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.strategies.trained.learn import tell_failure
from sstar_code.sandbox import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.train_tiny_model.tasks import Task

COUNT = 400
UNSEEN = 48
UNSEEN_SEED = 3
"""The problems that settings are tried on; techniques are measured on those of seed 2."""
MOST_TRIALS = 4
FILE = "optimizer.safetensors"
"""The name of what is trained on them."""
DRAWS = 16
Row = dict[str, Any]


def make_lessons(folder: Path, count: int, seed: int, unseen: int = UNSEEN) -> None:
    """Write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"lessons {seed}")
    _write(folder / "lessons.jsonl", islice(draw_lessons(draw_known(rng), rng), count))
    rng = random.Random(f"unseen {UNSEEN_SEED}")
    _write(folder / "unseen.jsonl", islice(draw_lessons(draw_held_out(UNSEEN_SEED), rng), unseen))


def draw_lessons(tasks: Iterable[Task], rng: random.Random) -> Iterator[Row]:
    """One a task of which at least two different programs fail: a trial a step, or two."""
    prompts = Prompts(PROMPTS)
    for task in tasks:
        trials = list_trials(task, rng)
        half = len(trials) // 2
        if half:
            messages = prompts.render("generate", task.problem)
            row = make_row(messages, make_answer(write_program(task, rng)))
            steps = [trials[:half], trials[half : 2 * half]]
            yield {"messages": row["messages"], "steps": steps, "right": row["answer"]}


def list_trials(task: Task, rng: random.Random) -> list[dict[str, str]]:
    """Different programs that fail the public tests, with what each is told."""
    found: dict[str, str] = {}
    for _ in range(DRAWS):
        code = write_wrong(task, rng)[0]
        report = run_public(task.problem, code)
        if report.verdict is not Verdict.AC and len(found) < MOST_TRIALS:
            failures = describe_failures(task.problem, code, report)
            failed = Round(0, code, failures=failures, summary=summarize_tests(task.problem, report))
            found.setdefault(code, tell_failure(failed))
    return [{"answer": fence(code, "python"), "feedback": told} for code, told in found.items()]


def _write(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--unseen", type=int, default=UNSEEN)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    make_lessons(options.folder, options.count, options.seed, options.unseen)


if __name__ == "__main__":
    main()
