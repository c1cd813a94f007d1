"""What an adapter is trained on. Equal trainings have equal names, whichever process makes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstar_code.agent.models.request import as_plain

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Message

RANK = 4
"""Rank of an adapter."""
SERVED_RANK = 8
"""The least rank that vLLM can be set up for and that holds `RANK`."""
ALPHA = 16
"""An adapter's change of the weights is multiplied by `ALPHA / RANK`."""
DROPOUT = 0.05
TARGETS = ("q_proj", "v_proj")
"""The layers that are changed: queries and values of attention."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A failed attempt at a problem, as a conversation."""

    messages: tuple[Message, ...]
    """What was asked."""
    answer: str
    feedback: str
    """What the answer is told as the next turn: the text that is learnt."""


@dataclass(frozen=True)
class Training:
    """Steps from the model's own weights: one a tuple of trials, their mean loss."""

    steps: tuple[tuple[Trial, ...], ...]
    rate: float
    """The learning rate of AdamW, the same at each step."""
    seed: int
    device: str = ""
    """Where it is done, in PyTorch's words; empty: a GPU where there is one. Not part of the name."""
    optimizer: str = ""
    """The file of a learned optimiser that makes the steps, not AdamW; its content is part of the name."""

    @cached_property
    def name(self) -> str:
        """`learn-` and a digest of everything that changes the weights."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return f"learn-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"

    def as_json(self) -> dict[str, Any]:
        """What the training process is told, but for the places."""
        return {
            "steps": [[as_plain(trial) for trial in step] for step in self.steps],
            "rate": self.rate,
            "seed": self.seed,
            "rank": RANK,
            "alpha": ALPHA,
            "dropout": DROPOUT,
            "targets": list(TARGETS),
            **({"optimizer": _digest(self.optimizer)} if self.optimizer else {}),
        }


@cache
def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
