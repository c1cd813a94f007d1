"""What a program that judges says: by its exit status, in words, and as a number."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sstar_code.problems.plain_text import escape_line
from sstar_code.sandbox.outcome import Execution, Status, Verdict

CHECKER_AT_FAULT = "the checker program of the problem is at fault"
"""Begins the note of a test that was not judged because of it: grading again would not help."""
INTERACTOR_AT_FAULT = "the interactor of the problem is at fault"
_NOTE_CHARS = 500
_STATUS = re.compile(r"exit status (\d+)")
_POINTS = re.compile(r"points\s+(\S+)")
_PART = re.compile(r"partially correct \((\d+)\)")
(_ACCEPTED, _FAIL, _SCORED) = (0, 3, 7)
"""Exit statuses of testlib; 1, 2, 4 and 8 reject: wrong answer, wrong format, more or less than expected."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict on one output."""

    verdict: Verdict
    note: str = ""
    """Why, where it is not accepted."""
    score: float | None = None
    """From 0 to 1, the share of the full score; None where no number was given."""


def read_score(text: str, full: float | None) -> float | None:
    """The share of `full` (None: 1) that the number in `text` is, from 0 to 1; None where it is none."""
    try:
        points = float(text)
    except ValueError:
        return None
    return None if math.isnan(points) else min(1.0, max(0.0, points / (full or 1.0)))


def rule_by_score(score: float, note: str = "") -> Ruling:
    """The full score passes; what is less is wrong, and is kept."""
    if score >= 1.0:
        return Ruling(Verdict.AC, "", 1.0)
    return Ruling(Verdict.WA, note or f"the checker: a score of {score:g}", score)


def read_exit_status(end: Execution) -> int | None:
    """The exit status of a program that ended by itself; None where it did not."""
    if end.status is Status.OK:
        return 0
    found = _STATUS.fullmatch(end.failure.type) if end.failure and end.status is Status.RE else None
    return int(found[1]) if found else None


def rule_by_testlib(status: int, words: str, full: float | None) -> Ruling:
    """The verdict of a program that ended as testlib's do; IE where it says that the set is at fault.

    `words` is what it wrote to standard error. A number is that of `quitp`, or of `_pc`, whose exit status is
    the number itself.
    """
    said = shorten(words)
    part = _PART.match(words.lstrip())
    number = part[1] if part else None
    if number is None and status == _SCORED:
        number = found[1] if (found := _POINTS.match(words.lstrip())) else ""
    if number is not None:
        score = read_score(number, full)
        if score is None:
            return Ruling(Verdict.IE, f"{CHECKER_AT_FAULT}: it gives points without a number: {said}")
        return rule_by_score(score, f"the checker: {said}")
    if status == _ACCEPTED:
        return Ruling(Verdict.AC)
    if status == _FAIL:
        return Ruling(Verdict.IE, f"{CHECKER_AT_FAULT}: {said or 'it says so'}")
    return Ruling(Verdict.WA, f"the checker: {said or f'exit status {status}'}")


def shorten(words: str) -> str:
    """The first line of what a judge said, without what would command a terminal."""
    lines = [line for line in words.splitlines() if line.strip()]
    return escape_line(lines[0].strip()[:_NOTE_CHARS]) if lines else ""
