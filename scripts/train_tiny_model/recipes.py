"""What is trained, by name: which examples, how many, and what follows. A technique adds its own here.

A recipe and a seed fix the examples, the start and the order; another processor may round differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["BACKTRACK", "RECIPES", "Recipe"]

BACKTRACK = "<backtrack>"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Shares are of the examples drawn; what is neither repair nor question is a first answer."""

    count: int = 12_000
    """Examples."""
    wrong: float = 0.4
    """Share of wrong programs among the first answers; without it nearly every sample would be right."""
    wrong_repairs: float = 0.2
    repairs: float = 0.36
    """A repair is left out where its wrong program passes the public tests, so fewer remain."""
    asked: float = 0.06
    """Selection's questions."""
    marked: float = 0.0
    """Share of first answers that end with a wrong line and `BACKTRACK`."""
    cut: float = 0.0
    """Share of the other first answers whose tokens begin anew behind some line, as behind a line that was
    dropped."""
    start: Path | None = None
    """The model that is trained further; None: one of random weights."""
    mark: str = ""
    """A token that the model gets beside its own."""
    batch_tokens: int = 2048
    """Padded tokens of a step."""
    peak: float = 2e-3
    """The largest rate of learning."""
    rounds: int = 0
    """Rounds of self-improvement that follow."""


_TINY = Path(__file__).parents[2] / "tests" / "live" / "tiny_coder" / "model"
_FURTHER = Recipe(
    count=800,
    wrong=0.0,
    wrong_repairs=0.0,
    repairs=0.25,
    asked=0.0,
    cut=0.5,
    start=_TINY,
    mark=BACKTRACK,
    batch_tokens=1024,
    peak=1e-3,
)

RECIPES = {"tiny-coder": Recipe(), "plain": _FURTHER, "backtrack": replace(_FURTHER, marked=0.4, rounds=1)}
"""`tiny-coder` is the live tests' model; `plain` is what `backtrack` is compared with."""
