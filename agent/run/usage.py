"""Calls, tokens, seconds and runs of programs, counted by stage of the method."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sstar_code.agent.models import Answer, Stage

__all__ = ["StageCount", "Tally"]


@dataclass(slots=True)
class StageCount:
    """What one stage of the method has used."""

    calls: int = 0
    prompt: int = 0
    cached: int | None = None
    """Of the prompt; None where the server never said."""
    output: int = 0
    reasoning: int | None = None
    """Of the output; None where the server never said."""
    seconds: float = 0.0
    """Of the calls, one after another."""
    unknown: int = 0
    """Calls whose server reported no token counts."""
    cut: int = 0
    """Answers that ended at their limit."""
    cut_thinking: int = 0
    """Of those, the ones that ended before anything but thinking was written."""
    executions: int = 0
    """Runs of a program on an input."""
    cpu_s: float = 0.0
    """Of the executions."""

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.calls += 1
        self.prompt += answer.usage.prompt or 0
        self.cached = _add_known(self.cached, answer.usage.cached)
        self.output += answer.usage.output or 0
        self.reasoning = _add_known(self.reasoning, answer.usage.reasoning)
        self.cut += answer.finish_reason == "length"
        self.cut_thinking += answer.is_cut_thinking
        self.seconds += answer.seconds
        self.unknown += answer.usage.output is None


def _add_known(total: int | None, count: int | None) -> int | None:
    return total if count is None else (total or 0) + count


@dataclass(slots=True)
class Tally:
    """Tokens and seconds by stage."""

    stages: dict[str, StageCount] = field(default_factory=dict)

    def add(self, stage: Stage | str, answer: Answer) -> None:
        """Count `answer` for `stage`."""
        self.stages.setdefault(str(stage), StageCount()).add(answer)

    def add_executions(self, stage: str, executions: int, cpu_s: float) -> None:
        """Count runs of programs for `stage`."""
        count = self.stages.setdefault(stage, StageCount())
        count.executions += executions
        count.cpu_s += cpu_s

    @property
    def tokens(self) -> int:
        """Prompt and output of all stages."""
        return sum(count.prompt + count.output for count in self.stages.values())

    @property
    def calls(self) -> int:
        """Calls of all stages."""
        return sum(count.calls for count in self.stages.values())
