"""Finds the program in a model's answer.

The order of preference, highest first; among equals the last block wins, because models improve as they go:

1. a block that is complete: it defines the entry point or, for `stdin`, reads input, prints, and does so
   when run. An import or the bare signature of the entry point, and a block that is called wrong, come last;
2. all Python blocks joined, where only together they are complete;
3. a complete program without a fence: between tags, in JSON, in a quotation, indented, in a sentence;
4. a block that is part of a program; a block that means to be one but does not parse (the sandbox then says
   where, and a round of repair can correct it); any other block with statements in it;
5. code without any mark, prose before and after it cut off;
6. the program of the thinking, where the answer behind it holds none and was not cut.

Names that the chosen block uses but does not define are taken from the blocks that define them. What a
function's module does beside defining it is cut off (`trim`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import Grade, grade_text
from sstar_code.agent.generation.extract.choose import choose, judge_block
from sstar_code.agent.generation.extract.compiled import find_compiled
from sstar_code.agent.generation.extract.fences import Block, find_blocks
from sstar_code.agent.generation.extract.program import CONTINUES, Found, read_program
from sstar_code.agent.generation.extract.readings import break_lines, decode_escapes, unwrap
from sstar_code.agent.generation.extract.segments import (
    break_html,
    drop_quote_marks,
    list_headed,
    list_indented,
    list_inline,
    list_strings,
    list_tagged,
)
from sstar_code.agent.generation.extract.trim import trim
from sstar_code.agent.models.request import UNSURE, Answer
from sstar_code.agent.models.think_tags import cut_later_thinking, split_thinking
from sstar_code.problems.prediction.answers import find_answer, write_program
from sstar_code.problems.problem import Asked
from sstar_code.problems.python_source import limit_parsing, parse_python
from sstar_code.sandbox.languages.marks import mark
from sstar_code.sandbox.languages.table import PYTHON, find_language

if TYPE_CHECKING:
    from sstar_code.problems import Problem

_MAX_CHARS = 400_000
"""Characters that are looked at, the last ones: about as many as 100,000 tokens are."""
_FREE_CHARS, _READINGS = 700_000, 4
"""Characters that are parsed at most in an answer: the first number, and so many times its length."""
_MAX_STARTS = 4
_MAX_WORDS = 100
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
    """`fenced` (or marked in another way), `joined`, `cut`, `unparsed` (it does not compile), `bare` (without
    a mark), `thinking` (the answer itself holds none) or `none`."""
    truncated: bool
    """Whether the server cut the answer, or its last block ends in the middle of a statement."""
    why: str = ""
    """Why there is no program, in a few words; empty where there is one."""


def extract_code(answer: Answer | str, problem: Problem, language: str = PYTHON) -> Extraction:
    """The program in `answer`. Never raises for any text. One in another `language` than Python is marked.

    For `function` problems a body without its `def` line is a program too where `starter_code` supplies
    that line.
    """
    whole = answer if isinstance(answer, Answer) else Answer(answer)
    if problem.asks is not Asked.PROGRAM:
        return _extract_prediction(whole, problem)
    if language != PYTHON:
        return _extract_compiled(whole, language)
    shown = min(len(whole.text), _MAX_CHARS) + min(len(whole.reasoning), _MAX_CHARS)
    with limit_parsing(_FREE_CHARS + _READINGS * shown):
        return _extract(whole, problem, is_known=isinstance(answer, Answer))


def _extract_compiled(answer: Answer, language: str) -> Extraction:
    is_cut = answer.finish_reason in ("length", UNSURE)
    text, thinking = split_thinking(_normalise(answer.text))
    text, _ = cut_later_thinking(text)
    code, how, ends_open = find_compiled(text, find_language(language))
    if code is None:
        return Extraction(None, "none", is_cut, _explain(answer, text, thinking or answer.reasoning))
    return Extraction(mark(code.strip("\n") + "\n", language), how, is_cut or ends_open)


def _extract(answer: Answer, problem: Problem, *, is_known: bool) -> Extraction:
    is_cut = answer.finish_reason in ("length", UNSURE)
    text, thinking = split_thinking(_normalise(answer.text))
    text, later = cut_later_thinking(text)
    best = _search(text, problem, is_cut=is_cut)
    thinking = "\n".join(filter(str.strip, (_normalise(answer.reasoning), thinking, later)))
    if thinking and not is_cut and (best is None or best.worth[0] < Grade.BROKEN):
        thought = _search(thinking, problem)
        is_marked = thought is not None and thought.how != "bare"
        if thought is not None and _is_complete(thought) and (is_known or is_marked):
            best = replace(thought, how="thinking")
    truncated = is_cut or (best is not None and best.how == "cut")
    if best is None:
        return Extraction(None, "none", truncated, _explain(answer, text, thinking))
    code = trim(best.code.strip("\n") + "\n", problem).strip("\n") + "\n"
    return Extraction(mark(code, PYTHON), best.how, truncated)


def _extract_prediction(answer: Answer, problem: Problem) -> Extraction:
    """The program that returns what was predicted."""
    truncated = answer.finish_reason in ("length", UNSURE)
    text, thinking = split_thinking(_normalise(answer.text))
    code = write_program(find_answer(text), problem)
    if code is None:
        return Extraction(None, "none", truncated, _explain(answer, text, thinking))
    return Extraction(code, "fenced" if "[ANSWER]" in text else "bare", truncated)


def _normalise(text: str) -> str:
    return text[-_MAX_CHARS:].replace("\r\n", "\n").replace("\r", "\n")


def _explain(answer: Answer, text: str, thinking: str) -> str:
    """Why an answer without a program has none."""
    words = " ".join(text.split())
    shown = repr(words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…")
    what = f"text without code: {shown}" if words else "thinking without an answer" if thinking else "empty"
    cut = "before a program was complete" if words else "while thinking" if thinking else "at its start"
    reasons = {
        "content_filter": "stopped by the server's content filter",
        "refusal": f"refused: {shown}",
        "length": f"cut {cut}",
        UNSURE: "given up, since the model was less sure than of its first samples",
        "tool_calls": "a call of a tool, without code",
        "function_call": "a call of a tool, without code",
    }
    return reasons.get(answer.finish_reason, what)


def _search(text: str, problem: Problem, *, is_cut: bool = False, depth: int = 0) -> Found | None:
    """The best program in `text`, wherever it stands."""
    blocks, before = find_blocks(text)
    best = choose(list(_judge_blocks(blocks, problem, is_cut=is_cut)), problem)
    whole = None if blocks else read_program(text, problem, "bare")
    if whole is not None and whole.worth[0] >= Grade.PARTIAL:
        return whole
    if not depth and (best is None or best.worth[0] < Grade.BROKEN):
        is_prose = best is None and whole is None
        others = (item for item in _list_unfenced(text, problem, is_prose=is_prose) if _is_complete(item))
        best = next(others, best)
    if best is None or best.worth[0] < Grade.PARTIAL:
        for prose in (before, text) if blocks else (text,):
            bare = _read_bare(prose, problem)
            if bare is not None and (best is None or bare.worth[0] > best.worth[0]):
                return bare
    return best


def _is_complete(found: Found | None) -> bool:
    return found is not None and found.worth[0] is Grade.COMPLETE


def _judge_blocks(blocks: Iterable[Block], problem: Problem, *, is_cut: bool) -> Iterator[Found]:
    for block in blocks:
        found = judge_block(block, problem, cut_by_server=is_cut)
        if found is None and ("```" in block.text or "~~~" in block.text):
            inner, _ = find_blocks(block.text)
            found = choose([item for each in inner if (item := judge_block(each, problem))], problem)
        if found is not None:
            yield found


def _list_unfenced(text: str, problem: Problem, *, is_prose: bool) -> Iterator[Found | None]:
    """Programs in other marks than fences; each kind is looked for only when it is asked for.

    The body of a function is indented code too, so that mark counts only where there is nothing else.
    """

    def best_of(pieces: Iterable[str]) -> Found | None:
        return choose([item for piece in pieces if (item := _read_piece(piece, problem))], problem)

    yield best_of(list_strings(text))
    yield best_of(list_tagged(text))
    if "<br" in text:
        yield best_of(list_tagged(break_html(text)))
    yield best_of(list_headed(text))
    if is_prose:
        yield best_of(list_indented(text))
    for sign, change in _CHANGES:
        if sign in text and (changed := change(text)) != text:
            yield _search(changed, problem, depth=1)
    if is_prose:
        yield best_of(list_inline(text))


def _unwrap_patch(text: str) -> str:
    """The new side of a patch as tools take it, which begins each line of a new file with `+`."""
    return unwrap(text, "patch")


_CHANGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    (">", drop_quote_marks),
    ("*** ", _unwrap_patch),
    ("\\n", decode_escapes),
    ("\\n", break_lines),
)


def _read_piece(text: str, problem: Problem) -> Found | None:
    if "```" in text or "~~~" in text:
        return _search(text, problem, depth=1)
    return read_program(text, problem, "fenced") if text.strip() else None


def _read_bare(text: str, problem: Problem) -> Found | None:
    """A program in text without fences: the whole text, or what is left without the prose around it."""
    whole = read_program(text, problem, "bare")
    if whole is not None:
        return whole if whole.grade > Grade.NOTHING else None
    lines = text.split("\n")
    best: Found | None = None
    tries = 0
    end = 0
    for place, line in enumerate(lines):
        if place < end or not _STARTS_CODE.fullmatch(line):
            continue
        code = _longest_prefix(lines[place:])
        end = place + code.count("\n") + 1
        found = read_program(code, problem, "bare")
        if found is not None and found.grade >= Grade.PARTIAL and (best is None or found.worth >= best.worth):
            best = found
        tries += 1
        if tries == _MAX_STARTS:
            break
    return best or _read_bare_broken(text, problem)


def _read_bare_broken(text: str, problem: Problem) -> Found | None:
    """The whole text where it means to be the program and hardly a line of it is prose."""
    if grade_text(text, problem) is not Grade.BROKEN:
        return None
    lines = [line for line in text.split("\n") if line and not CONTINUES.match(line)]
    prose = sum(_STARTS_CODE.fullmatch(line) is None and parse_python(line) is None for line in lines)
    return Found(text, Grade.BROKEN, "unparsed") if prose <= 1 else None


def _longest_prefix(lines: list[str]) -> str:
    """Leading `lines` up to the first one at the margin that does not look like code."""
    kept: list[str] = []
    for line in lines:
        if (
            line
            and not CONTINUES.match(line)
            and not _STARTS_CODE.fullmatch(line)
            and parse_python(line) is None
        ):
            break
        kept.append(line)
    return "\n".join(kept)
