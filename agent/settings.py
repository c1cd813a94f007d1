"""What a run is asked to do. The answer-changing part goes into the manifest and decides what may resume."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the method; the defaults are S*'s (arXiv 2502.14382, section 5.1)."""

    n: int = 16
    """First samples a problem."""
    rounds: int = 2
    """Debugging rounds a sample at most."""
    temperature: float = 0.7
    """Of samples and repairs; inputs and judges are asked at 0."""
    seed: int = 0
    """Sample k is asked for with seed + k; every random choice derives from it."""
    select: str = "adaptive"
    """The method whose choice is the answer."""
    max_tokens: int = 4096
    """Of one answer, thinking included."""
    context: Literal["all", "last"] = "all"
    """What a debugging round sees: `all` rounds of its sample or the `last` one."""

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)
