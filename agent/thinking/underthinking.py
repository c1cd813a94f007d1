"""Underthinking for code: how soon a right program was thought of, and how often it was thrown away.

Source of the measure: arXiv 2501.18585, the mean over wrong answers of 1 - (tokens up to the first right
thought) / (tokens of thinking); an answer without a right thought counts 0. Here a thought is a draft
program, and it is right where it passes every public test, so no judge is needed. An answer is wrong where
its own program fails one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.agent.run.outcomes import ProblemOutcome


@dataclass(frozen=True, slots=True)
class Underthinking:
    """Counts over the answers of a run that were thought about."""

    answers: int
    with_draft: int
    """Those whose thinking holds a program."""
    drafts: int
    with_right: int
    """Those whose thinking holds a program that passes every public test."""
    first_right: float | None
    """Mean share of the thinking at which the first of these was complete, 0..1; None without any."""
    wrong: int
    """Answers whose own program fails a public test, or that have none."""
    thrown_away: int
    """Wrong answers whose thinking held a right program."""
    underthinking: float | None
    """The measure, 0..1; None without a wrong answer."""
    candidates: int = 0
    """Drafts that are candidates (`--drafts`)."""

    def as_json(self) -> dict[str, Any]:
        """For `summary.json` and `report --format json`."""
        return asdict(self)

    def __str__(self) -> str:
        line = (
            f"thinking: {self.with_draft} of {self.answers} answers thought about hold a draft program "
            f"({self.drafts} in all), {self.with_right} one that passes the public tests"
        )
        if self.first_right is not None:
            line += f", complete after {100 * self.first_right:.0f}% of the thinking on average"
        if self.underthinking is not None:
            line += (
                f"; {self.thrown_away} of {self.wrong} wrong answers threw such a draft away "
                f"(underthinking {self.underthinking:.2f})"
            )
        if self.candidates:
            line += f"; {self.candidates} drafts are candidates"
        return line


def measure_underthinking(outcomes: Iterable[ProblemOutcome]) -> Underthinking | None:
    """The counts over `outcomes`; None where no answer was thought about."""
    outcomes = list(outcomes)
    thoughts = [thought for outcome in outcomes for thought in outcome.thoughts]
    if not thoughts:
        return None
    firsts = [thought.first_right for thought in thoughts if thought.first_right is not None]
    wrong = [thought for thought in thoughts if not thought.solved]
    wasted = [0.0 if thought.first_right is None else 1.0 - thought.first_right for thought in wrong]
    return Underthinking(
        answers=len(thoughts),
        with_draft=sum(thought.drafts > 0 for thought in thoughts),
        drafts=sum(thought.drafts for thought in thoughts),
        with_right=len(firsts),
        first_right=sum(firsts) / len(firsts) if firsts else None,
        wrong=len(wrong),
        thrown_away=sum(thought.right > 0 for thought in wrong),
        underthinking=sum(wasted) / len(wasted) if wasted else None,
        candidates=sum(len(outcome.samples) - len(outcome.answered) for outcome in outcomes),
    )
