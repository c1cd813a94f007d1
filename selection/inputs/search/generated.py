"""Inputs of a problem's own generator, where it has one, as far as its validator accepts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.problems.formats.judges import lacks_testlib, list_commands
from sstar_code.sandbox.judging.generators import build_generator
from sstar_code.sandbox.judging.validators import build_validator
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.outcome import Limits, Status, is_cut
from sstar_code.selection.evidence.cpu_budget import CpuBudget

if TYPE_CHECKING:
    from sstar_code.sandbox.outcome import Program
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

_SHARE_S = 1.5
"""CPU seconds of a problem that generator and validator may use."""
_MOST_RUNS, _MOST_INPUTS = 40, 20
_MOST_CHARS = 10_000
"""Characters of the longest input that is taken: generators also make the largest that a problem allows, on
which slow programs look wrong under the limits of a search."""
_LIMITS = Limits(cpu_s=0.5, kept_chars=_MOST_CHARS)


async def find_generated_inputs(pool: Pool, ledger: Ledger) -> list[str]:
    """What the problem's generator prints, each once, short ones first; at most `_MOST_INPUTS`.

    None where it has no generator, or this sandbox cannot run it; an input that the validator refuses is
    left out.
    """
    problem = pool.problem
    if problem.generator is None:
        return []
    if lacks_testlib(problem.generator):
        ledger.notes.append("the problem's generator is not run: testlib.h was not named")
        return []
    program = build_generator(problem)
    if not _can_run(pool, program):
        ledger.notes.append(f"the problem's generator is not run: the sandbox has no {program.language}")
        return []
    budget = CpuBudget(pool, ledger, _SHARE_S)
    runs = await budget.run_tool(program, list_commands(problem.generator)[:_MOST_RUNS], _LIMITS)
    made = [run.stdout for run in runs if run is not None and run.status is Status.OK]
    inputs = sorted(
        {text for text in made if text.strip() and not is_cut(text)}, key=lambda text: (len(text), text)
    )
    if not inputs:
        ledger.notes.append("the problem's generator made no input that can be used")
        return []
    valid = await _keep_valid(pool, budget, inputs[:_MOST_INPUTS])
    ledger.notes.append(f"{len(valid)} inputs are of the problem's own generator")
    return valid


async def _keep_valid(pool: Pool, budget: CpuBudget, inputs: Sequence[str]) -> list[str]:
    """Those of `inputs` that the validator accepts; all where there is none that can be run."""
    validator = pool.problem.validator
    if validator is None or lacks_testlib(validator):
        return list(inputs)
    program = build_validator(pool.problem)
    if not _can_run(pool, program):
        return list(inputs)
    limits = replace(_LIMITS, memory_mb=max(_LIMITS.memory_mb, pool.problem.memory_limit_mb))
    runs = await budget.run_tool(program, inputs, limits)
    refused = sum(run is not None and run.status is not Status.OK for run in runs)
    if refused:
        count = f"{refused} of {len(inputs)} inputs of the problem's generator"
        budget.ledger.notes.append(f"{count} left out: its validator refuses them")
    return [text for text, run in zip(inputs, runs, strict=True) if run is None or run.status is Status.OK]


def _can_run(pool: Pool, program: Program) -> bool:
    return program.language in (PYTHON, *pool.sandbox.environment.languages)
