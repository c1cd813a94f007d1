"""Trains LoRA adapters of one model: a job a line on standard input, a line of JSON back for each.

    python -I train_lora.py MODEL

A process of its own, so that no other imports PyTorch or pays for the model's weights; it may have another
Python than `sstar`, like vLLM's. It ends with its input. PyTorch, transformers and peft only; never imported.

A job is `Training.as_json` with `device`, `folder` and `optimizer_file`; the adapter is written to that
folder. Its steps are those of AdamW, or with a file those of a learned optimiser. The reply has the `losses`,
one a step, or an `error`. The same job gives the same adapter on one kind of machine: each step is seeded.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PIECE = 64
"""Lengths in tokens are multiples of this."""


class Learner:
    """The model, loaded when it is first needed, and back at its own weights after each job."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._base: Any = None
        self._tokenizer: Any = None

    def train(self, job: dict[str, Any]) -> list[float]:
        """Take the steps of `job` and write the adapter; the loss before each step.

        Raises:
            Exception: what PyTorch, transformers and peft raise.
        """
        import peft
        import torch

        device = job["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
        base = self._load().to(device)
        if job["optimizer_file"]:
            return self._train_by_optimizer(base, job, device)
        torch.manual_seed(job["seed"])
        config = peft.LoraConfig(
            r=job["rank"],
            lora_alpha=job["alpha"],
            lora_dropout=job["dropout"],
            target_modules=job["targets"],
            task_type="CAUSAL_LM",
        )
        model = peft.get_peft_model(base, config)
        try:
            optimizer = torch.optim.AdamW(
                (item for item in model.parameters() if item.requires_grad), lr=job["rate"]
            )
            losses = []
            for number, trials in enumerate(job["steps"]):
                torch.manual_seed(job["seed"] + 1 + number)  # of dropout
                losses.append(self._take_step(model, optimizer, trials, device))
            model.save_pretrained(job["folder"], save_embedding_layers=False)
        finally:
            self._base = model.unload()
        return losses

    def _train_by_optimizer(self, base: Any, job: dict[str, Any], device: str) -> list[float]:
        """As `train`, by the optimiser that the job names."""
        learned = _import_beside("learned_step")
        weights = learned.read_optimizer(job["optimizer_file"], base, device)
        base.requires_grad_(False)
        steps = [[encode_trial(self._tokenizer, trial) for trial in trials] for trials in job["steps"]]
        losses: list[float]
        losses, changes = learned.take_steps(base, weights, steps, device)
        learned.write_adapter(changes, self._name, job["folder"])
        return losses

    def _load(self) -> Any:
        if self._base is None:
            from transformers import AutoModelForCausalLM, AutoTokenizer

            self._tokenizer = AutoTokenizer.from_pretrained(self._name)
            base = AutoModelForCausalLM.from_pretrained(self._name, dtype="auto")
            base.config.use_cache = False
            base.gradient_checkpointing_enable({"use_reentrant": False})
            self._base = base.train()
        return self._base

    def _take_step(self, model: Any, optimizer: Any, trials: list[dict[str, Any]], device: str) -> float:
        """One step of the mean loss over `trials`, one after the other; that loss."""
        import torch

        total = 0.0
        for trial in trials:
            tokens, labels = encode_trial(self._tokenizer, trial)
            loss = model(
                input_ids=torch.tensor([tokens], device=device), labels=torch.tensor([labels], device=device)
            ).loss / len(trials)
            loss.backward()
            total += loss.item()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total


def encode_trial(tokenizer: Any, trial: dict[str, Any]) -> tuple[list[int], list[int]]:
    """The conversation's tokens, and the same with everything but the feedback masked."""
    feedback = trial["feedback"].strip()
    turns = [
        *trial["messages"],
        {"role": "assistant", "content": trial["answer"]},
        {"role": "user", "content": feedback},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    begin = text.rindex(feedback)
    end = begin + len(feedback)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    tokens = encoded["input_ids"]
    labels = [
        token if begin <= first < last <= end else -100
        for token, (first, last) in zip(tokens, encoded["offset_mapping"], strict=True)
    ]
    # behind what is learnt, so without a mask: kernels are kept for every length that comes
    padding = -len(tokens) % _PIECE
    return tokens + tokens[-1:] * padding, labels + [-100] * padding


def _import_beside(name: str) -> Any:
    """A module of this folder: an isolated Python does not look there."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(name: str) -> None:
    """Answer the jobs that come in, until no more can."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no reply
    learner = Learner(name)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            reply: dict[str, Any] = {"losses": learner.train(job)}
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who asked is told
            reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
