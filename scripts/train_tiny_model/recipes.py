"""What is trained, by name: which examples, how many, and what follows. A technique adds its own here.

A recipe and a seed fix the examples, the start and the order; another processor may round differently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    marks: tuple[str, ...] = ()
    """Tokens that the tokenizer gets beside its own; with any, line ends are tokens of their own."""
    batch_tokens: int = 2048
    """Padded tokens of a step."""
    rounds: int = 0
    """Rounds of self-improvement that follow."""


_SMALL = Recipe(
    count=4_000, wrong=0.0, wrong_repairs=0.0, repairs=0.25, asked=0.0, marks=(BACKTRACK,), batch_tokens=1024
)

RECIPES = {"tiny-coder": Recipe(), "plain": _SMALL, "backtrack": replace(_SMALL, marked=0.4, rounds=1)}
"""`tiny-coder` is the live tests' model; `plain` is what the others are compared with."""
