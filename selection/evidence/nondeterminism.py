"""Programs that do not do the same twice: by time, identity of objects or real randomness."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.sandbox.grade import limits_for
from sstar_code.sandbox.outcome import Execution, Failure, Status
from sstar_code.selection.evidence.clustering import behaviour_of, compare_with, label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

__all__ = ["find_unsteady", "mask_unsteady"]

_NO_ANSWER = Execution(Status.RE, failure=Failure("another output every time"))
_INPUTS = 2
"""Run a second time; short ones, which cost least."""
_QUICK_CPU_S = 0.03
"""Only what took less the first time is run again,"""
_CPU_S = 0.12
"""with this limit: one that needs four times as long does not do the same twice either."""


async def find_unsteady(
    pool: Pool, members: Sequence[int], inputs: Sequence[str], ledger: Ledger
) -> frozenset[int]:
    """Those of `members` that do something else when they run on an input a second time.

    The sandbox fixes the seeds of `hash` and `random`, so what is left is what no rerun can repeat. The
    outputs of such a program are no evidence for anybody. A program that took long is not repeated.
    """
    texts = sorted(inputs, key=lambda text: (len(text), text))[:_INPUTS]
    first = await pool.board.run(members, texts, ledger)
    quick = [member for member in members if all(map(_is_quick, first[member]))]
    limits = limits_for(pool.problem)
    limits = replace(limits, cpu_s=min(limits.cpu_s, _CPU_S))
    second = await pool.board.run_again(quick, texts, ledger, limits)
    alike = compare_with(pool.problem)
    found = set()
    for member in quick:
        for pair in zip(first[member], second[member], strict=True):
            if (
                Status.IE not in {run.status for run in pair}
                and len(set(label([behaviour_of(run) for run in pair], alike))) > 1
            ):
                found.add(member)
    if found:
        ledger.notes.append(f"{len(found)} candidates do not do the same twice")
    return frozenset(found)


def _is_quick(run: Execution) -> bool:
    return run.status in (Status.OK, Status.RE) and run.cpu_s < _QUICK_CPU_S


def mask_unsteady(
    runs: Mapping[int, Sequence[Execution]], unsteady: Collection[int]
) -> dict[int, Sequence[Execution]]:
    """`runs` with every run of an unsteady program failed, unless there is no other program."""
    if set(unsteady) >= set(runs):
        return dict(runs)
    return {index: [_NO_ANSWER] * len(done) if index in unsteady else done for index, done in runs.items()}
