"""A statement cut at its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sstar_code.problems.statements.layout.headings import (
    Heading,
    Role,
    ends_sample,
    read_heading,
    split_glued,
)

_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})\s*([\w+-]{0,20})\s*$")
_COPY = ("copy", "скопировать", "복사", "复制", "copier", "copiar")


@dataclass(frozen=True, slots=True)
class Section:
    """One heading's part of a statement."""

    role: Role
    named: bool
    """The heading says "sample" or the like; a bare "Input" may head the format description instead."""
    lines: tuple[str, ...] = ()
    fences: tuple[str, ...] = ()
    """Texts of the fenced blocks, where the section starts with one."""
    inline: bool = False
    """The text stood on the heading's own line, as in `Input: 3 4`."""
    pair: int | None = None
    """Input and output stand beside each other: where in the line the second heading begins."""
    lead: int = 0
    """Columns before the first of such a pair."""

    @property
    def fenced(self) -> str | None:
        """Text of the first fenced block, where the section starts with one."""
        return self.fences[0] if self.fences else None

    @property
    def is_empty(self) -> bool:
        """Nothing stands below the heading."""
        return not any(line.strip() for line in self.lines)


def split_sections(text: str) -> list[Section]:
    """The sections of a cleaned statement, in order; text before the first heading is left out."""
    bodies: list[tuple[Section, list[str]]] = [(Section("other", named=False), [])]
    fence: str | None = None
    head_chars = 0
    for line in (piece for whole in text.split("\n") for piece in split_glued(whole)):
        section, body = bodies[-1]
        mark = _FENCE.match(line)
        if fence is None and not mark:
            head = read_heading(line)
            if head is not None and not (section.pair is not None and _is_row(head)):
                bodies.append(_open(head))
                head_chars = len(line)
                continue
            if section.inline and ends_sample(line):
                bodies.append((Section("other", named=False), []))
                continue
        if mark and fence is None:
            fence = mark[1]
        elif mark and fence is not None and mark[1].startswith(fence) and not mark[2]:
            fence = None
        is_underline = (
            len(line) > 2 and set(line.strip()) in ({"-"}, {"="}) and abs(len(line) - head_chars) < 3
        )
        if body or not (line.strip().lower() in _COPY or is_underline):
            body.append(line)
    return [
        replace(head, lines=tuple(body), fences=tuple(_leading_fences(body))) for head, body in bodies[1:]
    ]


def _is_row(head: Heading) -> bool:
    """A heading inside a table of samples is one of its cells."""
    return head.pair is None and bool(head.text)


def _open(head: Heading) -> tuple[Section, list[str]]:
    section = Section(head.role, head.named, inline=bool(head.text), pair=head.pair, lead=head.lead)
    return section, [head.text] if head.text else []


def _leading_fences(body: list[str]) -> list[str]:
    """The texts of the fenced blocks with which `body` starts, nothing but blanks between them."""
    found: list[str] = []
    inside: list[str] | None = None
    opened = ""
    for line in body:
        if inside is None:
            mark = _FENCE.match(line)
            if mark:
                inside, opened = [], mark[1]
            elif line.strip():
                break
        elif line.strip().startswith(opened):
            found.append("\n".join(inside))
            inside = None
        else:
            inside.append(line)
    if inside is not None:
        found.append("\n".join(inside))
    return found
