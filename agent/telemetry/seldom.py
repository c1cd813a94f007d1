"""A line about what happens often, told seldom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from sstar_code.agent.telemetry.events import log_event

_EVERY_S = 10.0


class Seldom:
    """Passes on a line every ten seconds at most, with how many it kept back: an outage hits all calls."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said_s = -math.inf
        self._kept_back = 0

    def __call__(self, line: str) -> None:
        """Pass on `line`, or count it."""
        log_event("call.retried", why=line)
        now_s = time.monotonic()
        if now_s - self._said_s < _EVERY_S:
            self._kept_back += 1
            return
        more = f" ({self._kept_back} more like it)" if self._kept_back else ""
        self._say(f"sstar: {line}{more}")
        self._said_s, self._kept_back = now_s, 0
