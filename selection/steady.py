"""Programs that do not do the same twice: by time, identity of objects or real randomness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.outcome import Execution, Failure, Status
from selection.cluster import behaviour_of, compare_with, label

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from selection.evidence import Ledger
    from selection.pool import Pool

__all__ = ["find_unsteady", "mask_unsteady"]

_NO_ANSWER = Execution(Status.RE, failure=Failure("another output every time"))
_INPUTS = 2
"""Run a second time; short ones, which cost least."""


async def find_unsteady(
    pool: Pool, members: Sequence[int], inputs: Sequence[str], ledger: Ledger
) -> frozenset[int]:
    """Those of `members` that do something else when they run on an input a second time.

    The sandbox fixes the seeds of `hash` and `random`, so what is left is what no rerun can repeat. The
    outputs of such a program are no evidence for anybody.
    """
    texts = sorted(inputs, key=lambda text: (len(text), text))[:_INPUTS]
    first = await pool.board.run(members, texts, ledger)
    second = await pool.board.run_again(members, texts, ledger)
    alike = compare_with(pool.problem)
    found = set()
    for member in members:
        for pair in zip(first[member], second[member], strict=True):
            if (
                Status.IE not in {run.status for run in pair}
                and len(set(label([behaviour_of(run) for run in pair], alike))) > 1
            ):
                found.add(member)
    if found:
        ledger.notes.append(f"{len(found)} candidates do not do the same twice")
    return frozenset(found)


def mask_unsteady(
    runs: Mapping[int, Sequence[Execution]], unsteady: Collection[int]
) -> dict[int, Sequence[Execution]]:
    """`runs` with every run of an unsteady program failed, unless there is no other program."""
    if set(unsteady) >= set(runs):
        return dict(runs)
    return {index: [_NO_ANSWER] * len(done) if index in unsteady else done for index, done in runs.items()}
