"""Answers for load tests: words without sense, as long as dice say."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from sstar_code.agent.testing.simulator.model import Planned
from sstar_code.agent.testing.simulator.prefix import CHARS_PER_TOKEN

__all__ = ["plan_by_dice"]

_MEAN_TOKENS = 300
_SIGMA = 0.6


def plan_by_dice(body: dict[str, Any]) -> Planned:
    """The same text for the same messages and seed; lengths are lognormal with a mean of 300 tokens."""
    dice = random.Random(json.dumps([body["messages"], body.get("seed")], sort_keys=True))
    tokens = max(1, round(dice.lognormvariate(math.log(_MEAN_TOKENS) - _SIGMA**2 / 2, _SIGMA)))
    letters = "".join(dice.choices("abcdefgh ", k=CHARS_PER_TOKEN * tokens))
    return Planned(letters, tokens)
