"""Trains models that think in depth, and those that they are compared with, on FOLDER/examples.jsonl.

    .venv-vllm/bin/python -m scripts.train_tiny_model.depth.train FOLDER TARGET --kind KIND [--seed 0]

KIND is one of those in `data.KINDS`: `recurrent` (written as TARGET-r1, -r2, -r4 and -r8, ordinary models),
`inner`, or a model to compare with: `plain` (three layers, the parameters of both), `deep` (six layers, the
computation of four loops) and `loop` (three layers, the middle one always four times). All see the same
examples, once, and begin as the live tests' model, which has three layers, or with random weights. The loss
of every twentieth step is kept in TARGET.curve.jsonl.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from scripts.train_tiny_model.depth.data import KINDS
from scripts.train_tiny_model.depth.inner import InnerThinker, save
from scripts.train_tiny_model.depth.recurrent import EXPORTED, LoopDraw, Recurrent, export, name_depth, unroll
from scripts.train_tiny_model.tokens import END, make_tokenizer, render
from scripts.train_tiny_model.train import (
    OWN_TEMPLATES,
    PEAK,
    TEMPLATES,
    Example,
    find_loss,
    fit,
    make_batches,
    make_model,
)

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerFast

START = Path(__file__).parents[3] / "tests" / "live" / "tiny_coder" / "model"
BATCH_TOKENS = 1024
Row = dict[str, Any]
LOOPS = 4
"""Those of `loop`; `deep` has as many layers between its first and its last."""


def find_tokenizer(rows: list[Row], start: Path | None) -> PreTrainedTokenizerFast:
    """That of the model `start`; without one, a new one."""
    if start is not None:
        return AutoTokenizer.from_pretrained(start)
    texts = (render(row["messages"]) + row["answer"] for row in rows[:4000])
    return make_tokenizer(texts, TEMPLATES, OWN_TEMPLATES)


def encode(rows: list[Row], tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    """The examples as tokens."""
    examples: list[Example] = []
    for row in rows:
        prompt = tokenizer.encode(render(row["messages"]))
        examples.append(Example(prompt + tokenizer.encode(row["answer"] + END), len(prompt)))
    return examples


def make(kind: str, tokenizer: PreTrainedTokenizerFast, seed: int, start: Path | None) -> nn.Module:
    """What is trained, with `model(input_ids).last_hidden_state` and `lm_head`.

    `deep` begins as `start` with its middle layer repeated, without as any model of six layers.
    """
    torch.manual_seed(seed)
    if start is None:
        base = make_model(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
    else:
        base = LlamaForCausalLM.from_pretrained(start, dtype=torch.float32)
    match kind:
        case "recurrent":
            return Recurrent(base, LoopDraw(seed))
        case "loop":
            return Recurrent(base, lambda: LOOPS)
        case "inner":
            return InnerThinker(base)
        case "deep":
            shared = unroll(base, LOOPS)
            deep = LlamaForCausalLM(shared.config)
            if start is not None:
                deep.load_state_dict(shared.state_dict())
            return deep
        case _:
            return base


def write(kind: str, model: nn.Module, target: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the model in bfloat16, the recurrent ones unrolled."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(model, InnerThinker):
        save(model.to(torch.bfloat16), target, tokenizer)
    elif isinstance(model, Recurrent):
        base = model.base.to(torch.bfloat16)
        for loops in EXPORTED if kind == "recurrent" else (LOOPS,):
            folder = name_depth(target, loops) if kind == "recurrent" else target
            export(base, loops, folder, tokenizer)
    else:
        model.to(torch.bfloat16).save_pretrained(target)
        tokenizer.save_pretrained(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--kind", choices=KINDS.values(), required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from-nothing", action="store_true", help="begin with random weights")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = (options.folder / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    start = None if options.from_nothing else START
    tokenizer = find_tokenizer(rows, start)
    model = make(options.kind, tokenizer, options.seed, start)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    curve = options.target.with_name(f"{options.target.name}.curve.jsonl")
    batches = make_batches(encode(rows, tokenizer), random.Random(options.seed), BATCH_TOKENS)
    peak = PEAK if start is None else PEAK / 2
    fit(model, batches, lambda batch: find_loss(model, batch, tokenizer.pad_token_id), curve, peak=peak)
    write(options.kind, model.eval(), options.target, tokenizer)


if __name__ == "__main__":
    main()
