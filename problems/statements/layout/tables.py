"""Samples that stand in columns: input beside output, and a column of names beside the input."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sstar_code.problems.statements.layout.text import BREAK_IN_CELL

if TYPE_CHECKING:
    from sstar_code.problems.statements.layout.sections import Section

Sample = tuple[str, str]
"""Standard input and standard output."""

_RULE = re.compile(r"\s*\|?[\s:|+=-]*-[\s:|+=-]*\|?\s*")
_GAP = re.compile(r"\s{2,}|\t")
_STDIN_HEAD = re.compile(r"\s*STDIN\s+(FUNCTION)\b.*", re.IGNORECASE)
_NUMBERED = re.compile(r"(?m)^[ ]{0,3}(\d{1,3})[ ]?\t")


def left_column(lines: list[str]) -> str | None:
    """The text of `lines`; of columns `STDIN  Function` the left one, None where it is not clear."""
    head = _STDIN_HEAD.fullmatch(lines[0]) if lines else None
    if head is None:
        return "\n".join(lines) + "\n"
    offset = head.start(1)
    indent = len(lines[0]) - len(lines[0].lstrip())
    kept = []
    for line in (line[indent:] if not line[:indent].strip() else line for line in lines[1:]):
        if _RULE.fullmatch(line):
            continue
        pieces = _GAP.split(line.rstrip())
        if len(pieces) == 1 and len(line.rstrip()) > offset - indent:
            return None
        kept.append(pieces[0])
    return "\n".join(kept).strip("\n") + "\n"


def read_beside(section: Section) -> list[Sample] | None:
    """The samples of a section whose heading names input and output beside each other; None where unclear."""
    if section.fences:
        blocks = [block.strip("\n") + "\n" for block in section.fences]
        return None if len(blocks) % 2 else list(zip(blocks[::2], blocks[1::2], strict=True))
    lines = list(section.lines)
    while lines and not lines[0].strip():
        lines.pop(0)
    if lines and _RULE.fullmatch(lines[0]) and "|" in lines[0]:
        return _read_rows(lines[1:], section.lead)
    if section.lead:
        return _read_numbered("\n".join(lines))
    return _read_sides(lines, section)


def _read_rows(lines: list[str], lead: int) -> list[Sample] | None:
    samples = []
    for line in lines:
        if "|" not in line:
            break
        cells = [_cell(cell) for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if len(cells) < lead + 2:
            return None
        samples.append((cells[lead], cells[lead + 1]))
    return samples


def _cell(text: str) -> str:
    """The text of a cell, without the marks of code."""
    return "\n".join(line.strip() for line in text.replace("`", "").split(BREAK_IN_CELL)).strip() + "\n"


def _read_numbered(text: str) -> list[Sample] | None:
    """Rows that begin with their number and a tab; a cell may go over several lines."""
    starts: list[re.Match[str]] = []
    for start in _NUMBERED.finditer(text):
        if int(start[1]) == len(starts) + 1:
            starts.append(start)
    samples = []
    for place, start in enumerate(starts):
        end = starts[place + 1].start() if place + 1 < len(starts) else len(text)
        given, tab, expected = text[start.end() : end].partition("\t")
        expected = expected.strip("\n").partition("\n\n")[0]
        if not tab or "\t" in expected:
            return None
        samples.append((given.strip() + "\n", expected.strip() + "\n"))
    return samples or _read_spaced(text)


def _read_spaced(text: str) -> list[Sample] | None:
    """Rows of one line each, `1   2 3   5`, with at least two blanks between the columns."""
    samples = []
    for line in text.split("\n"):
        if not line.strip():
            break
        cells = _GAP.split(line.strip())
        if len(cells) != 3:
            return None
        samples.append((f"{cells[1]}\n", f"{cells[2]}\n"))
    return samples or None


def _read_sides(lines: list[str], section: Section) -> list[Sample] | None:
    """One sample in two columns."""
    body = "\n".join(lines).strip("\n")
    if body.count("\t") == 1:  # copied cells: each may go over several lines
        given, _, expected = body.partition("\t")
        alone = given.endswith("\n") or expected.startswith("\n")
        expected = expected.strip("\n").partition("\n\n")[0]
        return [_pair(given.split("\n"), expected.split("\n"))] if alone or "\n" not in expected else None
    rows: list[tuple[str, str]] = []
    for line in lines:
        if not line.strip():
            if rows:
                break
            continue
        row = _split_row(line, section.pair or 0)
        if row is None:
            return None
        rows.append(row)
    filled = all(left and right for left, right in rows)
    if not rows or (filled and len(rows) > 1 and not section.named):
        return None  # rows may be samples of their own, or lines of one
    return [_pair([left for left, _ in rows], [right for _, right in rows])]


def _split_row(line: str, offset: int) -> tuple[str, str] | None:
    if "\t" in line:
        left, _, right = line.partition("\t")
        return None if "\t" in right.strip() else (left.strip(), right.strip())
    if not line[max(0, offset - 2) : offset].strip():
        left, right = line[:offset].strip(), line[offset:].strip()
        return None if _GAP.search(left) or _GAP.search(right) else (left, right)
    cells = _GAP.split(line.strip())
    return (cells[0], cells[1]) if len(cells) == 2 else None


def _pair(given: list[str], expected: list[str]) -> Sample:
    return "\n".join(given).strip() + "\n", "\n".join(expected).strip() + "\n"
