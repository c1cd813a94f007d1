"""Reads the documents: their blocks of code, their links, and the command lines in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(DOCS.rglob("*.md")),
]
BLOCK = re.compile(r"^```(\w*)[ ]?([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^(?: {4}.*)?\n)+", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NO_COMMANDS = ("python", "json", "jsonl", "toml", "text", "markdown", "jinja")
_STARTS = re.compile(r"(?:^|(?<=[\s/'\"`(]))(sstar(?:-code)?|python3?|make)(?= )")


@dataclass(frozen=True)
class CommandLine:
    """A command of a page. `whole` ones stand in a block of code; the others are mentioned in a sentence."""

    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return shlex.join(self.words)


def name_page(page: Path) -> str:
    """The page's path from the top of the repository."""
    return str(page.relative_to(ROOT))


def read_links(page: Path) -> list[str]:
    """Targets of the page's links that are no addresses of other hosts; text in code holds none."""
    text = _INLINE.sub("", BLOCK.sub("", page.read_text(encoding="utf-8")))
    return [target for target in _LINK.findall(text) if "://" not in target and "@" not in target]


def read_anchors(page: Path) -> set[str]:
    """What `#...` may name on the page: its headings, written as GitHub and the site write them."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        for heading in headings
    }


def read_commands(page: Path) -> list[CommandLine]:
    """All lines of the page that call `sstar`, `python` or `make`."""
    text = page.read_text(encoding="utf-8")
    blocks = [body for language, _, body in BLOCK.findall(text) if language not in _NO_COMMANDS]
    rest = BLOCK.sub("", text)
    blocks += _INDENTED.findall(rest)
    prose = _INDENTED.sub("\n", rest)
    whole = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    found = [CommandLine(words, whole=True) for line in whole for words in _split(line)]
    inline = [code.removeprefix("$ ") for code in _INLINE.findall(prose)]
    found += [
        CommandLine(words, whole=False) for code in inline if _STARTS.match(code) for words in _split(code)
    ]
    return found


def _split(line: str) -> Iterator[tuple[str, ...]]:
    """The commands of a line; each ends at a quote that was open before it, a pipe, a `;` or two blanks."""
    end = 0
    for match in _STARTS.finditer(line):
        before = line[: match.start()]
        if match.start() < end:
            continue
        if re.search(r"(^|\s)#\s", before) or re.search(r"[a-z]: ", before.lstrip("-$ ")):
            continue  # a comment, or what a program said
        text = line[match.start() :]
        for quote in "'\"`":
            if before.endswith(quote) or before.count(quote) % 2:
                text = text.partition(quote)[0]
        text = re.split(r"\s{2,}(?=[^\s-])|\s[|>;]|\s&&|;\s|\s#\s", text)[0]
        end = match.start() + len(text)
        words = tuple(shlex.split(text))
        if len(words) > 1:
            yield words
