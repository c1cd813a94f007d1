"""Writes with a recurrent model whose loops end for each token when another would change nothing.

Source: arXiv 2502.05171, section 6: the loops of a token end when the Kullback-Leibler divergence of its
distribution from that of the loop before is under a threshold. Published thresholds are 5e-4 and 1e-3.

Departures: where a token ended early, the loops it did not make get the keys and values of its last state,
not those of its last loop; prompts are read with all loops. Each look at the distribution costs the coda.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from scripts.train_tiny_model.depth.layers import Past, add_pair, find_turn, run_layer
from scripts.train_tiny_model.depth.recurrent import MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import LlamaForCausalLM

__all__ = ["Written", "write_with_exits"]

DIVERGENCE = 1e-3


@dataclass(slots=True)
class Written:
    """What was written, and what it cost."""

    tokens: list[int] = field(default_factory=list)
    """Without the one that ends it."""
    loops: list[int] = field(default_factory=list)
    """Passes through the middle layer, for each token that was written, that which ends it included."""


@torch.no_grad()
def write_with_exits(
    base: LlamaForCausalLM,
    prompt: Sequence[int],
    *,
    most: int = MOST,
    divergence: float = DIVERGENCE,
    limit: int = 300,
) -> Written:
    """The likeliest token after the other, `limit` at most.

    Args:
        base: the model of one loop.
        prompt: token ids.
        most: loops a token.
        divergence: the loops end under this, in nats; 0: always all of them.
        limit: tokens.
    """
    model, made = base.model, Written()
    (prelude, shared, coda) = model.layers
    pasts: list[Past] = [None] * most
    hidden = model.embed_tokens(torch.tensor([prompt]))
    turn = find_turn(model, hidden)
    hidden, first = run_layer(prelude, hidden, turn)
    for loop in range(most):
        hidden, pasts[loop] = run_layer(shared, hidden, turn)
    hidden, last = run_layer(coda, hidden, turn)
    logits = _read(base, hidden)
    made.loops.append(most)
    while (token := int(logits.argmax())) != base.config.eos_token_id and len(made.tokens) < limit:
        made.tokens.append(token)
        hidden = model.embed_tokens(torch.tensor([[token]]))
        turn = find_turn(model, hidden, len(prompt) + len(made.tokens) - 1)
        hidden, first = run_layer(prelude, hidden, turn, first)
        before = None
        for loop in range(most):
            hidden, pasts[loop] = run_layer(shared, hidden, turn, pasts[loop])
            if divergence == 0 and loop < most - 1:
                continue
            out, kept = run_layer(coda, hidden, turn, last)
            logits = _read(base, out)
            if before is not None and _diverge(logits, before) < divergence:
                break
            before = logits
        for skipped in range(loop + 1, most):
            pasts[skipped] = add_pair(shared, hidden, turn, pasts[skipped])
        last = kept
        made.loops.append(loop + 1)
    return made


def _read(base: LlamaForCausalLM, hidden: Tensor) -> Tensor:
    logits: Tensor = base.lm_head(base.model.norm(hidden[0, -1])).float()
    return logits


def _diverge(now: Tensor, before: Tensor) -> float:
    """The Kullback-Leibler divergence of `now` from `before`, logits both, in nats."""
    sure, unsure = now.log_softmax(0), before.log_softmax(0)
    return float((sure.exp() * (sure - unsure)).sum())
