"""What the attempts at a problem have taught: short notes, and whether each helped.

A note is either a lesson, the line in which a repair says what was wrong, or what a strategy recalled for it.
It has helped where its repair passes more public tests than the program that it repaired: execution decides,
not the model. Notes stand in the rounds that they belong to (`lineage.list_notes`), so a memory is a function
of the samples known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_NOTES = 6
"""Notes of each kind that a prompt shows."""
_MOST_CHARS = 240
_LESSON = re.compile(r"^[\s>*_#-]*lesson[*_\s]*:[*_\s]*(\S.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Note:
    """One line."""

    text: str
    helped: bool
    """Whether the repair that goes with it passed more public tests."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The notes that a prompt shows, texts alone; of each kind the latest, oldest first."""

    helped: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    """Those of repairs that passed no more tests."""
    others: tuple[str, ...] = ()
    """Those that helped with other problems."""
    recalled: str = ""
    """What was recalled for the program that is to be repaired."""
    asks: bool = False
    """Whether a repair is to end its explanation with a lesson."""


def read_lesson(answer: str) -> str:
    """The last line `Lesson: ...` of an answer, without its mark and capped; empty where there is none."""
    found = _LESSON.findall(answer)
    return clean_note(found[-1]) if found else ""


def clean_note(text: str) -> str:
    """`text` as one line of at most 240 characters."""
    line = " ".join(text.split()).strip("*_ ")
    return line if len(line) <= _MOST_CHARS else f"{line[: _MOST_CHARS - 1]}…"


def choose_notes(notes: Iterable[Note], others: Iterable[Note] = (), *, asks: bool = False) -> Shown:
    """Those of `notes`, and of those of `others` problems, that a prompt shows."""
    ours = tuple(notes)
    return Shown(
        helped=tuple(note.text for note in ours if note.helped)[-MOST_NOTES:],
        tried=tuple(note.text for note in ours if not note.helped)[-MOST_NOTES:],
        others=tuple(note.text for note in others)[-MOST_NOTES:],
        asks=asks,
    )
