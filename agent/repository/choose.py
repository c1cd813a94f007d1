"""Chooses among the candidates for one function that pass everything.

Changes are compared by what they do, on inputs on which they differ. A function that takes objects which
plain values do not make cannot be called so: of its changes the one counts that most samples make, or a model
reads them in pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.telemetry.events import working_on
from sstar_code.selection.methods.registry import METHODS, select_all
from sstar_code.selection.pool import Pool

if TYPE_CHECKING:
    from sstar_code.agent.repository.task.problem import Task
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.selection import Candidate
    from sstar_code.selection.protocols import Selection

READING = "judge"
"""The method by which a model reads changes in pairs."""
_MOST_READ = 3
"""Changes that are read: three pairs, two calls each, as many as `adaptive` puts questions."""


async def choose_candidate(task: Task, candidates: Sequence[Candidate], context: SolveContext) -> Selection:
    """The choice of the method that was asked for, where the function can be called.

    Where it cannot, and `adaptive` may ask a model: the change that more than half of the samples which pass
    everything make, else the strongest of at most three, those that most samples make, read in pairs.

    Source: regression tests first, then pairs of different patches, as in Trae Agent (arXiv 2507.23370) and
    the execution-free verifier of R2E-Gym (arXiv 2504.07164); that a majority is not read is ours.
    """
    settings = context.settings
    problem = task.choosing or replace(task.writing, starter_code="", public_tests=())
    leaders = _find_leaders(candidates)
    is_read = task.choosing is None and settings.select == "adaptive" and len(leaders) > 1
    # what is not read has no program here, so that nobody compares it
    shown = [item if item.code in leaders else replace(item, code="") for item in candidates]
    method = READING if is_read else settings.select
    asks = task.choosing is not None or method == READING or method not in METHODS
    with working_on(problem.id, "select"):
        pool = Pool(
            replace(task.writing, public_tests=()) if is_read else problem,
            tuple(shown if is_read else candidates),
            context.sandbox,
            ask=context.ask if asks else None,  # of inputs that cannot be given nothing comes
            seed=settings.seed,
            audit=settings.audit,
        )
        selection = (await select_all(pool, [method]))[method]
    if not is_read:
        return selection
    how = f"it cannot be called with plain values, so {len(leaders)} changes were read in pairs by the model"
    return replace(selection, notes=(f"{how} ({selection.calls} calls)", *selection.notes))


def _find_leaders(candidates: Sequence[Candidate]) -> list[str]:
    """The changes that most samples make of those that pass everything; one alone where over half make it."""
    counts = Counter(item.code for item in candidates if item.survives)
    first = counts.most_common(1)
    if first and first[0][1] * 2 > counts.total():
        return [first[0][0]]
    return [code for code, _ in counts.most_common(_MOST_READ)]
