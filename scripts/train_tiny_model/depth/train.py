"""Trains models that think in depth, and those that they are compared with, on FOLDER/examples.jsonl.

    .venv-vllm/bin/python -m scripts.train_tiny_model.depth.train FOLDER TARGET --kind KIND [--seed 0]

KIND is `recurrent` (written as TARGET-r1, -r2, -r4 and -r8, ordinary models), `inner`, or a model to compare
with: `plain` (three layers, the parameters of both), `deep` (six layers, the computation of four loops) and
`loop` (three layers, the middle one always four times). All see the same examples in the same order, once.
The loss of every twentieth step is kept in TARGET.curve.jsonl.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import Qwen2ForCausalLM

from scripts.train_tiny_model.depth.inner import InnerThinker, save
from scripts.train_tiny_model.depth.recurrent import EXPORTED, LoopDraw, Recurrent, export, name_depth
from scripts.train_tiny_model.tokens import END, make_tokenizer, render
from scripts.train_tiny_model.train import Example, find_loss, make_batches, make_model, rate_at

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerFast

PROMPTS = Path(__file__).with_name("prompts")
KINDS = ("recurrent", "inner", "plain", "deep", "loop")
LOOPS = 4
"""Those of `loop`; `deep` has as many layers between its first and its last."""


def read_examples(path: Path, count: int | None) -> tuple[list[Example], PreTrainedTokenizerFast]:
    """The first `count` examples as tokens, and the tokenizer that all of the file teach."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    texts = (render(row["messages"]) + row["answer"] for row in rows[:4000])
    tokenizer = make_tokenizer(texts, PROMPTS, PROMPTS)
    examples: list[Example] = []
    for row in rows[:count]:
        prompt = tokenizer.encode(render(row["messages"]))
        examples.append((prompt + tokenizer.encode(row["answer"] + END), len(prompt)))
    return examples, tokenizer


def make(kind: str, tokenizer: PreTrainedTokenizerFast, seed: int) -> nn.Module:
    """An untrained model with `model(input_ids).last_hidden_state` and `lm_head`."""
    torch.manual_seed(seed)
    base = make_model(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
    match kind:
        case "recurrent":
            return Recurrent(base, LoopDraw(seed))
        case "loop":
            return Recurrent(base, lambda: LOOPS)
        case "inner":
            return InnerThinker(base)
        case "deep":
            base.config.num_hidden_layers = 2 + LOOPS
            base.config.layer_types = base.config.layer_types[:1] * (2 + LOOPS)
            return Qwen2ForCausalLM(base.config)
        case _:
            return base


def teach(model: nn.Module, batches: list[list[Example]], pad: int, curve: Path) -> list[float]:
    """Train on all `batches` once; the loss of every step."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    losses: list[float] = []
    start_s = time.monotonic()
    model.train()
    with curve.open("w", encoding="utf-8") as file:
        for step, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step / len(batches), step)
            with torch.autocast("cpu", torch.bfloat16):
                loss = find_loss(model, batch, pad)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
            if step % 20 == 0 or step == len(batches) - 1:
                some = losses[-20:]
                seconds = time.monotonic() - start_s
                row = {"step": step, "of": len(batches), "loss": sum(some) / len(some), "seconds": seconds}
                file.write(json.dumps(row) + "\n")
                file.flush()
    model.eval()
    return losses


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
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, help="examples (default: all)")
    parser.add_argument("--batch-tokens", type=int, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(1)
    examples, tokenizer = read_examples(options.folder / "examples.jsonl", options.count)
    model = make(options.kind, tokenizer, options.seed)
    size = sum(weight.numel() for weight in model.parameters())
    options.target.parent.mkdir(parents=True, exist_ok=True)
    curve = options.target.with_name(f"{options.target.name}.curve.jsonl")
    batches = make_batches(examples, random.Random(options.seed), options.batch_tokens)
    losses = teach(model, batches, tokenizer.pad_token_id, curve)
    write(options.kind, model, options.target, tokenizer)
    print(f"{options.kind}: {size:,} parameters, {len(losses)} steps, loss {sum(losses[-20:]) / 20:.3f}")


if __name__ == "__main__":
    main()
