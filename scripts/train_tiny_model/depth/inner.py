"""A Llama of three layers whose middle one is run again for those tokens that a router picks.

Source: Inner Thinking Transformer (arXiv 2502.13842): a layer makes a full pass and three steps more, each on
the 70% of the tokens that a linear router scores highest; a step's result is weighted by the router and by a
learnt vector for the step, and added to what the steps before gave.

Departures: the highest scores of a text are not known while it is written, so a step takes the tokens whose
score is over a threshold, which is a running mean of the score that parts 70% of the tokens in training. So a
token's way depends on what is before it alone, in training too. What is added is the change that the layer
makes, since its result holds its input already. One layer of three is so, where the paper takes every other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from scripts.train_tiny_model.depth.exits import Written
from scripts.train_tiny_model.depth.layers import Past, add_pair, find_turn, run_layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

__all__ = ["InnerThinker", "load", "save", "write"]

STEPS = 3
SHARE = 0.7
MOMENTUM = 0.1
"""How far each step of training moves the thresholds towards those of its tokens."""


class InnerThinker(nn.Module):
    """`base` with `STEPS` further passes through its middle layer for some tokens."""

    def __init__(self, base: LlamaForCausalLM) -> None:
        super().__init__()
        if base.config.num_hidden_layers != 3:
            raise ValueError("the layer that is run again is the middle one of three")
        self.base = base
        width = base.config.hidden_size
        self.routers = nn.Linear(width, STEPS)
        self.marks = nn.Parameter(torch.ones(STEPS + 1, width))
        """What each pass is weighted by."""
        self.register_buffer("thresholds", torch.zeros(STEPS))
        self.thresholds: Tensor

    @property
    def lm_head(self) -> nn.Linear:
        """From the last hidden state to logits."""
        return self.base.lm_head

    def model(self, input_ids: Tensor) -> SimpleNamespace:
        """`last_hidden_state` of `input_ids`, (batch, tokens), padded on the right; learns the thresholds.

        Every token passes the layer in every step and some results are left out: in training the steps cost
        as much as for all. `write` leaves out the work too.
        """
        model = self.base.model
        (before, middle, after) = model.layers
        hidden = model.embed_tokens(input_ids)
        turn = find_turn(model, hidden)
        hidden, _ = run_layer(before, hidden, turn)
        result, _ = run_layer(middle, hidden, turn)
        hidden = hidden + self.marks[0] * (result - hidden)
        for step in range(STEPS):
            scores = self.score(hidden, step)
            if self.training:
                some = scores.detach()[input_ids != self.base.config.pad_token_id].float()
                self.thresholds[step].lerp_(torch.quantile(some, 1 - SHARE), MOMENTUM)
            result, _ = run_layer(middle, hidden, turn)
            hidden = self.add(hidden, result, scores, step)
        hidden, _ = run_layer(after, hidden, turn)
        return SimpleNamespace(last_hidden_state=model.norm(hidden))

    def score(self, hidden: Tensor, step: int) -> Tensor:
        """How much each token is worth another pass, (batch, tokens)."""
        return nn.functional.linear(hidden, self.routers.weight[step], self.routers.bias[step])

    def picks(self, scores: Tensor, step: int) -> Tensor:
        """Which tokens take part in `step`."""
        return scores > self.thresholds[step]

    def add(self, hidden: Tensor, result: Tensor, scores: Tensor, step: int) -> Tensor:
        """`hidden` with what the pass changed, for the tokens that were picked."""
        weight = torch.sigmoid(scores) * self.picks(scores, step)
        return hidden + weight.unsqueeze(-1) * self.marks[step + 1] * (result - hidden)


@dataclass(slots=True)
class _Pasts:
    """Keys and values of the two outer layers and of every pass through the middle one."""

    before: Past = None
    passes: list[Past] = field(default_factory=lambda: [None] * (STEPS + 1))
    after: Past = None


@torch.no_grad()
def write(thinker: InnerThinker, prompt: Sequence[int], limit: int = 300) -> Written:
    """The likeliest token after the other, `limit` at most; a token that is not picked costs no pass."""
    made, pasts, ids = Written(), _Pasts(), list(prompt)
    while True:
        logits, passes = _read(thinker, ids, len(prompt) + len(made.tokens) - len(ids), pasts)
        made.loops.append(passes)
        token = int(logits.argmax())
        if token == thinker.base.config.eos_token_id or len(made.tokens) == limit:
            return made
        made.tokens.append(token)
        ids = [token]


def _read(thinker: InnerThinker, ids: list[int], start: int, pasts: _Pasts) -> tuple[Tensor, int]:
    """The logits behind `ids`, which begin at place `start`, and the passes of the last of them."""
    base = thinker.base
    (before, middle, after) = base.model.layers
    hidden = base.model.embed_tokens(torch.tensor([ids]))
    turn = find_turn(base.model, hidden, start)
    hidden, pasts.before = run_layer(before, hidden, turn, pasts.before)
    result, pasts.passes[0] = run_layer(middle, hidden, turn, pasts.passes[0])
    hidden = hidden + thinker.marks[0] * (result - hidden)
    passes = 1
    for step in range(STEPS):
        past, scores = pasts.passes[step + 1], thinker.score(hidden, step)
        picked = thinker.picks(scores, step)
        passes += int(picked[0, -1])
        if picked.any():
            result, pasts.passes[step + 1] = run_layer(middle, hidden, turn, past)
            hidden = thinker.add(hidden, result, scores, step)
        else:
            pasts.passes[step + 1] = add_pair(middle, hidden, turn, past)
    hidden, pasts.after = run_layer(after, hidden, turn, pasts.after)
    logits: Tensor = base.lm_head(base.model.norm(hidden[0, -1])).float()
    return logits, passes


def save(thinker: InnerThinker, target: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the model; `load` reads it, no engine does."""
    target.mkdir(parents=True, exist_ok=True)
    thinker.base.config.save_pretrained(target)
    state = {name: weight.detach().contiguous() for name, weight in thinker.state_dict().items()}
    del state["base.lm_head.weight"]  # tied
    save_file(state, target / "inner.safetensors")
    tokenizer.save_pretrained(target)


def load(folder: Path) -> InnerThinker:
    """The model that `save` wrote."""
    thinker = InnerThinker(LlamaForCausalLM(LlamaConfig.from_pretrained(folder)))
    state = load_file(folder / "inner.safetensors")
    thinker.load_state_dict({**state, "base.lm_head.weight": state["base.model.embed_tokens.weight"]})
    return thinker.eval()
