"""Makes the problems of the bundled set `lists`, each with the program that it was made from.

    python -m scripts.train_tiny_model.lists [problems/bundled/lists/problems.jsonl]

They are the first 24 compositions that are kept out of the tiny coder's training and that the seed 1 draws,
each composition once. The problems of the live tests come from seed 0. What the model makes of a problem
plays no part.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

from scripts.train_tiny_model.tasks import Task, draw_held_out, write_program
from sstar_code.problems.formats.jsonl import to_json

SEED = 1
COUNT = 24
PLACE = Path(__file__).parents[2] / "problems" / "bundled" / "lists" / "problems.jsonl"


def make_lists() -> list[Task]:
    """The tasks of the set; a problem is called by its composition and holds its reference."""
    found: dict[str, Task] = {}
    for task in draw_held_out(SEED):
        name = "-".join((task.domain, *(part.step.name for part in task.parts)))
        reference = write_program(task, random.Random(name))
        metadata = {**task.problem.metadata, "reference": reference}
        found.setdefault(name, replace(task, problem=replace(task.problem, id=name, metadata=metadata)))
        if len(found) == COUNT:
            break
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("target", type=Path, nargs="?", default=PLACE)
    target = parser.parse_args().target
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps(to_json(task.problem)) for task in make_lists()]
    target.write_text("".join(row + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
