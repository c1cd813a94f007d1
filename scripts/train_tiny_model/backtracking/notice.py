"""How well models notice a mistake: how likely `<backtrack>` is behind a planted wrong line and a right one.

    .venv-vllm/bin/python -m scripts.train_tiny_model.backtracking.notice PLANTED MODEL

Prints {"wrong", "right"}: the probability behind each wrong line of PLANTED, and behind each right one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.train_tiny_model.recipes import BACKTRACK
from scripts.train_tiny_model.tokens import render

if TYPE_CHECKING:
    from collections.abc import Sequence


@torch.no_grad()
def notice(folder: Path, rows: Sequence[dict]) -> dict[str, list[float]]:
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
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("planted", type=Path)
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in options.planted.read_text(encoding="utf-8").splitlines()]
    print(json.dumps(notice(options.model, rows)))


if __name__ == "__main__":
    main()
