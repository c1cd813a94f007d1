"""Trains a learned optimiser (OpTune) for the tiny coder on FOLDER/lessons.jsonl; the model stays as it is.

    .venv-vllm/bin/python -m scripts.train_tiny_model.learning.train FOLDER TARGET [--seed 0]

TARGET is the file that `--strategy learn:optimizer=TARGET` takes, FOLDER/curve.jsonl the curve. The loss is
that of the right answer after each of two steps on feedback, each a batch of lessons at once. In the end
FOLDER/unseen.json tells it for lessons of compositions kept out, beside what tells what it is worth: before
any step, after the plain gradient's step (the optimiser before its training), and after a step on the
feedback of another problem. A step that is read back from an adapter's file has to give the trained step's
tokens.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.train_tiny_model.tokens import END, render
from scripts.train_tiny_model.train import Example, continue_greedily, find_loss, fit
from sstar_code.agent.models.adapters.learned_step import (
    LOUDNESS,
    Watch,
    Weights,
    add_step,
    list_layers,
    read_optimizer,
    take_steps,
)
from sstar_code.agent.models.adapters.train_lora import Learner, encode_trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import LlamaForCausalLM

BASE = Path(__file__).parents[3] / "tests" / "live" / "tiny_coder" / "model"
LAYERS = [f"model.layers.{layer}.self_attn.{name}" for layer in (1, 2) for name in ("q_proj", "v_proj")]
"""Queries and values of the last two layers, as published."""
HIDDEN = 16
SIZE = 1.0
"""The Frobenius norm of a layer's step before training."""
PEAK = 1e-2
TOGETHER = 4
"""Lessons of a step of training."""
CHECKED = 8


class Lesson(NamedTuple):
    """A right answer, and the trials of each step as tokens and labels."""

    tokens: list[int]
    """All that is read, to be counted."""
    steps: list[list[tuple[list[int], list[int]]]]
    right: Example


def make_optimizer(base: LlamaForCausalLM, seed: int) -> Weights:
    """One whose steps are the gradient's until it is trained."""
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name in LAYERS:
        out, into = base.get_submodule(name).weight.shape
        down = torch.randn((HIDDEN, into + out), generator=generator) / math.sqrt(into + out)
        shape = {"down": down, "bias": torch.zeros(HIDDEN), "up": torch.zeros((into + out, HIDDEN))}
        weights |= {f"{into}*{out}.{part}": value for part, value in shape.items()}
        weights[f"{name}.scale"] = torch.ones(into + out)
        weights[f"{name}.size"] = torch.tensor(math.log(SIZE) / LOUDNESS)
    return {name: torch.nn.Parameter(value) for name, value in weights.items()}


def read_lessons(path: Path) -> list[Lesson]:
    """The lessons of the file, in the base model's tokens."""
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    lessons = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        asked = {"messages": row["messages"]}
        steps = [[encode_trial(tokenizer, asked | trial) for trial in trials] for trials in row["steps"]]
        prompt = tokenizer.encode(render(row["messages"]))
        right = Example(prompt + tokenizer.encode(row["right"] + END), len(prompt))
        tokens = [*right.tokens, *(token for trials in steps for trial in trials for token in trial[0])]
        lessons.append(Lesson(tokens, steps, right))
    return lessons


def make_batches(lessons: Sequence[Lesson], rng: random.Random) -> list[list[Lesson]]:
    """Batches of lessons with equally many trials a step, in random order."""
    batches = []
    for _, group in groupby(
        sorted(lessons, key=lambda one: len(one.steps[0])), lambda one: len(one.steps[0])
    ):
        some = list(group)
        batches += [some[start : start + TOGETHER] for start in range(0, len(some), TOGETHER)]
    rng.shuffle(batches)
    return batches


def find_losses(
    base: LlamaForCausalLM, weights: Weights, batch: Sequence[Lesson], pad: int
) -> list[torch.Tensor]:
    """The loss of the right answers after each step."""
    losses = []
    with Watch(base, list_layers(weights)) as watch:
        changes: dict[str, Any] = {}
        for trials in zip(*(lesson.steps for lesson in batch), strict=True):
            size = len(trials[0])
            watch.changes = {
                name: tuple(part.detach().repeat_interleave(size, 0) for part in change)
                for name, change in changes.items()
            }
            seen = watch.read_gradients(
                find_feedback_loss(base, [one for some in trials for one in some], pad)
            )
            joined = {
                name: tuple(part.reshape(len(batch), -1, part.shape[-1]) for part in pair)
                for name, pair in seen.items()
            }
            with torch.autocast("cpu", enabled=False):
                changes = add_step(weights, changes, joined)
            watch.changes = changes
            losses.append(find_loss(base, [lesson.right for lesson in batch], pad))
    return losses


def find_feedback_loss(
    base: LlamaForCausalLM, trials: Sequence[tuple[list[int], list[int]]], pad: int
) -> torch.Tensor:
    """The sum over trials of the mean loss of the tokens that a trial learns."""
    width = max(len(tokens) for tokens, _ in trials)
    ids, labels = (
        torch.tensor([one[side] + [filler] * (width - len(one[side])) for one in trials])
        for side, filler in ((0, pad), (1, -100))
    )
    logits = base(input_ids=ids).logits[:, :-1].float()
    each = torch.nn.functional.cross_entropy(logits.mT, labels[:, 1:], reduction="none")
    return (each.sum(1) / (labels[:, 1:] != -100).sum(1)).sum()


def show_unseen(
    base: LlamaForCausalLM, fresh: Weights, trained: Weights, lessons: Sequence[Lesson], pad: int
) -> dict[str, Any]:
    """The mean loss of a right answer, for lessons that were not trained on."""
    batches = make_batches(lessons, random.Random(0))
    shifted = [
        [one._replace(right=other.right) for one, other in zip(batch, batch[1:] + batch[:1], strict=True)]
        for batch in batches
        if len(batch) > 1
    ]

    def find_mean(weights: Weights, some: Sequence[Sequence[Lesson]]) -> list[float]:
        sums = [
            [loss.item() * len(batch) for loss in find_losses(base, weights, batch, pad)] for batch in some
        ]
        total = sum(map(len, some))
        return [round(sum(steps) / total, 4) for steps in zip(*sums, strict=True)]

    with torch.no_grad():
        before = sum(
            find_loss(base, [lesson.right for lesson in batch], pad).item() * len(batch) for batch in batches
        )
    return {
        "lessons": len(lessons),
        "before": round(before / len(lessons), 4),
        "after 1 and 2 steps of the gradient": find_mean(fresh, batches),
        "after 1 and 2 learned steps": find_mean(trained, batches),
        "after 1 and 2 learned steps on another problem's feedback": find_mean(trained, shifted),
    }


def check_saved(weights: Weights, target: Path, lessons: Sequence[Lesson], rows: Sequence[dict]) -> None:
    """End with a line where an adapter that the file makes gives other tokens than the trained step.

    Both in float32, so that only what was written counts, and after four steps, the most that users take.
    """
    import peft

    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
    with tempfile.TemporaryDirectory() as place:
        # the process that trains for users takes a model as its file has it
        base.save_pretrained(f"{place}/base")
        AutoTokenizer.from_pretrained(BASE).save_pretrained(f"{place}/base")
        learner = Learner(f"{place}/base")
        differs = 0
        for number, (lesson, row) in enumerate(zip(lessons, rows, strict=True)):
            prompt = lesson.right.tokens[: lesson.right.start]
            _, changes = take_steps(base, weights, lesson.steps * 2, "cpu")
            with Watch(base, list_layers(weights)) as watch:
                watch.changes = changes
                first = continue_greedily(base, prompt)
            steps = [[{"messages": row["messages"]} | trial for trial in trials] for trials in row["steps"]]
            folder = f"{place}/{number}"
            learner.train(
                {"steps": steps * 2, "device": "cpu", "optimizer_file": str(target), "folder": folder}
            )
            exported = peft.PeftModel.from_pretrained(base, folder)
            second = continue_greedily(exported, prompt)
            base = exported.unload()
            if first != second:
                raise SystemExit(f"{target} gives {second} where the trained step gives {first}")
            differs += first != continue_greedily(base, prompt)
    print(f"adapters of {target} give the tokens of the trained step on {len(rows)} prompts", end="")
    print(f", those of the model on {len(rows) - differs}")


def train(folder: Path, target: Path, seed: int) -> None:
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval().requires_grad_(False)
    pad = base.config.pad_token_id
    weights = make_optimizer(base, seed)
    lessons = read_lessons(folder / "lessons.jsonl")

    def find(batch: list[Lesson]) -> torch.Tensor:
        return sum(find_losses(base, weights, batch, pad)) / 2

    batches = make_batches(lessons, random.Random(seed))
    fit(torch.nn.ParameterList(weights.values()), batches, find, folder / "curve.jsonl", peak=PEAK)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach() for name, value in weights.items()}, target)
    unseen = read_lessons(folder / "unseen.jsonl")
    shown = show_unseen(
        base, make_optimizer(base, seed), read_optimizer(str(target), base, "cpu"), unseen, pad
    )
    (folder / "unseen.json").write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(shown, indent=1))
    rows = [json.loads(line) for line in (folder / "unseen.jsonl").read_text(encoding="utf-8").splitlines()]
    check_saved(weights, target, unseen[:CHECKED], rows[:CHECKED])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.folder, options.target, options.seed)


if __name__ == "__main__":
    main()
