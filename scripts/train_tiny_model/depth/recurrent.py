"""A Llama of three layers whose middle one is run several times: prelude, shared block, coda.

Source: latent recurrent depth (arXiv 2502.05171; seal-rg/recurrent-pretraining): a shared block is run r
times between a prelude and a coda, and r is drawn anew for each step of training from a Poisson distribution
with a log-normal mean, so that one model serves every r.

Departures: the block is given nothing of the prelude's output but its first state, where the published model
is given it in each loop and starts from noise. So a model of r loops is an ordinary Llama of 2 + r layers
whose middle layers are alike, and any engine serves it. r is at most `MOST`, and the gradient goes through
all loops, not through the last eight.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import LlamaForCausalLM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedTokenizerFast
    from transformers.modeling_outputs import BaseModelOutputWithPast

__all__ = ["EXPORTED", "MEAN", "MOST", "LoopDraw", "Recurrent", "export", "name_depth", "unroll"]

MEAN = 4.0
"""Loops in training, on average."""
SPREAD = 0.5
"""Standard deviation of the logarithm of the mean, as published."""
MOST = 8
EXPORTED = (1, 2, 4, 8)


class LoopDraw:
    """Draws the loops of each step: 1 and a Poisson draw whose mean is log-normal, `MOST` at most."""

    def __init__(self, seed: int) -> None:
        self._chance = torch.Generator().manual_seed(seed)

    def __call__(self) -> int:
        middle = math.log(MEAN - 1) - SPREAD**2 / 2
        rate = torch.exp(middle + SPREAD * torch.randn(1, generator=self._chance))
        return min(MOST, 1 + int(torch.poisson(rate, generator=self._chance)))


class Recurrent(nn.Module):
    """`base` with its middle layer run as often as `draw` says, anew at each call of `model`."""

    def __init__(self, base: LlamaForCausalLM, draw: Callable[[], int]) -> None:
        super().__init__()
        if base.config.num_hidden_layers != 3:
            raise ValueError("a prelude, a shared block and a coda are three layers")
        self.base = base
        self._draw = draw
        self._unrolled: dict[int, LlamaForCausalLM] = {}

    @property
    def lm_head(self) -> nn.Linear:
        """From the last hidden state to logits."""
        return self.base.lm_head

    def model(self, input_ids: Tensor) -> BaseModelOutputWithPast:
        """The last hidden states of `input_ids`, (batch, tokens)."""
        loops = self._draw()
        if loops not in self._unrolled:
            self._unrolled[loops] = unroll(self.base, loops)
        return self._unrolled[loops].model(input_ids=input_ids, use_cache=False)


def unroll(base: LlamaForCausalLM, loops: int) -> LlamaForCausalLM:
    """`base` with its middle layer `loops` times in a row; all weights are shared with it."""
    config = copy.deepcopy(base.config)
    config.num_hidden_layers = 2 + loops
    whole = LlamaForCausalLM(config)
    state = {}
    for name, weight in base.state_dict(keep_vars=True).items():
        places = {"0": [0], "1": range(1, 1 + loops), "2": [1 + loops]}
        begin, layer, rest = name.partition("model.layers.")
        if not layer:
            state[begin] = weight
            continue
        number, _, rest = rest.partition(".")
        state |= {f"{layer}{place}.{rest}": weight for place in places[number]}
    whole.load_state_dict(state, assign=True)
    return whole.train(base.training)


def export(
    base: LlamaForCausalLM, loops: int, target: Path, tokenizer: PreTrainedTokenizerFast | None = None
) -> None:
    """Write `base` of so many loops as an ordinary model, each layer with weights of its own."""
    shared = unroll(base, loops)
    plain = LlamaForCausalLM(shared.config).to(base.dtype)
    plain.load_state_dict(shared.state_dict())
    plain.save_pretrained(target)
    if tokenizer is not None:
        tokenizer.save_pretrained(target)


def name_depth(target: Path, loops: int) -> Path:
    """The folder of an export: `NAME-r4`, as `--strategy depth` looks for it."""
    return target.with_name(f"{target.name}-r{loops}")
