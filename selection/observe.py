"""Inputs to try the candidates on, and what they do there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.grade import limits_for
from sandbox.outcome import Status
from selection.cluster import Clustering, cluster_programs
from selection.inputs import parse_inputs
from selection.mutate import large_inputs, mutate_inputs
from selection.protocols import Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from selection.evidence import Ledger
    from selection.pool import Pool

__all__ = ["ask_inputs", "find_free_inputs", "observe"]

GENERATED_INPUTS = 10
"""Asked of the model in one call; as many again are accepted."""
FREE_INPUTS = 50
"""Mutations of the public inputs: 20 find about seven tenths of what 200 do, 100 about nine tenths."""
LARGE_INPUTS = 4
FREE_CPU_S = 2.0
"""A mutated input may be beyond what the statement allows, so its runs get less time than a test's."""
_CHUNK = 8
_COSTLY_RUNS = 12
"""Runs out of time or memory after which no further mutated inputs are tried."""


async def ask_inputs(pool: Pool, ledger: Ledger) -> list[str]:
    """Inputs that the model writes for the problem, one call; empty, with a note, where it gives none."""
    if pool.ask is None:
        ledger.notes.append("no model: inputs are mutations of the public ones")
        return []
    reply = await pool.board.ask(Question.INPUTS, "generated", ledger, count=GENERATED_INPUTS)
    if reply is None:
        ledger.notes.append("inputs: the call failed")
        return []
    found = parse_inputs(reply.text, pool.problem, limit=2 * GENERATED_INPUTS)
    if not found:
        ledger.notes.append("inputs: no input could be read from the reply")
    return found


async def find_free_inputs(pool: Pool, members: Sequence[int], ledger: Ledger) -> list[str]:
    """Mutations of the public inputs, the large ones last, that are not too costly for the programs.

    Two programs try every input first: one on which both run out of time or memory is left out before
    the others see it. The programs of `members` have run on the inputs that are returned.
    """
    board, problem = pool.board, pool.problem
    limits = limits_for(problem)
    limits = replace(limits, cpu_s=min(limits.cpu_s, FREE_CPU_S))
    scouts = sorted({board.program_of[index] for index in members})[:2]
    texts = mutate_inputs(problem, FREE_INPUTS, pool.seed_for("mutate"))
    texts += [text for text in large_inputs(problem, LARGE_INPUTS) if text not in texts]
    kept: list[str] = []
    costly_runs = 0
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        costly = chunk
        for scout in scouts:
            runs = await board.run([scout], costly, ledger, limits)
            costly = [
                text
                for text, run in zip(costly, runs[scout], strict=True)
                if run.status in (Status.TLE, Status.MLE)
            ]
            costly_runs += len(costly)
        fit = [text for text in chunk if text not in costly]
        await board.run(members, fit, ledger, limits)
        kept += fit
        if costly_runs >= _COSTLY_RUNS:
            ledger.notes.append(
                f"{len(texts) - start - len(chunk)} mutated inputs left out: too many time-outs"
            )
            break
    return kept


async def observe(pool: Pool, members: Sequence[int], inputs: Sequence[str], ledger: Ledger) -> Clustering:
    """Run `members` on `inputs` and group them by what they do; notes say which inputs do not count."""
    runs = await pool.board.run(members, inputs, ledger)
    found = cluster_programs(pool.problem, inputs, runs)
    if found.all_failed:
        ledger.notes.append(
            f"{found.all_failed} of {len(inputs)} inputs dropped: every candidate failed on them"
        )
    if found.lost:
        ledger.notes.append(f"{found.lost} of {len(inputs)} inputs dropped: the sandbox failed on them")
    return found
