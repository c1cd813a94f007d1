"""Chooses among the blocks of an answer, and puts together what belongs together."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.generation.completeness import (
    Grade,
    borrow_definitions,
    bound_names,
    free_names,
    grade_tree,
)
from sstar_code.agent.generation.extract.program import Found, is_real, read_broken, read_program
from sstar_code.agent.generation.extract.readings import unwrap
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python, walk_statements

if TYPE_CHECKING:
    from sstar_code.agent.generation.extract.fences import Block

_WRONG = re.compile(
    r"\b(?:not like this|don't|do not|never (?:do|write)|avoid|wrong|incorrect|buggy|broken|mistake|pitfall"
    r"|anti-?pattern|bad (?:example|version|solution|approach|idea|code)|counter-?example|instead of"
    r"|(?:would|will|does) (?:not|n't) work|doesn't work|won't work|would fail|too slow|time out)\b",
    re.IGNORECASE,
)
_RIGHT = re.compile(
    r"\b(?:correct(?:ed|ion|s)?|fix(?:ed|es)?|right|better|improved|final|updated?|new|revised?|mended"
    r"|here(?:'s| is)|solution|use this|write|so)\b",
    re.IGNORECASE,
)
_BACKWARD = re.compile(
    r"\b(?:that|above|previous(?:ly)?|earlier|before|was|were|had|my|i|wait|oops|sorry|actually|because)\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\b(?:original|initial|old|earlier)\s+(?:\w+\s+)?(?:code|version|function|program|solution"
    r"|implementation|attempt)\b",
    re.IGNORECASE,
)
_WRONG_COMMENT = re.compile(
    r"#\W*(?:wrong|incorrect|bad|buggy|broken|don't|do not|not like this|avoid)\b", re.IGNORECASE
)
_HARNESS = frozenset({"subprocess", "pytest", "unittest", "doctest", "hypothesis", "timeit", "tempfile"})
"""Modules that a program for standard input does not import, and a test of one does."""


def judge_block(block: Block, problem: Problem, *, cut_by_server: bool = False) -> Found | None:
    """What the block is worth; None where it is no Python."""
    if not block.text.strip() and not block.rest:
        return None
    block = replace(block, text=unwrap(block.text, block.tag))
    found = read_program(block.text, problem, "fenced")
    if block.rest and (whole := _with_rest(block, found, problem)) is not None:
        found = whole
    if found is None and not block.may_be_python:
        return None
    if found is None:
        found = read_broken(block.text, problem, is_tagged=bool(block.tag), closed=block.closed)
    elif found.grade is Grade.NOTHING or (not block.may_be_python and found.grade < Grade.PARTIAL):
        return None
    if found is None:
        return None
    cut = cut_by_server and not block.closed
    first = found.code.lstrip().partition("\n")[0]
    called_wrong = calls_wrong(block.lead) or _WRONG_COMMENT.match(first) is not None
    return replace(found, is_doubted=cut or called_wrong or _is_harness(found.tree, problem))


def _with_rest(block: Block, without: Found | None, problem: Problem) -> Found | None:
    """The block with the rest of its fence's line as its first line, where that is code it needs."""
    found = read_program(f"{block.rest}\n{block.text}", problem, "fenced")
    if found is None or found.tree is None or without is None or without.tree is None:
        return found
    first = parse_python(block.rest)
    bound = {name for node in first.body for name in bound_names(node)} if first else set()
    return found if found.worth > without.worth or bound & set(free_names(without.tree)) else None


def calls_wrong(lead: str) -> bool:
    """Whether the last words before a block say that the block is not to be used: they end in a colon.

    A sentence that ends otherwise, or names what came before, speaks of the block before.
    """
    last = lead.strip().rpartition("\n")[2].strip(" *_`#")
    last = re.split(r"(?<=[.!?])\s+", last)[-1]
    if not last.endswith((":", ":)", "):")):
        return False
    if _BEFORE.search(last) and _RIGHT.search(_BEFORE.sub("", last)) is None:
        return True
    if _BACKWARD.search(last):
        return False
    return _WRONG.search(last) is not None and _RIGHT.search(_WRONG.sub("", last)) is None


def _is_harness(tree: ast.Module | None, problem: Problem) -> bool:
    """Whether a program for standard input runs or tests another one."""
    if tree is None or problem.kind is not Kind.STDIN:
        return False
    names = {
        name.partition(".")[0]
        for node in walk_statements(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names]
        )
    }
    return bool(names & _HARNESS) or bool(names & {"solution", "main", "sol", "program", "your_module"})


def choose(found: Sequence[Found], problem: Problem) -> Found | None:
    """The best of `found`, the last among equals, with the definitions that it needs from the others.

    Where none is complete but all together are, they are joined.
    """
    if not found:
        return None
    place = max(range(len(found)), key=lambda place: (found[place].worth, place))
    best = found[place]
    parsed = [item for item in found if item.tree is not None]
    if best.worth[0] is not Grade.COMPLETE and len(parsed) > 1:
        joined = "\n\n".join(item.code for item in parsed)
        tree = parse_python(joined)
        if tree is not None and grade_tree(tree, problem) is Grade.COMPLETE and is_real(tree, problem):
            return Found(joined, Grade.COMPLETE, "joined", tree)
    if best.tree is None:
        return best
    others = [*found[place + 1 :], *found[:place]]  # what stands before the program wins
    offers = [(item.code, item.tree) for item in others if item.tree is not None and not item.is_doubted]
    borrowed = borrow_definitions(best.tree, offers, problem)
    if not borrowed:
        return best
    code = f"{borrowed}\n\n{best.code}"
    return replace(best, code=code, how="joined", tree=parse_python(code))
