"""Which of several errors at once is told."""

from __future__ import annotations

from collections.abc import Iterator

from sstar_code.agent.calls.budget import BudgetSpentError
from sstar_code.problems import InfrastructureError, UserError

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
