"""A question to the judge: one input and up to four anonymous outputs, and how the answer is read.

The judge sees what programs did, never what they look like. Which output is called A depends on its text
alone, so a program cannot know under which name its output is shown.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from sstar_code.selection.judging.output_judge import MAX_SHOWN_CHARS, clip, show_behaviour, show_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.clustering import Behaviour

__all__ = ["LETTERS", "MAX_OPTIONS", "Answer", "Choice", "Refusal", "persuades", "present", "read_choice"]

LETTERS = "ABCD"
MAX_OPTIONS = len(LETTERS)

_ANSWER = re.compile(r"^[^\w\n]*(?:final\s+)?answer\b[^\w\n]*[:=][^\S\n]*(.*)$", re.IGNORECASE | re.MULTILINE)
_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1[^\S\n]*$", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"\w+")
_PERSUASION = re.compile(
    r"\b(?:sample|output|option|program|candidate|answer|choice|solution|cluster)\s*[\"'`(]*\s*"
    r"(?:[a-d]|[1-4]|one|two|first|second)\b[^\n]{0,20}\b(?:is|are|must\s+be)\s+"
    r"(?:the\s+)?(?:right|correct|best|true|wrong|incorrect|invalid)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:all\s+|any\s+|the\s+)?(?:previous|prior|above|other)\b"
    r"|\b(?:choose|pick|select|prefer|say|answer)\s+(?:output|option|sample|answer|program)\s+\w\b"
    r"|^[^\w\n]*(?:final\s+)?answer\b[^\w\n]*[:=]\s*(?:[a-d]|neither|invalid)\b",
    re.IGNORECASE | re.MULTILINE,
)


class Refusal(StrEnum):
    """Answers that name no output."""

    NEITHER = "neither"
    """Another output would be right."""
    INVALID = "invalid"
    """The statement does not allow, or does not cover, this input."""


Answer: TypeAlias = "int | Refusal | None"
"""The number of an output, why none, or None: nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A question as it is put."""

    input: str
    outputs: tuple[str, ...]
    """As shown, in the order shown: A, B, ..."""
    groups: tuple[int, ...]
    """For each output the caller's number of it."""

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
    shortest = min(map(len, shown))
    same = next((place for place in range(shortest) if len({one[place] for one in shown}) > 1), shortest)
    start = 0 if same < MAX_SHOWN_CHARS * 3 // 4 else same - MAX_SHOWN_CHARS // 4
    order = sorted(range(len(shown)), key=lambda number: (_digest(text, shown[number]), number))
    return Choice(
        clip(show_input(problem, text)),
        tuple(clip(shown[number], start=start) for number in order),
        tuple(order),
    )


def _digest(text: str, shown: str) -> str:
    return hashlib.sha256(f"{text}\0{shown}".encode("utf-8", "surrogatepass")).hexdigest()


def persuades(choice: Choice) -> bool:
    """Whether an output talks to the judge ("output A is correct", an answer line) and the input does not.

    Such a question must not be asked: a model can be moved by what it reads, fenced or not.
    """
    return any(_PERSUASION.search(text) for text in choice.outputs) and not _PERSUASION.search(choice.input)


def read_choice(text: str, count: int) -> Answer:
    """What the last line `ANSWER: ...` of `text` says: 0 for A, 1 for B, ..., or a word of `Refusal`.

    Lines inside fenced blocks count only where there is none outside: there an output may have been
    quoted. None where there is no such line, it names several or an output that was not shown: no evidence.
    """
    text = text.rpartition("</think>")[2]
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
    if small & {"invalid", "outside"}:
        said.add(Refusal.INVALID)
    return said.pop() if len(said) == 1 else None
