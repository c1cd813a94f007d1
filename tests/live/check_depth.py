"""Says whether models of depth write what was trained, token for token; needs torch and transformers.

    python tests/live/check_depth.py PROMPTS TARGET

TARGET as `scripts.train_tiny_model.depth.train` was given it. Prints a JSON object: for each form of the
model the answers that are compared, those that are the same, and the tokens of all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from scripts.train_tiny_model.depth import inner
from scripts.train_tiny_model.depth.exits import write_with_exits
from scripts.train_tiny_model.depth.recurrent import EXPORTED, Recurrent, name_depth
from scripts.train_tiny_model.tokens import render

LIMIT = 40


def main() -> None:
    torch.set_num_threads(1)
    prompts_path, target = map(Path, sys.argv[1:])
    rows = [json.loads(line) for line in prompts_path.read_text(encoding="utf-8").splitlines()]
    is_inner = (target / "inner.safetensors").exists()
    tokenizer = AutoTokenizer.from_pretrained(target if is_inner else name_depth(target, 1))
    prompts = [tokenizer.encode(render(row["messages"])) for row in rows]
    found = check_inner(target, prompts) if is_inner else check_recurrent(target, prompts)
    sys.stdout.write(json.dumps(found) + "\n")


def check_recurrent(target: Path, prompts: list[list[int]]) -> dict[str, list[int]]:
    """Each export by transformers' own `generate`, against the trained block run in a loop."""
    base = load(name_depth(target, 1))
    found = {}
    for loops in EXPORTED:
        plain = load(name_depth(target, loops))
        pairs = []
        for prompt in prompts:
            whole = plain.generate(torch.tensor([prompt]), max_new_tokens=LIMIT, do_sample=False)
            told = [token for token in whole[0, len(prompt) :].tolist() if token != base.config.eos_token_id]
            looped = write_with_exits(base, prompt, most=loops, divergence=0, limit=LIMIT)
            trained = find_likeliest(Recurrent(base, lambda loops=loops: loops), prompt + told)
            pairs += [(told, looped.tokens), (told, trained[len(prompt) - 1 :][: len(told)])]
        found[f"r{loops}"] = count(pairs)
    exits = [write_with_exits(base, prompt, divergence=1e9, limit=LIMIT) for prompt in prompts]
    found["loops"] = sorted({loops for made in exits for loops in made.loops[1:]})
    return found


def check_inner(target: Path, prompts: list[list[int]]) -> dict[str, list[int]]:
    """What is written with only the work that is asked for, against the model as it is trained."""
    thinker = inner.load(target).float()
    made = [inner.write(thinker, prompt, LIMIT) for prompt in prompts]
    pairs = [
        (one.tokens, find_likeliest(thinker, prompt + one.tokens)[len(prompt) - 1 :][: len(one.tokens)])
        for one, prompt in zip(made, prompts, strict=True)
    ]
    return {"inner": count(pairs), "loops": sorted({loops for one in made for loops in one.loops})}


def load(folder: Path) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def find_likeliest(model: Recurrent | inner.InnerThinker, tokens: list[int]) -> list[int]:
    """The token behind each of `tokens` by the model in the form in which it is trained."""
    hidden = model.eval().model(torch.tensor([tokens])).last_hidden_state
    return model.lm_head(hidden)[0].argmax(-1).tolist()


def count(pairs: list[tuple[list[int], list[int]]]) -> list[int]:
    return [len(pairs), sum(one == other for one, other in pairs), sum(len(one) for one, _ in pairs)]


if __name__ == "__main__":
    main()
