"""What a judge is shown, and how its answer is read.

A judge sees an input and two anonymous outputs: never code, never a guessed expected output. It is asked
twice with the outputs swapped, and only what it says both times counts.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from sstar_code.problems import Kind
from sstar_code.problems.values import decode, decode_lines
from sstar_code.sandbox.outcome import Status

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.clustering import Behaviour

__all__ = [
    "Ruling",
    "clip",
    "make_case",
    "read_ruling",
    "score",
    "show_behaviour",
    "show_input",
    "swap_cases",
]

MAX_SHOWN_CHARS = 1_000
"""Of an input or an output in a question."""

_ANSWER = re.compile(r"^[^\w\n]*(?:final\s+)?answer\b[^\w\n]*[:=][^\S\n]*(.*)$", re.IGNORECASE | re.MULTILINE)
_WORD = re.compile(r"\w+")
_MEANINGS = {
    "1": "first",
    "first": "first",
    "2": "second",
    "second": "second",
    "tie": "neither",
    "both": "neither",
    "neither": "neither",
    "none": "neither",
    "equal": "neither",
}
_FAILED = {
    Status.RE: "the program failed",
    Status.TLE: "the program ran out of time",
    Status.MLE: "the program ran out of memory",
    Status.OLE: "the program wrote without end",
    Status.CE: "the program does not compile",
}


class Ruling(StrEnum):
    """What a judge said."""

    FIRST = "first"
    SECOND = "second"
    NEITHER = "neither"
    """Both or none are right, or it cannot tell."""

    @property
    def swapped(self) -> Ruling:
        """The same opinion where first and second change places."""
        return {Ruling.FIRST: Ruling.SECOND, Ruling.SECOND: Ruling.FIRST}.get(self, self)


def read_ruling(text: str) -> Ruling | None:
    """What the last line `ANSWER: 1`, `ANSWER: 2` or `ANSWER: neither` (`tie`, `both`) of `text` says.

    None where there is none or it names more than one of them: no evidence.
    """
    for line in reversed(_ANSWER.findall(text)):
        words = {_MEANINGS[word] for word in _WORD.findall(line.lower()) if word in _MEANINGS}
        if words:
            return Ruling(words.pop()) if len(words) == 1 else None
    return None


def score(straight: Ruling | None, swapped: Ruling | None) -> tuple[float, float]:
    """Points of the two sides of a match, both rulings in the order of `straight`.

    The same winner twice: 1 to 0. Neither twice: a half each. Anything else says nothing: 0 to 0.
    """
    if straight is None or straight is not swapped:
        return 0.0, 0.0
    return {Ruling.FIRST: (1.0, 0.0), Ruling.SECOND: (0.0, 1.0), Ruling.NEITHER: (0.5, 0.5)}[straight]


def clip(text: str, limit: int = MAX_SHOWN_CHARS, start: int = 0) -> str:
    """At most `limit` characters of `text` from `start` on, and how many were left out."""
    shown = text[start : start + limit]
    before = f"[{start} characters left out] " if start else ""
    left = len(text) - start - len(shown)
    return before + shown + (f" [{left} characters left out]" if left > 0 else "")


def show_input(problem: Problem, text: str) -> str:
    """An input as a person would write it: standard input as it is, a call as Python."""
    if problem.kind is Kind.STDIN:
        return text
    name = (problem.entry_point or "f").rpartition(".")[2]
    try:
        return f"{name}({', '.join(map(repr, decode_lines(text)))})"
    except (ValueError, RecursionError):
        return text


def show_behaviour(problem: Problem, behaviour: Behaviour) -> str:
    """What a program did as a person would write it: its output, its value as Python, or how it failed."""
    if behaviour.status is not Status.OK:
        why = f" ({behaviour.failure})" if behaviour.failure else ""
        return f"no output: {_FAILED.get(behaviour.status, behaviour.status.value)}{why}"
    if problem.kind is Kind.STDIN:
        return behaviour.output
    try:
        return repr(decode(behaviour.output))
    except (ValueError, RecursionError):
        return behaviour.output


def make_case(problem: Problem, text: str, first: Behaviour, second: Behaviour) -> dict[str, str]:
    """One case of a question: `input`, `first` and `second`, capped so that the difference is in sight."""
    one, other = show_behaviour(problem, first), show_behaviour(problem, second)
    same = next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
    start = 0 if same < MAX_SHOWN_CHARS * 3 // 4 else same - MAX_SHOWN_CHARS // 4
    return {
        "input": clip(show_input(problem, text)),
        "first": clip(one, start=start),
        "second": clip(other, start=start),
    }


def swap_cases(cases: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same cases with the outputs exchanged."""
    return [{"input": case["input"], "first": case["second"], "second": case["first"]} for case in cases]
