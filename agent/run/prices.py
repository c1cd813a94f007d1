"""What a run cost: which work a program was run for, and what the tokens came to in money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sstar_code.agent.run.usage import StageCount

__all__ = ["Prices"]


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens, in whatever currency; None is unknown, which is not free."""

    prompt: float | None = None
    output: float | None = None

    def why_unknown(self, counts: Iterable[StageCount]) -> str | None:
        """Why the cost cannot be told; None where it can."""
        missing = [
            flag
            for flag, price in (("--price-prompt", self.prompt), ("--price-output", self.output))
            if price is None
        ]
        if missing:
            return f"no {' and no '.join(missing)} given"
        uncounted = sum(count.unknown for count in counts)
        return f"{uncounted} calls came without token counts" if uncounted else None

    def cost(self, counts: Iterable[StageCount]) -> float | None:
        """Of all tokens, cached prompts at the full price; None where it cannot be told."""
        every = list(counts)
        if self.prompt is None or self.output is None or self.why_unknown(every) is not None:
            return None
        return sum(count.prompt * self.prompt + count.output * self.output for count in every) / 1e6

    def as_json(self, counts: Iterable[StageCount]) -> dict[str, Any]:
        """For `summary.json`."""
        every = list(counts)
        return {
            "prompt_per_million": self.prompt,
            "output_per_million": self.output,
            "total": self.cost(every),
            "unknown": self.why_unknown(every),
        }
