"""Finds the program in a model's answer.

Looser than CommonMark where models are: a fence may be indented, may open at the end of a line of prose,
may be closed at the end of a line of code, or not at all. Time is linear in the text's length.

The order of preference, highest first; among equals the last block wins, because models improve as they go:

1. a block that is complete: it defines the entry point or, for `stdin`, reads input, prints, and does so
   when run;
2. all Python blocks joined, where only together they are complete;
3. a block that is part of a program; a block that means to be one but does not parse (the sandbox then says
   where, and a round of repair can correct it); any other block with statements in it;
4. code without fences, prose before and after it cut off.

Names that the chosen block uses but does not define are taken from the earlier blocks that define them.
Parsing decides everything; nothing is run. Time is linear in the answer's length.
"""

from __future__ import annotations

import ast
import html
import re
import textwrap
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sstar_code.agent.generation.completeness import Grade, borrow_definitions, grade_text, grade_tree
from sstar_code.agent.models.request import Answer
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python

PYTHON_TAGS = frozenset(
    {"python", "py", "python3", "python2", "py3", "ipython", "ipython3", "pycon", "pypy3"}
)
"""Language tags under which a block may hold Python, in lower case; an untagged block may too."""

_MAX_BLOCKS = 256
_MAX_NESTED = 8
"""Closing fences skipped at most while looking for the one that ends a program with fences inside."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    tag: str
    """First word after the opening fence, in lower case; empty where there is none."""
    text: str
    """Between the fences, without the indent of the opening fence."""
    closed: bool

    @property
    def may_be_python(self) -> bool:
        """Tagged as Python or not tagged."""
        return not self.tag or self.tag in PYTHON_TAGS


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    tag: str
    indent: str


def find_blocks(text: str) -> tuple[list[Block], str]:
    """All fenced blocks in order, and the text before the first of them."""
    lines = text.split("\n")
    closers = {char: [place for place, line in enumerate(lines) if _closes(line, char * 3)] for char in "`~"}
    blocks: list[Block] = []
    place = 0
    first: int | None = None
    while place < len(lines) and len(blocks) < _MAX_BLOCKS:
        fence = _opening(lines[place])
        if fence is None:
            place += 1
            continue
        first = place if first is None else first
        block, place = _read_block(lines, place + 1, fence, closers[fence.mark[0]])
        blocks.append(block)
    return blocks, "\n".join(lines[:first])


def _opening(line: str) -> _Fence | None:
    bare = line.lstrip()
    for char in "`~":
        if bare.startswith(char * 3):
            info = bare.lstrip(char)
            if char in info:
                return None  # inline code, not a block
            mark = bare[: len(bare) - len(info)]
            return _Fence(mark, _tag_of(info), line[: len(line) - len(bare)])
    if line.count("```") == 1:
        tag = _tag_of(line[line.rfind("```") + 3 :])
        if tag in PYTHON_TAGS:
            return _Fence("```", tag, "")
    return None


def _tag_of(info: str) -> str:
    words = info.strip().strip("{}.").replace(",", " ").lower().split()
    return words[0] if words else ""


def _closes(line: str, mark: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(mark) and bare == mark[0] * len(bare)


def _read_block(
    lines: Sequence[str], start: int, fence: _Fence, candidates: Sequence[int]
) -> tuple[Block, int]:
    """The block whose first line is `start`, and the place after it; it ends at one of `candidates`."""
    closers: list[int] = []
    for place in candidates[bisect_left(candidates, start) :]:
        if not _closes(lines[place], fence.mark):
            continue
        closers.append(place)
        if len(closers) > _MAX_NESTED or fence.tag not in PYTHON_TAGS:
            break
        if parse_python(_join(lines[start:place], fence.indent)) is not None:
            break
    if not closers:
        return _read_unclosed(lines, start, fence)
    end = closers[0]
    if len(closers) > 1 and parse_python(_join(lines[start : closers[-1]], fence.indent)) is not None:
        end = closers[-1]  # the fences before it stand inside a string of the program
    return Block(fence.tag, _join(lines[start:end], fence.indent), closed=True), end + 1


def _read_unclosed(lines: Sequence[str], start: int, fence: _Fence) -> tuple[Block, int]:
    for place in range(start, len(lines)):
        line = lines[place].rstrip()
        if line.endswith(fence.mark) and line.count(fence.mark) == 1:
            kept = [*lines[start:place], line[: -len(fence.mark)]]
            return Block(fence.tag, _join(kept, fence.indent), closed=True), place + 1
    return Block(fence.tag, _join(lines[start:], fence.indent), closed=False), len(lines)


def _join(lines: Sequence[str], indent: str) -> str:
    if indent:
        lines = [line.removeprefix(indent) for line in lines]
    return "\n".join(lines)


_MAX_CHARS = 1_000_000
_MAX_CUTS = 8
_MAX_STARTS = 4
_INVISIBLE = str.maketrans("\u00a0\u2018\u2019\u201c\u201d", " ''\"\"", "\u200b\ufeff")
"""Characters that only look like Python's own, and what they stand for; the last two stand for nothing."""
_CONTINUES = re.compile(r"[\s)\]}#]|(?:else|elif|except|finally)\b")
_STARTS_CODE = re.compile(
    r"(?:for|while|if|with|try|def|class|async def)\b.*[:(,\[{\\]\s*(?:#.*)?"
    r"|import [\w., ]+|from [\w.]+ import\b.*|@\w.*|#.*|print\(.*"
    r"|[A-Za-z_][\w.\[\]]*(?:, ?[A-Za-z_]\w*){0,8} ?[-+*/%|&^]?=(?!=).*"
)


@dataclass(frozen=True, slots=True)
class Extraction:
    """The program in an answer, and how it was found."""

    code: str | None
    """The program; None where the answer holds none."""
    how: str
    """`fenced`, `joined`, `cut`, `unparsed` (it does not compile), `bare` (no fence) or `none`."""
    truncated: bool
    """Whether the server cut the answer, or its last block ends in the middle of a statement."""


@dataclass(frozen=True, slots=True)
class _Found:
    code: str
    grade: Grade
    how: str
    tree: ast.Module | None = None


def extract_code(answer: Answer | str, problem: Problem) -> Extraction:
    """The program in `answer`. Never raises for any text.

    For `function` problems a body without its `def` line is a program too where `starter_code` supplies
    that line.
    """
    cut_by_server = isinstance(answer, Answer) and answer.finish_reason == "length"
    raw = answer.text if isinstance(answer, Answer) else answer
    text, thinking_only = _drop_thinking(raw[:_MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n"))
    if thinking_only:
        return Extraction(None, "none", truncated=True)
    blocks, before = find_blocks(text)
    found = [item for block in blocks if (item := _judge_block(block, problem)) is not None]
    best = _choose(found, problem)
    if best is None or best.grade < Grade.PARTIAL:
        for prose in (before, text) if blocks else (text,):
            bare = _read_bare(prose, problem)
            if bare is not None and (best is None or bare.grade > best.grade):
                best = bare
                break
    truncated = cut_by_server or (best is not None and best.how == "cut")
    if best is None:
        return Extraction(None, "none", truncated)
    return Extraction(best.code.strip("\n") + "\n", best.how, truncated)


def _drop_thinking(text: str) -> tuple[str, bool]:
    """The text after the thinking, and whether the answer is nothing but thinking that never ended."""
    start = text.lstrip()
    head, mark, tail = text.partition("</think>")
    if start.startswith("<think>"):
        return tail, not mark
    ends_a_line = mark and (not tail or tail[0] == "\n")
    if ends_a_line and (not head or head[-1] == "\n"):
        return tail, False
    return text, False


def _judge_block(block: Block, problem: Problem) -> _Found | None:
    if not block.may_be_python or not block.text.strip():
        return None
    parsed = _read_program(block.text, problem, "fenced")
    if parsed is not None:
        return parsed if parsed.grade > Grade.NOTHING else None
    if not block.closed and (kept := _cut_tail(block.text, problem)) is not None:
        return kept
    grade = grade_text(block.text, problem)
    return _Found(block.text, grade, "unparsed") if grade > Grade.NOTHING or block.tag else None


def _read_program(text: str, problem: Problem, how: str) -> _Found | None:
    """The first reading of `text` that parses, by itself or as the body of the starter code."""
    for reading in _readings(text):
        tree = parse_python(reading)
        starter = problem.starter_code.rstrip() if problem.kind is Kind.FUNCTION else ""
        if tree is None and starter and reading[:1].isspace():
            tree = parse_python(f"{starter}\n{reading}")
        if tree is not None:
            return _Found(reading, grade_tree(tree, problem), how, tree)
    return None


def _readings(text: str) -> Iterator[str]:
    text = text.strip("\n")
    first, _, rest = text.partition("\n")
    if first.strip().lower() in PYTHON_TAGS:
        text = rest
    yield text
    yield textwrap.dedent(text)
    if ">>>" in text:
        session = [
            line.lstrip()[4:] for line in text.split("\n") if line.lstrip()[:4].rstrip() in (">>>", "...")
        ]
        yield "\n".join(session)
    if "&" in text:
        yield html.unescape(text)
    yield text.translate(_INVISIBLE)


def _cut_tail(text: str, problem: Problem) -> _Found | None:
    """`text` without its unfinished last statements, if what is left is complete."""
    lines = text.split("\n")
    starts = [place for place, line in enumerate(lines) if line and not _CONTINUES.match(line)]
    for place in reversed(starts[-_MAX_CUTS:]):
        code = "\n".join(lines[:place])
        tree = parse_python(code)
        if tree is not None:
            grade = grade_tree(tree, problem)
            return _Found(code, grade, "cut", tree) if grade is Grade.COMPLETE else None
    return None


def _choose(found: list[_Found], problem: Problem) -> _Found | None:
    if not found:
        return None
    place = max(range(len(found)), key=lambda place: (found[place].grade, found[place].how != "cut", place))
    best = found[place]
    parsed = [item for item in found if item.tree is not None]
    if best.grade is not Grade.COMPLETE and len(parsed) > 1:
        joined = "\n\n".join(item.code for item in parsed)
        tree = parse_python(joined)
        if tree is not None and grade_tree(tree, problem) is Grade.COMPLETE:
            return _Found(joined, Grade.COMPLETE, "joined", tree)
    if best.tree is None:
        return best
    earlier = [(item.code, item.tree) for item in found[:place] if item.tree is not None]
    borrowed = borrow_definitions(best.tree, earlier, problem)
    return _Found(f"{borrowed}\n\n{best.code}", best.grade, "joined") if borrowed else best


def _read_bare(text: str, problem: Problem) -> _Found | None:
    """A program in text without fences: the whole text, or what is left without the prose around it."""
    whole = _read_program(text, problem, "bare")
    if whole is not None:
        return whole if whole.grade > Grade.NOTHING else None
    lines = text.split("\n")
    best: _Found | None = None
    tries = 0
    end = 0
    for place, line in enumerate(lines):
        if place < end or not _STARTS_CODE.fullmatch(line):
            continue
        code = _longest_prefix(lines[place:])
        end = place + code.count("\n") + 1
        parsed = parse_python(code)
        if parsed is not None:
            grade = grade_tree(parsed, problem)
            if grade >= Grade.PARTIAL and (best is None or grade >= best.grade):
                best = _Found(code, grade, "bare", parsed)
        tries += 1
        if tries == _MAX_STARTS:
            break
    return best


def _longest_prefix(lines: list[str]) -> str:
    """Leading `lines` up to the first one at the margin that does not look like code."""
    kept: list[str] = []
    for line in lines:
        if (
            line
            and not _CONTINUES.match(line)
            and not _STARTS_CODE.fullmatch(line)
            and parse_python(line) is None
        ):
            break
        kept.append(line)
    return "\n".join(kept)
