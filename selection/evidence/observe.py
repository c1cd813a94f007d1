"""Asks for inputs and observes what the candidates do on inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sstar_code.selection.evidence.clustering import Clustering, cluster_programs
from sstar_code.selection.inputs.replies import parse_inputs
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

GENERATED_INPUTS = 10
"""Inputs asked of the model in one call; as many again are accepted."""


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
