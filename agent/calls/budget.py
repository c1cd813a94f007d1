"""What a run may spend, and which of several errors is told."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sstar_code.problems import InfrastructureError, SstarError, UserError


class BudgetSpentError(SstarError):
    """The budget is spent and work is left. Exit code 4."""


@dataclass(slots=True)
class Budget:
    """Tokens (prompt and output together) and seconds; None is without limit."""

    max_tokens_total: int | None = None
    max_seconds: float | None = None
    max_tokens_problem: int | None = None
    """Tokens of one problem; when they are spent its calls fail and it is finished with what it has."""
    caps: Mapping[str, int] = field(default_factory=dict)
    """Tokens of single problems, in place of `max_tokens_problem`."""
    choosing: Mapping[str, int] = field(default_factory=dict)
    """As `caps`, for questions of selection, where they have other ones."""
    tokens: int = 0
    started_s: float = field(default_factory=time.monotonic)

    def cap_of(self, problem_id: str, *, choosing: bool) -> int | None:
        """Tokens that the problem may have spent before a call, one for `choosing`; None is without limit."""
        cap = self.caps.get(problem_id, self.max_tokens_problem)
        return self.choosing.get(problem_id, cap) if choosing else cap

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


_ORDER = (UserError, BudgetSpentError, InfrastructureError)
"""What the user can do most about comes first."""


def main_cause(error: BaseException) -> BaseException:
    """The error in a group of them that the user can do most about; any other error is itself."""
    return min(_leaves(error), key=_rank)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _rank(error: BaseException) -> int:
    return next((rank for rank, kind in enumerate(_ORDER) if isinstance(error, kind)), len(_ORDER))
