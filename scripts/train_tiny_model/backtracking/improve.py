"""A round of self-improvement: the model backtracks on tasks of its own kind and learns what came out right.

    .venv-vllm/bin/python -m scripts.train_tiny_model.backtracking.improve FOLDER [--round 1] [--seed 0]

Reads FOLDER/model, in later rounds FOLDER/improved-(ROUND - 1), and writes FOLDER/improved-ROUND with its
curve and the answers it learnt from. The tasks are new ones of compositions that are trained on; their tests
judge the programs, in the sandbox.

Source: Self-Backtracking (arXiv 2502.04404): beams of one backtrack, three epochs on the right ones. Here one
pass, on at most `KEPT` different right answers of a task.
"""

from __future__ import annotations

import argparse
import json
import random
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scripts.train_tiny_model.examples import PROMPTS, draw_known, make_row
from scripts.train_tiny_model.recipes import BACKTRACK, RECIPES
from scripts.train_tiny_model.tokens import END, render
from scripts.train_tiny_model.train import check_saved, find_loss, fit, make_batches, make_examples, save
from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.local.sandbox import LocalSandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from scripts.train_tiny_model.examples import Row
    from scripts.train_tiny_model.tasks import Task
    from sstar_code.sandbox import Sandbox

BEAMS = 8
KEPT = 2
TEMPERATURE = 0.7
PEAK = 5e-4
LONGEST = 160
"""Tokens of an answer."""
AT_ONCE = 512
"""Answers sampled together."""


@torch.no_grad()
def sample(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[str]:
    """A continuation of each text, up to its end or `BACKTRACK`, which stays at its end."""
    stops = [tokenizer.convert_tokens_to_ids(token) for token in (END, BACKTRACK)]
    made: list[str] = []
    for start in range(0, len(texts), AT_ONCE):
        batch = tokenizer(list(texts[start : start + AT_ONCE]), padding=True, return_tensors="pt")
        ids = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            max_new_tokens=LONGEST,
            eos_token_id=stops,
            pad_token_id=tokenizer.pad_token_id,
        )
        for row in ids[:, batch["input_ids"].shape[1] :]:
            text = tokenizer.decode(row, skip_special_tokens=False)
            made.append(text.replace(tokenizer.pad_token, "").removesuffix(END))
    return made


def search(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str]
) -> list[list[str]]:
    """Different whole answers to each prompt: of `BEAMS` samples; those with the token a line back, once."""
    found: list[dict[str, None]] = [{} for _ in prompts]
    back: list[tuple[int, str]] = []
    for place, text in enumerate(sample(model, tokenizer, [one for one in prompts for _ in range(BEAMS)])):
        if text.endswith(BACKTRACK):
            state = text.removesuffix(BACKTRACK).rstrip("\n")
            back.append((place // BEAMS, state[: state.rfind("\n") + 1]))
        else:
            found[place // BEAMS][text] = None
    ends = sample(model, tokenizer, [prompts[place] + state for place, state in back])
    for (place, state), end in zip(back, ends, strict=True):
        if not end.endswith(BACKTRACK):
            found[place][state + end] = None
    return [list(answers) for answers in found]


async def is_right(sandbox: Sandbox, task: Task, answer: str) -> bool:
    code = extract_code(answer, task.problem).code
    if code is None:
        return False
    tests = (*task.problem.public_tests, *task.problem.hidden_tests)
    return (await run_tests(sandbox, task.problem, code, tests, stop_on_failure=True)).verdict is Verdict.AC


async def collect(tasks: Sequence[Task], answers: Sequence[Sequence[str]]) -> list[Row]:
    """Rows to learn from: at most `KEPT` right answers of each task."""
    rows, prompts = [], Prompts(PROMPTS)
    async with LocalSandbox(1) as sandbox:
        for task, some in zip(tasks, answers, strict=True):
            right = [answer for answer in some if await is_right(sandbox, task, answer)]
            rows += [make_row(prompts.render("generate", task.problem), answer) for answer in right[:KEPT]]
    return rows


def improve(folder: Path, number: int, count: int, seed: int) -> None:
    torch.manual_seed(1000 * number + seed)
    torch.set_num_threads(1)
    start = folder / ("model" if number == 1 else f"improved-{number - 1}")
    tokenizer = AutoTokenizer.from_pretrained(start, padding_side="left")
    tasks = list(islice(draw_known(random.Random(f"improve {number} {seed}"), hidden=10), count))
    asked = [make_row(Prompts(PROMPTS).render("generate", task.problem), "") for task in tasks]
    rounded = AutoModelForCausalLM.from_pretrained(start, dtype=torch.bfloat16).eval()
    answers = search(rounded, tokenizer, [render(row["messages"]) for row in asked])
    rows = anyio.run(partial(collect, tasks, answers))
    print(
        f"{sum(map(len, answers))} different answers to {count} tasks, {len(rows)} right ones kept",
        flush=True,
    )
    target = folder / f"improved-{number}"
    target.mkdir(exist_ok=True)
    (folder / f"improved-{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    model = AutoModelForCausalLM.from_pretrained(start, dtype=torch.float32)
    examples, pad = make_examples(rows, tokenizer), tokenizer.pad_token_id
    batches = make_batches(examples, random.Random(seed), RECIPES["backtrack"].batch_tokens)
    curve = folder / f"curve-{number}.jsonl"
    fit(model, batches, lambda batch: find_loss(model, batch, pad), curve, peak=PEAK)
    save(model, tokenizer, target)
    check_saved(model, tokenizer, target, examples[:8])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--round", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    improve(options.folder, options.round, options.tasks, options.seed)


if __name__ == "__main__":
    main()
