"""Trains a model on FOLDER/examples.jsonl and writes it to TARGET, its curve to FOLDER/curve.jsonl.

    .venv-vllm/bin/python -m scripts.train_tiny_model.train FOLDER TARGET [--recipe tiny-coder] [--seed 0]

A Llama of 1.35 million parameters (2.7 MB in bf16), new or one that is trained further, one pass over the
examples at most, loss on the answers alone, without the line that an example shows as wrong. In the end the
model is read back from TARGET and has to give the tokens that the trained one gives. With `--minutes` it ends
then whatever the speed: the rate of learning follows the clock, and two runs are not alike.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from scripts.train_tiny_model.recipes import BACKTRACK, RECIPES
from scripts.train_tiny_model.tokens import END, make_tokenizer, render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BATCH_TOKENS = 2048
PEAK = 2e-3
WARM_UP = 60
CONTEXT = 2048
ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "agent" / "prompts" / "text"
OWN_TEMPLATES = ROOT / "problems" / "bundled" / "lists" / "prompts"


class Example(NamedTuple):
    """One text to learn from."""

    tokens: list[int]
    start: int
    """Where the answer begins: what stands before is read, not learnt."""
    skipped: tuple[int, int] = (0, 0)
    """First and last + 1 of the tokens of the answer that are not learnt."""


def make_model(vocabulary: int, end: int, pad: int) -> LlamaForCausalLM:
    # A Llama, because `AutoTokenizer` and so vLLM split its texts as the file says. For some kinds, as Qwen2,
    # they take the kind's own rule instead, and a model would be served in tokens that it has not learnt.
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        attention_bias=True,
        max_position_embeddings=CONTEXT,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
    )
    return LlamaForCausalLM(config)


def read_rows(folder: Path) -> list[dict]:
    with (folder / "examples.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def learn_tokens(rows: Sequence[dict]) -> PreTrainedTokenizerFast:
    """The tokenizer, trained on the first of the rows."""
    texts = (render(row["messages"]) + row["answer"] for row in rows[:4000])
    return make_tokenizer(texts, TEMPLATES, OWN_TEMPLATES)


def make_examples(rows: Sequence[dict], tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    """The rows as tokens; what is longer than the context is left out."""
    examples = []
    for row in rows:
        prompt = tokenizer.encode(render(row["messages"]))
        answer, wrong, cut = row["answer"], row.get("wrong", ""), row.get("cut", 0)
        if wrong:
            made = tokenizer(answer + wrong + BACKTRACK, return_offsets_mapping=True)
            right = sum(end <= len(answer) for _, end in made["offset_mapping"])
            skipped = (len(prompt) + right, len(prompt) + len(made["input_ids"]) - 1)
            examples.append(Example(prompt + made["input_ids"], len(prompt), skipped))
        else:
            ids = tokenizer.encode(answer[:cut]) + tokenizer.encode(answer[cut:] + END)
            examples.append(Example(prompt + ids, len(prompt)))
    return [example for example in examples if len(example.tokens) < CONTEXT]


def make_batches(
    examples: list[Example], rng: random.Random, tokens: int = BATCH_TOKENS
) -> list[list[Example]]:
    """Batches of about so many `tokens` with examples of like length, in random order."""
    batches: list[list[Example]] = []
    window = 512
    for start in range(0, len(examples), window):
        batch: list[Example] = []
        some = []
        for example in sorted(examples[start : start + window], key=lambda item: len(item[0])):
            if batch and (len(batch) + 1) * len(example[0]) > tokens:
                some.append(batch)
                batch = []
            batch.append(example)
        rng.shuffle(some)
        batches += some
    return batches


def pad_batch(batch: Sequence[Example], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids, padded on the right, and which of them are learnt: both (examples, longest)."""
    batch = [Example(*one) for one in batch]
    width = max(len(example.tokens) for example in batch)
    ids = torch.tensor([example.tokens + [pad] * (width - len(example.tokens)) for example in batch])
    asked = torch.zeros(ids.shape, dtype=torch.bool)
    for row, (tokens, start, (first, last)) in zip(asked, batch, strict=True):
        row[start : len(tokens)] = True
        row[first:last] = False
    return ids, asked


def find_loss(model: LlamaForCausalLM, batch: Sequence[Example], pad: int) -> torch.Tensor:
    ids, asked = pad_batch(batch, pad)
    # Padding is on the right and attention looks left: no mask is needed, only what is asked counts.
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[asked[:, 1:]])
    return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][asked[:, 1:]])


def rate_at(done: float, step: int, peak: float = PEAK) -> float:
    return peak * min(1.0, (step + 1) / WARM_UP) * (0.02 + 0.98 * (1 + math.cos(math.pi * min(done, 1))) / 2)


def fit(
    model: torch.nn.Module,
    batches: Sequence[list[Example]],
    find: Callable[[list[Example]], torch.Tensor],
    curve: Path,
    *,
    minutes: float = math.inf,
    peak: float = PEAK,
) -> None:
    """One pass over the batches; a line of `curve` for every 20 steps and for the last.

    Args:
        model: what is trained, in place.
        batches: what it learns from, in this order.
        find: the loss of a batch, computed under bf16.
        curve: the file for {"step", "steps", "loss", "tokens", "seconds"}; the loss is a moving mean.
        minutes: it ends then at the latest, and the rate falls in time.
        peak: the largest rate of learning.
    """
    size = sum(weight.numel() for weight in model.parameters())
    total = sum(len(example.tokens) for batch in batches for example in batch)
    print(f"{size:,} parameters, {total:,} tokens to learn from, {len(batches)} steps")
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    (seen, mean, start_s) = (0, 0.0, time.monotonic())
    with curve.open("w", encoding="utf-8") as file:
        for step, batch in enumerate(batches):
            spent = (time.monotonic() - start_s) / (60 * minutes)
            if spent >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = rate_at(max(spent, step / len(batches)), step, peak)
            with torch.autocast("cpu", torch.bfloat16):
                loss = find(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            seen += sum(len(example.tokens) for example in batch)
            mean = 0.95 * mean + 0.05 * loss.item() if step else loss.item()
            if step % 20 == 0 or step == len(batches) - 1:
                seconds = round(time.monotonic() - start_s, 1)
                row = {"step": step, "steps": len(batches), "loss": round(mean, 4), "tokens": seen}
                row["seconds"] = seconds
                print(json.dumps(row), file=file, flush=True)
                print(f"step {step}: loss {mean:.3f}, {seen:,} tokens, {seconds:g} s", flush=True)


def train(folder: Path, target: Path, minutes: float, seed: int, recipe: str = "tiny-coder") -> None:
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rows, made = read_rows(folder), RECIPES[recipe]
    tokenizer = learn_tokens(rows) if made.start is None else AutoTokenizer.from_pretrained(made.start)
    tokenizer.add_tokens([made.mark] if made.mark else [], special_tokens=True)
    examples = make_examples(rows, tokenizer)
    pad = tokenizer.pad_token_id
    batches = make_batches(examples, random.Random(seed), made.batch_tokens)
    if made.start is None:
        model = make_model(len(tokenizer), tokenizer.eos_token_id, pad)
    else:
        model = AutoModelForCausalLM.from_pretrained(made.start, dtype=torch.float32)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    curve = folder / "curve.jsonl"
    fit(model, batches, lambda batch: find_loss(model, batch, pad), curve, minutes=minutes, peak=made.peak)
    save(model, tokenizer, target)
    check_saved(model, tokenizer, target, examples[:8])


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, target: Path) -> None:
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)


def check_saved(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, target: Path, examples: Sequence[Example]
) -> None:
    """End with a line where `target` splits text, or in bf16 continues it, otherwise than trained."""
    loaded = AutoTokenizer.from_pretrained(target)
    for text in (tokenizer.decode(example.tokens) for example in examples):
        if loaded.encode(text) != tokenizer.encode(text):
            raise SystemExit(f"{target} is not split into the tokens that were learnt: {text}")
    prompts = [example.tokens[: example.start] for example in examples]
    trained = copy.deepcopy(model).eval()
    for weight in trained.parameters():  # the rotary frequencies, which no file holds, are not rounded
        weight.data = weight.data.to(torch.bfloat16)
    exported = AutoModelForCausalLM.from_pretrained(target, dtype=torch.bfloat16).eval()
    for prompt in prompts:
        first, second = (continue_greedily(one, prompt) for one in (trained, exported))
        if first != second:
            raise SystemExit(f"{target} gives {second} where the trained model gives {first}")
    print(f"{target} gives the tokens of the trained model on {len(prompts)} prompts")


@torch.no_grad()
def continue_greedily(model: LlamaForCausalLM, prompt: list[int], count: int = 64) -> list[int]:
    ids = torch.tensor([prompt])
    made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=count)
    return made[0, len(prompt) :].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--recipe", choices=RECIPES, default="tiny-coder")
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.folder, options.target, options.minutes, options.seed, options.recipe)


if __name__ == "__main__":
    main()
