"""How far the model is to be trusted as a judge, found out once for a run over a set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from sstar_code.selection.judging.calibration import measure_judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.problems import Problem
    from sstar_code.selection import Ask
    from sstar_code.selection.judging.calibration import JudgeRecord

__all__ = ["SEVERAL", "SharedJudge"]

SEVERAL = 8
"""Problems for which it pays to measure the judge in 40 calls; of fewer, each does it for itself."""


@dataclass(slots=True)
class SharedJudge:
    """The record of the judge behind `ask` on the public tests of `problems`, measured when first needed.

    The same whichever problem needs it first, so a run that was killed and started again judges alike.
    """

    problems: Sequence[Problem]
    ask: Ask
    _record: JudgeRecord | None = None
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def measure(self) -> JudgeRecord | None:
        """The record; None where there are too few problems to measure it on.

        Raises:
            ModelError: the endpoint is down.
            BudgetSpentError: nothing is left to spend.
        """
        if len(self.problems) < SEVERAL:
            return None
        async with self._lock:
            if self._record is None:
                self._record = await measure_judge(self.problems, self.ask)
        return self._record
