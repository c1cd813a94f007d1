"""Calls, tokens, seconds and runs of programs by stage of the method, and their cost in money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sstar_code.agent.models import Answer


@dataclass(slots=True)
class StageCount:
    """Work of one stage of the method."""

    calls: int = 0
    prompt: int = 0
    cached: int | None = None
    """Prompt tokens that the server had cached; None where it never said."""
    output: int = 0
    reasoning: int | None = None
    """Output tokens of thinking; None where the server never said."""
    seconds: float = 0.0
    """Seconds of the calls, one after another."""
    unknown: int = 0
    """Calls whose server reported no token counts."""
    cut: int = 0
    """Answers that ended at their limit."""
    cut_thinking: int = 0
    """Answers that ended at their limit before anything but thinking was written."""
    executions: int = 0
    """Runs of a program on an input."""
    cpu_s: float = 0.0
    """CPU seconds of the executions."""

    @property
    def tokens(self) -> int:
        """Prompt and output tokens."""
        return self.prompt + self.output

    def add(self, other: StageCount) -> None:
        """Add the counts of `other`; a count that neither knows stays unknown."""
        for item in fields(self):
            count = getattr(other, item.name)
            if count is not None:
                setattr(self, item.name, (getattr(self, item.name) or 0) + count)

    def add_answer(self, answer: Answer) -> None:
        """Count one answer."""
        usage = answer.usage
        self.add(
            StageCount(
                calls=1,
                prompt=usage.prompt or 0,
                cached=usage.cached,
                output=usage.output or 0,
                reasoning=usage.reasoning,
                seconds=answer.seconds,
                unknown=usage.output is None,
                cut=answer.finish_reason == "length",
                cut_thinking=answer.is_cut_thinking,
            )
        )


def add_up(counts: Iterable[StageCount]) -> StageCount:
    """The counts of all stages together."""
    total = StageCount()
    for count in counts:
        total.add(count)
    return total


def add_stages(parts: Iterable[Mapping[str, StageCount]]) -> dict[str, StageCount]:
    """The counts of all `parts` by stage."""
    total: dict[str, StageCount] = {}
    for stages in parts:
        for name, count in stages.items():
            total.setdefault(name, StageCount()).add(count)
    return total


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a million tokens, in whatever currency; None is unknown, which is not free."""

    prompt: float | None = None
    output: float | None = None

    def why_unknown(self, counts: Iterable[StageCount]) -> str | None:
        """The reason why the cost cannot be told; None where it can."""
        flags = {"--price-prompt": self.prompt, "--price-output": self.output}
        missing = [flag for flag, price in flags.items() if price is None]
        if missing:
            return f"no {' and no '.join(missing)} given"
        uncounted = sum(count.unknown for count in counts)
        return f"{uncounted} calls came without token counts" if uncounted else None

    def cost(self, counts: Iterable[StageCount]) -> float | None:
        """Cost of all tokens, cached prompts at the full price; None where it cannot be told."""
        every = list(counts)
        if self.prompt is None or self.output is None or self.why_unknown(every) is not None:
            return None
        return sum(count.prompt * self.prompt + count.output * self.output for count in every) / 1e6

    def as_json(self, counts: Iterable[StageCount]) -> dict[str, Any]:
        """The entry of `summary.json`."""
        every = list(counts)
        return {
            "prompt_per_million": self.prompt,
            "output_per_million": self.output,
            "total": self.cost(every),
            "unknown": self.why_unknown(every),
        }
