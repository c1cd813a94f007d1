"""Makes a model by its recipe: examples, training, and what follows.

    python -m scripts.train_tiny_model.build [RECIPE] [--seed 0] [--count N] [--out FOLDER]

All goes to FOLDER, by default runs/tiny-coder/RECIPE-SEED: the examples, the problems kept out, the curve of
each training and each model. Without a recipe it is the live tests' model, which goes where they look for it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

from scripts.train_tiny_model.depth import data
from scripts.train_tiny_model.examples import make_examples
from scripts.train_tiny_model.learning import lessons
from scripts.train_tiny_model.recipes import RECIPES

ROOT = Path(__file__).parents[2]
LIVE = ROOT / "tests" / "live" / "tiny_coder"
OPTUNE = "optune"
PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
"""Has torch and transformers; `.ci/vllm` makes it."""


def run_trainer(module: str, *words: object, is_read: bool = False) -> str:
    """Run a module of this folder beside torch, on one core; what it prints, where it `is_read`."""
    command = [PYTHON, "-m", f"scripts.train_tiny_model.{module}", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    output = subprocess.PIPE if is_read else None
    ended = subprocess.run(
        [*map(str, command)], check=True, cwd=ROOT, env=environment, text=True, stdout=output
    )
    return ended.stdout or ""


def build(name: str, seed: int, count: int | None, folder: Path) -> None:
    if name in data.KINDS:
        data.make_examples(folder, count or data.COUNT, data.PROBLEMS)
        run_trainer("depth.train", folder, folder / name, "--kind", data.KINDS[name], "--seed", seed)
        return
    if name == OPTUNE:
        lessons.make_lessons(folder, count or lessons.COUNT, seed)
        run_trainer("learning.train", folder, folder / lessons.FILE, "--seed", seed)
        return
    recipe = RECIPES[name]
    folder.mkdir(parents=True, exist_ok=True)
    make_examples(folder, count or recipe.count, seed, recipe)
    run_trainer("train", folder, folder / "model", "--recipe", name, "--seed", seed)
    for number in range(1, recipe.rounds + 1):
        run_trainer("backtracking.improve", folder, "--round", number, "--seed", seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipe", nargs="?", choices=[*RECIPES, *data.KINDS, OPTUNE], default="tiny-coder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, help="examples (default: the recipe's)")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    folder = options.out or ROOT / "runs" / "tiny-coder" / f"{options.recipe}-{options.seed}"
    build(options.recipe, options.seed, options.count, folder.resolve())
    if (options.recipe, options.seed, options.count, options.out) == ("tiny-coder", 0, None, None):
        shutil.copytree(folder / "model", LIVE / "model", dirs_exist_ok=True)
        shutil.copy(folder / "problems.jsonl", LIVE)


if __name__ == "__main__":
    main()
