"""What a run may spend. When it is spent no new call is made; what is in flight is the only overrun."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sstar_code.problems import SstarError


class BudgetSpentError(SstarError):
    """The budget is spent and work is left. Exit code 4."""


@dataclass(slots=True)
class Budget:
    """Tokens (prompt and output together) and seconds; None is without limit."""

    max_tokens_total: int | None = None
    max_seconds: float | None = None
    max_tokens_problem: int | None = None
    """Tokens of one problem; when they are spent its calls fail and it is finished with what it has."""
    tokens: int = 0
    started_s: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Before a call.

        Raises:
            BudgetSpentError: nothing is left.
        """
        if self.max_tokens_total is not None and self.tokens >= self.max_tokens_total:
            raise BudgetSpentError(
                f"the token budget is spent ({self.tokens} of {self.max_tokens_total}); "
                "run the same command with a larger --max-tokens-total to go on"
            )
        if self.max_seconds is not None and time.monotonic() - self.started_s >= self.max_seconds:
            raise BudgetSpentError(
                f"the time budget of {self.max_seconds:g} s is spent; run the same command again to go on"
            )
