"""The programs that a model wrote while it was thinking, and what became of them.

A draft is a fenced block of the thinking that is a whole program, with definitions of blocks before it where
it uses them. Each is run on the public tests, which tells what no text can: where in the thinking the first
right program stood, and whether the answer threw it away (as arXiv 2501.18585 asks of thoughts; there a
judge reads them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import Grade, grade_tree
from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.generation.extract.fences import find_blocks
from sstar_code.agent.generation.lineage import DRAFT, Lineage, Round
from sstar_code.agent.models.request import Answer
from sstar_code.agent.run.outcomes import ThoughtOutcome
from sstar_code.problems.python_source import parse_python
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.selection.evidence.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox

_MOST = 64
"""Drafts of a thinking that are looked at, the first ones."""
_BEFORE = 3
"""Blocks before a draft in which its definitions are looked for."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A program in a thinking."""

    code: str
    share: float
    """Share of the thinking that was written when it was complete, 0..1; of characters, for tokens."""


def list_drafts(thinking: str, problem: Problem) -> list[Drafted]:
    """The drafts in order, each program once. Never raises for any text."""
    blocks = [block for block in find_blocks(thinking)[0] if block.may_be_python and block.text.strip()]
    found: dict[str, Drafted] = {}
    start = 0
    for place, block in enumerate(blocks):
        start = _find_end(thinking, block.text, start)
        near = blocks[max(0, place - _BEFORE) : place + 1]
        text = "\n\n".join(f"```python\n{item.text}\n```" for item in near)
        made = extract_code(Answer(text), problem)
        tree = None if made.code is None else parse_python(made.code)
        if made.code is None or tree is None or grade_tree(tree, problem) is not Grade.COMPLETE:
            continue
        found.setdefault(made.code, Drafted(made.code, start / len(thinking)))
        if len(found) == _MOST:
            break
    return list(found.values())


def _find_end(thinking: str, text: str, start: int) -> int:
    """Where a block with this text ends; its margin may have been taken away."""
    last = text.rstrip().rpartition("\n")[2].strip()
    for wanted in (text.rstrip(), last):
        place = thinking.find(wanted, start)
        if place >= 0:
            return place + len(wanted)
    return start


async def add_drafts(
    lineages: Sequence[Lineage], problem: Problem, context: SolveContext
) -> tuple[Lineage, ...]:
    """`lineages`, and behind them as samples the drafts of their thinking that pass every public test.

    At most as many as there are samples, the first ones; programs that are candidates already are left out,
    and so are all where the settings do not ask for drafts or there is no public test to try them on.

    Raises:
        SandboxError: the sandbox is gone.
    """
    if not context.settings.drafts or not problem.public_tests:
        return tuple(lineages)
    made = list(lineages)
    known = {fingerprint(lineage.code) for lineage in lineages if lineage.code}
    thoughts = [item.thinking for lineage in lineages for item in lineage.rounds if item.thinking.strip()]
    for draft in (draft for thinking in thoughts for draft in list_drafts(thinking, problem)):
        if len(made) == 2 * len(lineages):
            break
        if (mark := fingerprint(draft.code)) in known:
            continue
        known.add(mark)
        report = await run_tests(
            context.sandbox, problem, draft.code, problem.public_tests, stop_on_failure=True
        )
        if report.verdict is Verdict.AC:
            total = len(problem.public_tests)
            kept = Round(0, draft.code, passed=total, total=total, verdict=Verdict.AC, how=DRAFT)
            made.append(Lineage(len(made), (kept,)))
    return tuple(made)


async def assess_thinking(
    lineages: Sequence[Lineage], problem: Problem, sandbox: Sandbox
) -> tuple[ThoughtOutcome, ...]:
    """What the thinking of each answer held, by running its drafts; none without public tests.

    Raises:
        SandboxError: the sandbox is gone.
    """
    if not problem.public_tests:
        return ()
    return tuple(
        [
            await _assess(lineage.sample, made, problem, sandbox)
            for lineage in lineages
            for made in lineage.rounds
            if made.thinking.strip()
        ]
    )


async def _assess(sample: int, made: Round, problem: Problem, sandbox: Sandbox) -> ThoughtOutcome:
    drafts = list_drafts(made.thinking, problem)
    right: list[float] = []
    for draft in drafts:
        report = await run_tests(sandbox, problem, draft.code, problem.public_tests, stop_on_failure=True)
        if report.verdict is Verdict.AC:
            right.append(draft.share)
    return ThoughtOutcome(
        sample=sample,
        round=made.index,
        tokens=made.usage.reasoning,
        drafts=len(drafts),
        right=len(right),
        first_right=right[0] if right else None,
        solved=made.solved,
    )
