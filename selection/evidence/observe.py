"""Observes what programs do on the inputs of all methods, and which of them are nondeterministic."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sstar_code.sandbox.outcome import Execution, Failure, Status
from sstar_code.selection.evidence.clustering import (
    Clustering,
    behaviour_of,
    cluster_programs,
    compare_with,
    label,
)
from sstar_code.selection.evidence.cpu_budget import CpuBudget
from sstar_code.selection.inputs.replies import parse_inputs
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

_NO_ANSWER = Execution(Status.RE, failure=Failure("another output every time"))
_INPUTS = 2
"""Number of inputs that are run a second time; short ones, which cost least."""
_QUICK_CPU_S = 0.03
"""CPU time in seconds below which all first runs of a program have to be for it to be run again."""
_SHARE_S = 0.4
"""CPU seconds for all second runs; programs that come after they are spent are not repeated."""
_CPU_S = 0.12
"""CPU limit in seconds of a second run; one that takes four times as long is not the same either."""


async def find_nondeterministic(
    pool: Pool, members: Sequence[int], inputs: Sequence[str], ledger: Ledger
) -> frozenset[int]:
    """Those of `members` that do something else when they run on an input a second time.

    The sandbox fixes the seeds of `hash` and `random`, so what is left is what no rerun can repeat. The
    outputs of such a program are no evidence for anybody. A program that took long is not repeated.
    """
    texts = sorted(inputs, key=lambda text: (len(text), text))[:_INPUTS]
    first = await pool.board.run(members, texts, ledger)
    quick = [member for member in members if all(map(_is_quick, first[member]))]
    budget, limits = CpuBudget(pool, ledger, _SHARE_S), pool.board.limits(_CPU_S)
    second = {
        program: await budget.run_tool(pool.board.again(program), texts, limits)
        for program in pool.board.programs(quick)
    }
    alike = compare_with(pool.problem)
    found = frozenset(
        member
        for member in quick
        for pair in zip(first[member], second[pool.board.program_of[member]], strict=True)
        if _is_another(*pair, alike)
    )
    if found:
        ledger.notes.append(f"{len(found)} candidates do not do the same twice")
    return found


def _is_another(first: Execution, second: Execution | None, alike: Callable[[str, str], bool]) -> bool:
    if second is None or Status.IE in (first.status, second.status):
        return False
    return len(set(label([behaviour_of(first), behaviour_of(second)], alike))) > 1


def _is_quick(run: Execution) -> bool:
    return run.status in (Status.OK, Status.RE) and run.cpu_s < _QUICK_CPU_S


def mask_nondeterministic(
    runs: Mapping[int, Sequence[Execution]], members: Collection[int]
) -> dict[int, Sequence[Execution]]:
    """`runs` with every run of the nondeterministic `members` failed, unless there is no other program."""
    if set(members) >= set(runs):
        return dict(runs)
    return {index: [_NO_ANSWER] * len(done) if index in members else done for index, done in runs.items()}


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
    """Run `members` on `inputs`, as far as the CPU seconds last, and group them by what they do.

    Notes say which inputs do not count.
    """
    inputs, runs = await CpuBudget(pool, ledger).run_most(members, inputs)
    found = cluster_programs(pool.problem, inputs, runs)
    if found.all_failed:
        ledger.notes.append(
            f"{found.all_failed} of {len(inputs)} inputs dropped: every candidate failed on them"
        )
    if found.lost:
        ledger.notes.append(f"{found.lost} of {len(inputs)} inputs dropped: the sandbox failed on them")
    return found
