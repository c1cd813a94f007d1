"""How well models notice a mistake: how likely `<backtrack>` is behind a planted wrong line and a right one.

    .venv-vllm/bin/python -m scripts.train_tiny_model.backtracking.notice PLANTED MODEL [MODEL ...]

A line of JSON for each model: {"model", "wrong", "right", "auc"}, the mean probabilities, and how likely the
token is more probable behind a wrong line than behind a right one, ties counted half.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.train_tiny_model.recipes import BACKTRACK
from scripts.train_tiny_model.tokens import render

if TYPE_CHECKING:
    from collections.abc import Sequence


def find_auc(wrong: Sequence[float], right: Sequence[float]) -> float:
    pairs = [(one > two) + (one == two) / 2 for one in wrong for two in right]
    return statistics.fmean(pairs)


@torch.no_grad()
def notice(folder: Path, rows: Sequence[dict]) -> tuple[list[float], list[float]]:
    """The probabilities behind the wrong lines and behind the right ones."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    token = tokenizer.convert_tokens_to_ids(BACKTRACK)
    found: dict[str, list[float]] = {"wrong": [], "right": []}
    for row in rows:
        prompt = tokenizer.encode(render(row["messages"]))
        for name, chances in found.items():
            ids = prompt + tokenizer.encode(row["kept"] + row[name])
            logits = model(torch.tensor([ids])).logits[0, -1].float()
            chances.append(logits.softmax(-1)[token].item())
    return found["wrong"], found["right"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("planted", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in options.planted.read_text(encoding="utf-8").splitlines()]
    for folder in options.models:
        wrong, right = notice(folder, rows)
        means = {"wrong": statistics.fmean(wrong), "right": statistics.fmean(right)}
        print(json.dumps({"model": str(folder), **means, "auc": find_auc(wrong, right)}), flush=True)


if __name__ == "__main__":
    main()
