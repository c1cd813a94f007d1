"""Runs programs under a hard budget of CPU seconds.

A batch starts only if all of its runs could take all they are allowed and the budget would still hold. What
a run really took is charged afterwards, in steps, so that the same search on a busier machine, or after it
was killed and started again, makes the same choices. Every run that a method makes is charged to its ledger;
a stage may be given a share of what is left there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sstar_code.sandbox.grade import limits_for
from sstar_code.sandbox.outcome import Limits, Status
from sstar_code.selection.concurrency import run_together

if TYPE_CHECKING:
    from sstar_code.sandbox.outcome import Execution, Program
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

CPU_S, QUICK_CPU_S = 0.5, 0.2
"""CPU limits in seconds of one run, and of one run of a program that is known to be quick. Small inputs need
little; a generated one may be beyond what the statement allows."""
_AT_ONCE = 3
"""Programs in a batch."""
_MOST_INPUTS = 6
"""Inputs in a batch of programs that are all known; with an unknown one among them it is one input."""
_KNOWN_AFTER = 2
"""Runs after which a program is known even if none of them ended well; one that did is enough."""
_CHARGES_S = ((0.008, 0.0025), (0.03, 0.02), (0.12, 0.08))
"""Steps (CPU time below which a run falls under the step, charge); slower runs are charged their limit."""
_QUICK_CHARGE_S = 0.02
"""Highest charge of a known program's runs with which it counts as quick."""
_TOOL_KEPT_CHARS = 400_000
"""Characters that are kept of what a tool returns."""


@dataclass(slots=True)
class CpuBudget:
    """CPU seconds that may be spent on runs of one pool's programs: a share of what its ledger has left."""

    pool: Pool
    ledger: Ledger
    share_s: float = math.inf
    cpu_s: float = CPU_S
    """Limit of one run of a program that is not known yet or not quick."""
    quick_cpu_s: float = QUICK_CPU_S
    """Limit of one run of a program that is known to be quick."""
    runs: int = 0
    """New runs (program and input) so far."""

    @property
    def left_s(self) -> float:
        """CPU seconds that may still be spent."""
        return min(self.share_s, self.ledger.left_s)

    def spend(self, seconds: float) -> None:
        """Charge `seconds`."""
        self.share_s -= seconds
        self.ledger.left_s -= seconds

    @property
    def is_empty(self) -> bool:
        """Whether not even one run can be started for sure."""
        return self.left_s < self.cpu_s

    def runs_affordable(self) -> int:
        """How many runs of known programs may be started at once."""
        return max(0, int(self.left_s / self.quick_cpu_s + 1e-9))

    async def run(self, programs: Sequence[int], texts: Sequence[str]) -> dict[int, list[Execution]] | None:
        """The executions of each of `programs` on each of `texts`.

        None where the budget does not last for all of them: what has run by then is charged and remembered.
        Runs that the ledger holds already are free.
        """
        for start in range(0, len(programs), _AT_ONCE):
            if not await self._run_some(programs[start : start + _AT_ONCE], texts):
                return None
        return await self.pool.board.run(programs, texts, self.ledger)

    async def run_most(
        self, members: Sequence[int], texts: Sequence[str]
    ) -> tuple[list[str], dict[int, list[Execution]]]:
        """As many of `texts`, in order, as the budget lasts for, and the executions of `members` on them."""
        programs, done = self.pool.board.programs(members), 0
        while done < len(texts):
            if await self.run(programs, texts[done : done + _MOST_INPUTS]) is None:
                break
            done += _MOST_INPUTS
        tried = list(texts[:done])
        rest = texts[done : done + _MOST_INPUTS]
        tried += [text for text in rest if await self.run(programs, [text]) is not None]
        if len(tried) < len(texts):
            count = f"{len(texts) - len(tried)} of {len(texts)} inputs"
            self.ledger.notes.append(f"{count} left out: the CPU seconds for them are spent")
        return tried, await self.pool.board.run(members, tried, self.ledger)

    async def run_tool(
        self, program: Program, texts: Sequence[str], limits: Limits | None = None
    ) -> list[Execution | None]:
        """The executions of a program that is no candidate on each of `texts`; None for those left out.

        `limits`: those of one run; None: the budget's CPU seconds. The program is given up after
        `_KNOWN_AFTER` runs that used up their limit.
        """
        found: list[Execution | None] = []
        limits, hopeless = limits or Limits(cpu_s=self.cpu_s, kept_chars=_TOOL_KEPT_CHARS), 0
        while len(found) < len(texts) and self.left_s + 1e-9 >= limits.cpu_s and hopeless < _KNOWN_AFTER:
            size = min(int((self.left_s + 1e-9) / limits.cpu_s), _MOST_INPUTS if found else 1)
            batch = texts[len(found) : len(found) + size]
            runs = await self.pool.board.run_tool(program, batch, limits, self.ledger)
            for run in runs:
                self.spend(charge_s(run, limits.cpu_s))
                hopeless += run.status is Status.TLE
            found += runs
        return found + [None] * (len(texts) - len(found))

    async def _run_some(self, programs: Sequence[int], texts: Sequence[str]) -> bool:
        known = self.ledger.runs
        waiting = [text for text in dict.fromkeys(texts) if any((one, text) not in known for one in programs)]
        while waiting:
            limits_s = [self._limit_s(program) for program in programs]
            if self.left_s + 1e-9 < sum(limits_s):
                return len(programs) > 1 and await self._run_singly(programs, texts)
            size = min(int((self.left_s + 1e-9) / sum(limits_s)), _MOST_INPUTS)
            if not all(map(self._is_known, programs)):
                size = 1
            batch, waiting = waiting[:size], waiting[size:]
            await run_together(
                partial(self._run_one, *pair, batch) for pair in zip(programs, limits_s, strict=True)
            )
        return True

    async def _run_singly(self, programs: Sequence[int], texts: Sequence[str]) -> bool:
        for program in programs:
            if not await self._run_some([program], texts):
                return False
        return True

    async def _run_one(self, program: int, limit_s: float, texts: Sequence[str]) -> None:
        new = [text for text in texts if (program, text) not in self.ledger.runs]
        runs = (await self.pool.board.run([program], new, self.ledger, limit_s))[program]
        self.runs += len(new)
        ledger = self.ledger
        ledger.run_counts[program] = ledger.run_counts.get(program, 0) + len(new)
        for run in runs:
            self.spend(charge := charge_s(run, limit_s))
            if run.status is Status.OK:
                ledger.slowest_s[program] = max(charge, ledger.slowest_s.get(program, 0.0))

    def _is_known(self, program: int) -> bool:
        ledger = self.ledger
        return program in ledger.slowest_s or ledger.run_counts.get(program, 0) >= _KNOWN_AFTER

    def _limit_s(self, program: int) -> float:
        slowest_s = self.ledger.slowest_s.get(program, 0.0)
        is_quick = self._is_known(program) and slowest_s <= _QUICK_CHARGE_S
        return min(limits_for(self.pool.problem).cpu_s, self.quick_cpu_s if is_quick else self.cpu_s)


def charge_s(run: Execution, most_s: float) -> float:
    """CPU seconds charged for `run`, which was allowed `most_s`."""
    return next((charge for below, charge in _CHARGES_S if run.cpu_s < below), most_s)
