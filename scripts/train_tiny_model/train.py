"""Trains the tiny coder on FOLDER/examples.jsonl and writes the model to TARGET.

    .venv-vllm/bin/python -m scripts.train_tiny_model.train FOLDER TARGET [--minutes M]

A Qwen2 of 1.35 million parameters (2.7 MB in bf16), one pass over the examples at most, loss on the answers
alone. With `--minutes` it ends then whatever the speed: the rate of learning follows the clock, and two runs
are not alike.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import time
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from scripts.train_tiny_model.tokens import END, make_tokenizer, render

BATCH_TOKENS = 2048
PEAK = 2e-3
WARM_UP = 60
CONTEXT = 2048
ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "agent" / "prompts" / "text"
OWN_TEMPLATES = ROOT / "problems" / "bundled" / "lists" / "prompts"

Example = tuple[list[int], int]
"""Tokens, and where the answer begins."""


def make_model(vocabulary: int, end: int, pad: int) -> Qwen2ForCausalLM:
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
    )
    return Qwen2ForCausalLM(config)


def make_batches(examples: list[Example], rng: random.Random) -> list[list[Example]]:
    """Batches of about `BATCH_TOKENS` with examples of like length, in random order."""
    batches: list[list[Example]] = []
    window = 512
    for start in range(0, len(examples), window):
        batch: list[Example] = []
        some = []
        for example in sorted(examples[start : start + window], key=lambda item: len(item[0])):
            if batch and (len(batch) + 1) * len(example[0]) > BATCH_TOKENS:
                some.append(batch)
                batch = []
            batch.append(example)
        rng.shuffle(some)
        batches += some
    return batches


def find_loss(model: Qwen2ForCausalLM, batch: list[Example], pad: int) -> torch.Tensor:
    width = max(len(tokens) for tokens, _ in batch)
    ids = torch.tensor([tokens + [pad] * (width - len(tokens)) for tokens, _ in batch])
    places = torch.arange(width)[None, :]
    starts = torch.tensor([start for _, start in batch])[:, None]
    ends = torch.tensor([len(tokens) for tokens, _ in batch])[:, None]
    asked = (places >= starts) & (places < ends)
    # Padding is on the right and attention looks left: no mask is needed, only what is asked counts.
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[asked[:, 1:]])
    return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][asked[:, 1:]])


def rate_at(done: float, step: int) -> float:
    return PEAK * min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1))) / 2)


def train(folder: Path, target: Path, minutes: float, seed: int) -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    with (folder / "examples.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    texts = (render(row["messages"]) + row["answer"] for row in rows[:4000])
    tokenizer = make_tokenizer(texts, TEMPLATES, OWN_TEMPLATES)
    examples: list[Example] = []
    for row in rows:
        prompt = tokenizer.encode(render(row["messages"]))
        examples.append((prompt + tokenizer.encode(row["answer"] + END), len(prompt)))
    examples = [example for example in examples if len(example[0]) < CONTEXT]
    pad = tokenizer.pad_token_id
    batches = make_batches(examples, random.Random(seed))
    total = sum(len(tokens) for tokens, _ in examples)
    model = make_model(len(tokenizer), tokenizer.eos_token_id, pad)
    size = sum(weight.numel() for weight in model.parameters())
    print(
        f"{size:,} parameters, {len(tokenizer)} tokens known, {total:,} to learn from, {len(batches)} steps"
    )
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    (seen, mean, start_s) = (0, 0.0, time.monotonic())
    for step, batch in enumerate(batches):
        spent = (time.monotonic() - start_s) / (60 * minutes)
        if spent >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate_at(max(spent, step / len(batches)), step)
        with torch.autocast("cpu", torch.bfloat16):
            loss = find_loss(model, batch, pad)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += sum(len(tokens) for tokens, _ in batch)
        mean = 0.95 * mean + 0.05 * loss.item() if step else loss.item()
        if step % 20 == 0:
            speed = seen / (time.monotonic() - start_s)
            if step % 200 == 0:
                save(model, tokenizer, target.with_name(f"{target.name}-so-far"))
            print(f"step {step}: loss {mean:.3f}, {seen:,} tokens, {speed:,.0f} a second", flush=True)
    print(
        f"ended after {step + 1} steps, {seen:,} tokens, {time.monotonic() - start_s:.0f} s, loss {mean:.3f}"
    )
    save(model, tokenizer, target)


def save(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, target: Path) -> None:
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.folder, options.target, options.minutes, options.seed)


if __name__ == "__main__":
    main()
