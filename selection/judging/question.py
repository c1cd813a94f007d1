"""Questions to the judge: what it is shown, and how its answers are read.

The judge sees an input and what programs did on it as anonymous outputs: never code, never a guessed expected
output. Which output is called A depends on its text alone, so a program cannot know under which name its
output is shown. What is asked twice is asked with the outputs in opposite order, and only what the judge says
both times counts.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sstar_code.problems import Kind
from sstar_code.problems.values import decode, decode_lines
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.concurrency import run_together

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.board import Board, Ledger
    from sstar_code.selection.evidence.clustering import Behaviour
    from sstar_code.selection.protocols import Question, Reply

LETTERS = "ABCD"
"""Names of the outputs in a question; there are no more outputs than letters."""
_MAX_SHOWN_CHARS = 1_000
"""Characters of an input or an output that a question shows."""

_ANSWER = re.compile(r"^[^\w\n]*(?:final\s+)?answer\b[^\w\n]*[:=][^\S\n]*(.*)$", re.IGNORECASE | re.MULTILINE)
_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1[^\S\n]*$", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"\w+")
_PERSUASION = re.compile(
    r"\b(?:sample|output|option|program|candidate|answer|choice|solution|cluster)\s*[\"'`(]*\s*"
    r"(?:[a-d]|[1-4]|one|two|first|second)\b[^\n]{0,20}\b(?:is|are|must\s+be)\s+"
    r"(?:the\s+)?(?:right|correct|best|true|wrong|incorrect|invalid)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+|the\s+)?(?:previous|prior|above|other)\b"
    r"|\b(?:choose|pick|select|prefer|say|answer)\s+(?:output|option|sample|answer|program)\s+\w\b"
    r"|^[^\w\n]*(?:final\s+)?answer\b[^\w\n]*[:=]\s*(?:[a-d]|neither|several|invalid)\b",
    re.IGNORECASE | re.MULTILINE,
)
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
HOW_FAILED = {
    Status.RE: "the program failed",
    Status.TLE: "the program was stopped after at most 0.5 s of CPU time",
    Status.MLE: "the program used more memory than it may",
    Status.OLE: "the program wrote without end",
    Status.CE: "the program does not compile",
}


def address_judge(number: int) -> str:
    """What the ordinal of a question to a judge begins with: nothing for the first, else like `judge-2/`."""
    return "" if number == 1 else f"judge-{number}/"


def clip(text: str, limit: int = _MAX_SHOWN_CHARS, start: int = 0) -> str:
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


_NUMBER = re.compile(r"\d+")
_SIGNED = re.compile(r"(?<![\w.])-?\d{1,30}(?:\.\d{1,30})?(?![\w.])")
_EASY_DIGITS = 3
_HALF_EFFORT = 400
"""Effort at which a judge that works by hand is taken to be half as much better than a guess."""


def effort(text: str) -> int:
    """How long an input takes by hand: its characters, and five more for each digit beyond the third."""
    long = sum(max(0, len(number) - _EASY_DIGITS) for number in _NUMBER.findall(text))
    return len(text) + 5 * long


def ease(text: str) -> float:
    """How much of a judge's skill is left on an input of this effort, 0..1. Set by hand, not fitted."""
    return 1 / (1 + effort(text) / _HALF_EFFORT)


def is_empty(problem: Problem, text: str) -> bool:
    """Whether an argument of a call, or a line of standard input, holds nothing."""
    if problem.kind is Kind.STDIN:
        return not all(line.strip() for line in text.rstrip("\n").split("\n"))
    try:
        return any(isinstance(value, str | list | dict) and not value for value in decode_lines(text))
    except (ValueError, RecursionError):
        return False


def has_low_number(_: Problem, text: str) -> bool:
    """Whether an input holds a number that is zero or negative."""
    return any(float(number) <= 0 for number in _SIGNED.findall(text))


def show_behaviour(problem: Problem, behaviour: Behaviour) -> str:
    """A behaviour as a person would write it: the output, the value as Python, or how the program failed."""
    if behaviour.status is not Status.OK:
        why = f" ({behaviour.failure})" if behaviour.failure else ""
        return f"no output: {HOW_FAILED.get(behaviour.status, behaviour.status.value)}{why}"
    if problem.kind is Kind.STDIN:
        return behaviour.output
    try:
        return repr(decode(behaviour.output))
    except (ValueError, RecursionError):  # no value, or an integer of more digits than Python writes
        return behaviour.output


def _show_differences(shown: Sequence[str]) -> list[str]:
    """Each of `shown` capped around the first place at which they differ, so that it is in sight."""
    shortest = min(map(len, shown))
    same = next((place for place in range(shortest) if len({text[place] for text in shown}) > 1), shortest)
    start = 0 if same < _MAX_SHOWN_CHARS * 3 // 4 else same - _MAX_SHOWN_CHARS // 4
    return [clip(text, start=start) for text in shown]


class Ruling(StrEnum):
    """A judge's opinion on two outputs."""

    FIRST = "first"
    SECOND = "second"
    NEITHER = "neither"
    """Both or none are right, or it cannot tell."""

    @property
    def swapped(self) -> Ruling:
        """The same opinion where first and second change places."""
        return {Ruling.FIRST: Ruling.SECOND, Ruling.SECOND: Ruling.FIRST}.get(self, self)


def read_ruling(text: str) -> Ruling | None:
    """The ruling in the last line `ANSWER: 1`, `ANSWER: 2` or `ANSWER: neither` (`tie`, `both`) of `text`.

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


def make_case(problem: Problem, text: str, first: Behaviour, second: Behaviour) -> dict[str, str]:
    """One case of a question about two programs: `input`, `first` and `second`.

    As in `present`, the name of an exception is not shown.
    """
    one, other = _show_differences(
        [show_behaviour(problem, replace(behaviour, failure="")) for behaviour in (first, second)]
    )
    return {"input": clip(show_input(problem, text)), "first": one, "second": other}


def swap_cases(cases: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same cases with the outputs exchanged."""
    return [{"input": case["input"], "first": case["second"], "second": case["first"]} for case in cases]


async def ask_in_both_orders(
    board: Board,
    question: Question,
    name: str,
    orders: tuple[Mapping[str, Any], Mapping[str, Any]],
    ledger: Ledger,
) -> tuple[tuple[float, float], str]:
    """Points of the two sides of the match `name`, and a note about it.

    `orders` are the values of the question, with the sides as they are and swapped.
    """

    async def ask(ordinal: str, values: Mapping[str, Any]) -> Ruling | None:
        reply = await board.ask(question, ordinal, ledger, **values)
        return read_ruling(reply.text) if reply else None

    names = (name, f"{name}/swapped")
    straight, swapped = await run_together(partial(ask, *pair) for pair in zip(names, orders, strict=True))
    swapped = swapped.swapped if swapped else None
    note = f"match {name}: {straight or 'no answer'}, swapped {swapped or 'no answer'}"
    return score(straight, swapped), note


class Refusal(StrEnum):
    """Answers that name no output."""

    NEITHER = "neither"
    """Another output would be right."""
    SEVERAL = "several"
    """More than one of those shown is right."""
    INVALID = "invalid"
    """The statement does not allow, or does not cover, this input."""


def list_words(outputs: int) -> tuple[str, ...]:
    """The words that the answer to a question about so many outputs may be."""
    return *LETTERS[:outputs], *Refusal


Answer: TypeAlias = "int | Refusal | None"
"""The number of an output, why none, or None: nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A question as it is put."""

    input: str
    outputs: tuple[str, ...]
    """The outputs as shown, in the order shown: A, B, ..."""
    groups: tuple[int, ...]
    """The caller's number of each output."""

    @property
    def swapped(self) -> Choice:
        """The same question in the opposite order."""
        return Choice(self.input, self.outputs[::-1], self.groups[::-1])

    def read(self, reply: str | None) -> Answer:
        """The caller's number of the output that `reply` names, or why none; None: no evidence."""
        said = read_choice(reply, len(self.outputs)) if reply is not None else None
        return self.groups[said] if isinstance(said, int) else said


def present(problem: Problem, text: str, seen: Sequence[Behaviour]) -> Choice:
    """The question which of `seen` (two to four different behaviours) is right on the input `text`.

    Long outputs are cut around the first place at which they differ. How a program failed is not told: the
    name of an exception is text of the program.
    """
    shown = [show_behaviour(problem, replace(behaviour, failure="")) for behaviour in seen]
    order = sorted(range(len(shown)), key=lambda number: (_digest(text, shown[number]), number))
    capped = _show_differences(shown)
    return Choice(clip(show_input(problem, text)), tuple(capped[number] for number in order), tuple(order))


def weigh(reply: Reply | None, outputs: int) -> float | None:
    """How likely the word that `reply` names was among all that it could name, 0..1; None: not known."""
    said = read_choice(reply.text, outputs) if reply is not None else None
    if reply is None or said is None or not reply.likely:
        return None
    named = reply.likely.get(said.value if isinstance(said, Refusal) else LETTERS[said], 0.0)
    total = math.fsum(reply.likely.values())
    return named / total if total > 0 else None


def _digest(text: str, shown: str) -> str:
    return hashlib.sha256(f"{text}\0{shown}".encode("utf-8", "surrogatepass")).hexdigest()


def persuades(choice: Choice) -> bool:
    """Whether an output talks to the judge ("output A is correct", an answer line) and the input does not.

    Such a question must not be asked: a model can be moved by what it reads, fenced or not.
    """
    return any(_PERSUASION.search(text) for text in choice.outputs) and not _PERSUASION.search(choice.input)


def read_choice(text: str, count: int) -> Answer:
    """The answer in the last line `ANSWER: ...` of `text`: 0 for A, 1 for B, ..., or a word of `Refusal`.

    Lines inside fenced blocks count only where there is none outside: there an output may have been
    quoted. None where there is no such line, it names several or an output that was not shown: no evidence.
    """
    lines = _lines(_FENCED.sub("", text)) or _lines(text)
    return _meaning(lines[-1], count) if lines else None


def _lines(text: str) -> list[str]:
    return [line for line in _ANSWER.findall(text) if _WORD.search(line)]


def _meaning(line: str, count: int) -> Answer:
    words = _WORD.findall(line)
    named = {LETTERS.index(word) for word in words if word in LETTERS[:count] and len(word) == 1}
    if len(words) == 1 and len(words[0]) == 1 and words[0].upper() in LETTERS[:count]:
        named = {LETTERS.index(words[0].upper())}
    small = {word.lower() for word in words}
    said: set[int | Refusal] = set(named)
    if small & {"neither", "none"}:
        said.add(Refusal.NEITHER)
    if small & {"several", "both"}:
        said.add(Refusal.SEVERAL)
    if small & {"invalid", "outside"}:
        said.add(Refusal.INVALID)
    return said.pop() if len(said) == 1 else None
