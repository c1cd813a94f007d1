"""Has models write programs for PROMPTS, and appends them to OUT with what they cost.

    .venv-vllm/bin/python -m scripts.train_tiny_model.depth.sample PROMPTS OUT MODEL [MODEL ...] [--samples 8]

A row is {"model", "seed", "problem", "sample", "text", "tokens", "loops"}: the likeliest answer as sample -1,
then `--samples` at temperature 0.7 (models with an own generator have the likeliest alone). Of a model
`NAME-r1`, `--exit KL` writes the likeliest answer with loops that end for each token, as `NAME-exit-KL`.
`loops` is the mean number of passes of the written tokens through the middle layer; 0: not counted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from scripts.train_tiny_model.depth import inner
from scripts.train_tiny_model.depth.exits import Written, write_with_exits
from scripts.train_tiny_model.tokens import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transformers import PreTrainedTokenizerFast

LIMIT = 200
"""Tokens of an answer."""
BATCH = 60
TEMPERATURE = 0.7
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--exit", type=float, action="append", default=[], metavar="KL")
    options = parser.parse_args()
    torch.set_num_threads(1)
    problems = [json.loads(line) for line in options.prompts.read_text(encoding="utf-8").splitlines()]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a", encoding="utf-8") as file:
        for folder in options.models:
            for row in write_all(folder, problems, options.samples, options.exit):
                file.write(json.dumps(row) + "\n")
            file.flush()


def write_all(folder: Path, problems: list[Row], samples: int, exits: list[float]) -> Iterator[Row]:
    """The rows of the model in `folder`."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [tokenizer.encode(render(problem["messages"])) for problem in problems]
    ids = [problem["id"] for problem in problems]
    if (folder / "inner.safetensors").exists():
        thinker = inner.load(folder).float()
        yield from _write_each(
            folder.name, ids, prompts, tokenizer, lambda one: inner.write(thinker, one, LIMIT)
        )
        return
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for sample in range(-1, samples):
        torch.manual_seed(sample + 1)
        for start in range(0, len(prompts), BATCH):
            some = slice(start, start + BATCH)
            written = _write_batch(model, tokenizer, prompts[some], is_drawn=sample >= 0)
            for problem, tokens in zip(ids[some], written, strict=True):
                text = tokenizer.decode(tokens, skip_special_tokens=True)
                yield _make_row(folder.name, problem, sample, text, Written(tokens))
    for divergence in exits:
        name = f"{folder.name.removesuffix('-r1')}-exit-{divergence:g}"
        yield from _write_each(
            name,
            ids,
            prompts,
            tokenizer,
            lambda one, least=divergence: write_with_exits(model, one, divergence=least, limit=LIMIT),
        )


def _write_batch(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[list[int]], *, is_drawn: bool
) -> list[list[int]]:
    """The tokens of an answer to each prompt, without what ends it."""
    padded = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    how = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0} if is_drawn else {"do_sample": False}
    with torch.no_grad():
        whole = model.generate(**padded, max_new_tokens=LIMIT, **how)
    ends = {model.config.eos_token_id, model.config.pad_token_id}
    written = whole[:, padded["input_ids"].shape[1] :].tolist()
    return [row[: next((at for at, token in enumerate(row) if token in ends), None)] for row in written]


def _write_each(
    name: str,
    ids: list[str],
    prompts: list[list[int]],
    tokenizer: PreTrainedTokenizerFast,
    write: Callable[[list[int]], Written],
) -> Iterator[Row]:
    for problem, prompt in zip(ids, prompts, strict=True):
        made = write(prompt)
        text = tokenizer.decode(made.tokens, skip_special_tokens=True)
        yield _make_row(name, problem, -1, text, made)


def _make_row(name: str, problem: str, sample: int, text: str, made: Written) -> Row:
    """The folder of a model is called KIND-SEED, with `-rR` or `-exit-KL` behind."""
    kind, seed, *rest = name.split("-", 2)
    loops = made.loops[1:]  # the first is the prompt's
    return {
        "model": "-".join([kind, *rest]),
        "seed": int(seed),
        "problem": problem,
        "sample": sample,
        "text": text,
        "tokens": len(made.tokens),
        "loops": sum(loops) / len(loops) if loops else 0.0,
    }


if __name__ == "__main__":
    main()
