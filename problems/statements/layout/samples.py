"""Samples of standard input and output, from the sections of a statement."""

# ruff: noqa: RUF001 - marks of other scripts are what such pages print
from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from sstar_code.problems.statements.layout.headings import ends_sample
from sstar_code.problems.statements.layout.sections import Section, split_sections
from sstar_code.problems.statements.layout.tables import Sample, left_column, read_beside

_WORD = re.compile(r"[^\W\d_]{2,}")
_SENTENCE_END = (".", "!", "。", ".)", "。)")
_EACH_TEST = re.compile(r"(?i)\b(?:each|every)\s+(?:of\s+the\s+)?test|\btest\s+cases?\b|\bT\s+lines")
_NUMBERS = re.compile(r"[-\d.\s]*")
_MOST_PHRASES = 100
_CASE_LINE = re.compile(r"Case #1\b")
_QUOTED = re.compile("[\"'`“”«»‘’]([^\"'`“”«»‘’\\n]{3,80})[\"'`“”«»‘’]")


@dataclass(slots=True)
class Found:
    """What was read from a statement, and what was seen and not understood."""

    samples: list[Sample] = field(default_factory=list)
    """(standard input, standard output), in order."""
    form: str = ""
    """In which form the samples stood."""
    faults: list[str] = field(default_factory=list)
    """What looks like an example and is not understood, and why."""


def find_samples(sections: list[Section], text: str) -> Found:
    """The samples of `sections`, whose whole text is `text`.

    A bare "Input" heading counts as a sample only below an "Examples" heading or when its text stands on the
    heading's own line: otherwise it heads the description of the format.
    """
    found = Found()
    quoted = [phrase for phrase in _QUOTED.findall(text) if len(_WORD.findall(phrase)) > 1]
    phrases = {phrase.strip().lower() for phrase in quoted[:_MOST_PHRASES]}
    pending: Section | None = None
    below_examples = False
    forms: list[str] = []
    for section in _flatten(sections):
        if section.role == "examples":
            below_examples, pending = True, None
        elif section.pair is not None:
            pending = None
            if not section.is_empty:
                rows = read_beside(section)
                _keep(found, forms, rows, "columns", "input and output side by side cannot be told apart")
        elif section.role == "other" or not (section.named or below_examples or section.inline):
            pending = None
        elif section.role == "input":
            pending = section
        elif pending is not None:
            both = None
            if pending.is_empty and not section.inline:
                both = _split_stacked(section, phrases, adjacent=not pending.lines)
                both = _split_by_tests(section, text) if both is None and not pending.lines else both
            if both is not None or not (pending.lines or section.inline):
                _keep(
                    found, forms, both, "stacked headings", "both headings stand before both texts, unparted"
                )
            else:
                given = _input_text(pending)
                both = None if given is None else [(given, _output_text(section, phrases))]
                _keep(found, forms, both, "headings", "the columns of an input cannot be told apart")
            pending = None
    found.samples = list(dict.fromkeys(found.samples))
    found.form = " and ".join(dict.fromkeys(forms))
    return found


def _flatten(sections: list[Section]) -> Iterator[Section]:
    """The sections, those inside a block below "Example" included."""
    for section in sections:
        yield section
        if section.role == "examples":
            for block in section.fences:
                yield from split_sections(block)


def _keep(found: Found, forms: list[str], samples: list[Sample] | None, form: str, fault: str) -> None:
    if samples is None:
        found.faults.append(fault)
        return
    kept = [_dedent(*sample) for sample in samples if sample[0].strip() or sample[1].strip()]
    found.samples += kept
    forms += [form] * bool(kept)


def _dedent(given: str, expected: str) -> Sample:
    """The sample without Markdown's margin of a code block, which both texts then have."""
    lines = [line for line in f"{given}{expected}".split("\n") if line.strip()]
    for margin in ("    ", "\t"):
        if lines and all(line.startswith(margin) for line in lines):
            given, expected = (
                "\n".join(line.removeprefix(margin) for line in text.split("\n"))
                for text in (given, expected)
            )
    return given, expected


def _split_stacked(section: Section, phrases: set[str], *, adjacent: bool) -> list[Sample] | None:
    """The sample where both headings stand before both texts; None where nothing parts the texts.

    `adjacent`: nothing stands between the headings. If something does, the input may be an empty one.
    """
    if len(section.fences) > 1:
        return [(f"{section.fences[0].strip()}\n", f"{section.fences[1].strip()}\n")]
    lines = list(section.lines)
    case = next((place for place, line in enumerate(lines) if _CASE_LINE.match(line)), None)
    if case is not None and any(line.strip() for line in lines[:case]):
        body = tuple(lines[case:])
        return [(_join(lines[:case]), _output_text(Section("output", named=True, lines=body), phrases))]
    if not adjacent:
        return None
    paragraphs = _paragraphs(section.lines)
    while len(paragraphs) > 2 and _is_prose(paragraphs[-1]):
        paragraphs.pop()
    if len(paragraphs) == 2 and not _is_prose(paragraphs[1]):
        return [(_join(paragraphs[0]), _join(_drop_explanation(paragraphs[1], phrases)))]
    return None if paragraphs else []


def _split_by_tests(section: Section, text: str) -> list[Sample] | None:
    """The sample of both texts without a gap, where the number of tests leaves one way to part them.

    The first line says how many tests there are, and each has a line of input and one of output; or the
    outputs are words, one for each test, and all before them are numbers.
    """
    lines = next(iter(_paragraphs(section.lines)), [])
    count = int(lines[0]) if lines and lines[0].strip().isdecimal() and len(lines[0]) < 6 else 0
    if not (count and _EACH_TEST.search(text)):
        return None
    words = [not _NUMBERS.fullmatch(line) for line in lines]
    by_words = sum(words) == count and all(words[-count:]) and (len(lines) - 1 - count) % count == 0
    if not (by_words and len(lines) > 1 + count) and (
        any(words) or len(lines) != 1 + 2 * count or count == 1
    ):
        return None
    return [(_join(lines[:-count]), _join(lines[-count:]))]


def _is_prose(paragraph: list[str]) -> bool:
    """Whether lines below a sample explain it: sentences, lists, formulas; not numbers or single words."""
    first = paragraph[0].strip()
    listed = first in ("-", "*") or first.startswith(("- ", "* ", "$$"))
    return (
        len(_WORD.findall(first)) >= 3
        or first.endswith((".", ":", "!", "。"))
        or listed
        or ends_sample(first)
    )


def _paragraphs(lines: tuple[str, ...]) -> list[list[str]]:
    result: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            result[-1].append(line.rstrip())
        elif result[-1]:
            result.append([])
    return [paragraph for paragraph in result if paragraph]


def _join(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def _input_text(section: Section) -> str | None:
    """The input; None where it has columns that cannot be told apart."""
    if section.fenced is not None:
        lines = section.fenced.strip("\n").split("\n")
        spaced = False
    else:
        lines = [line.rstrip() for line in section.lines]
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        # A blank line after every single line is the page's paragraph spacing, not input.
        spaced = len(lines) >= 3 and all(bool(line) is (place % 2 == 0) for place, line in enumerate(lines))
    lines = _drop_margin("\n".join(line for line in lines if line or not spaced)).split("\n")
    return left_column(lines)


def _output_text(section: Section, phrases: set[str]) -> str:
    if section.fenced is not None:
        return section.fenced.strip("\n") + "\n"
    kept: list[list[str]] = []
    # An empty output leaves a gap of two blank lines between the heading and what explains it.
    gap = len(section.lines) > 1 and not any(line.strip() for line in section.lines[:2])
    for paragraph in _paragraphs(section.lines):
        if (kept or gap) and _is_prose(paragraph):
            break
        shorter = _drop_explanation(paragraph, phrases)
        kept.append(shorter)
        if len(shorter) < len(paragraph):
            break
    spaced = len(kept) > 1 and all(len(paragraph) == 1 for paragraph in kept)
    text = ("\n" if spaced else "\n\n").join("\n".join(paragraph) for paragraph in kept) + "\n"
    return _drop_margin(text)


def _drop_margin(text: str) -> str:
    """`text` without the margin of a code block of Markdown, where every line has it."""
    lines = [line for line in text.split("\n") if line.strip()]
    return textwrap.dedent(text) if lines and all(line.startswith(("    ", "\t")) for line in lines) else text


def _drop_explanation(lines: list[str], phrases: set[str]) -> list[str]:
    """`lines` without sentences that follow the output and explain it.

    A sentence is output where the first line is one too, or where the statement quotes a part of it.
    """
    ends = (place for place in range(1, len(lines)) if ends_sample(lines[place]))
    lines = lines[: next(ends, len(lines))]
    if _is_sentence(lines[0], phrases) or len(_WORD.findall(lines[0])) >= 3:
        return lines
    end = len(lines)
    while end > 1 and _is_sentence(lines[end - 1], phrases):
        end -= 1
    return lines[:end]


def _is_sentence(line: str, phrases: set[str]) -> bool:
    line = line.strip()
    if not line.endswith(_SENTENCE_END) or any(phrase in line.lower() for phrase in phrases):
        return False
    return len(_WORD.findall(line)) >= 2 or line.endswith("。")
