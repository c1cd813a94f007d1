"""Reads tests that a model writes, and finds out which programs pass them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.statements.literals import read_assert
from sstar_code.problems.values import encode, encode_lines
from sstar_code.sandbox.outcome import Status
from sstar_code.selection.evidence.clustering import compare_with
from sstar_code.selection.inputs.replies import CallShape, find_literals
from sstar_code.selection.protocols import Question

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.selection.evidence.board import Ledger
    from sstar_code.selection.pool import Pool

WRITTEN_TESTS = 20
"""Number of tests asked of the model in one call."""
MAX_TESTS = 100
"""Most tests taken from one reply."""
_MAX_CHARS = 20_000
_MAX_LINES = 12
"""Most lines of one assert."""
_ASSERT = re.compile(r"^[ \t]*assert\b", re.MULTILINE)
_FENCE = re.compile(r"^```.*$", re.MULTILINE)
_UNREADABLE = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """An input and the output that a model believes in."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The tests, and which of them each candidate passes."""

    members: tuple[int, ...]
    tests: tuple[WrittenTest, ...]
    passed: tuple[frozenset[int], ...]
    """The places in `tests` of those that each of `members` passes."""


def parse_tests(text: str, problem: Problem, *, limit: int = MAX_TESTS) -> list[WrittenTest]:
    """The tests in the reply `text`, each once; those written most often first, then in order.

    For functions asserts of the form `assert f(literals) == literal`; for both kinds JSON objects with
    `input` and `output`. At most `limit`. What cannot be read is left out; never raises.
    """
    found: Counter[WrittenTest] = Counter()
    if problem.kind is Kind.FUNCTION and problem.entry_point:
        found.update(_asserted(text, problem.entry_point.rpartition(".")[2]))
    if not found:
        found.update(_objects(text, problem))
    tests = [test for test in found if len(test.input) + len(test.output) <= _MAX_CHARS]
    return sorted(tests, key=lambda test: -found[test])[:limit]


def _asserted(text: str, name: str) -> Iterator[WrittenTest]:
    """Each assert by itself: what follows one, up to the next, is taken as far as it is Python."""
    text = _FENCE.sub("", text)
    starts = [match.start() for match in _ASSERT.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):  # no start: no end
        lines = text[start:end].strip().split("\n")[:_MAX_LINES]
        for count in range(1, len(lines) + 1):
            try:
                test = read_assert("\n".join(lines[:count]), name)
            except _UNREADABLE:
                continue
            if test.program is None and test.output is not None:
                yield WrittenTest(test.input, test.output)
                break


def _objects(text: str, problem: Problem) -> Iterator[WrittenTest]:
    shape = CallShape.of(problem) if problem.kind is Kind.FUNCTION else None
    for value in find_literals(text):
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "input" in item and "output" in item:
                try:
                    test = _read_object(item["input"], item["output"], shape)
                except _UNREADABLE:
                    continue
                if test is not None:
                    yield test


def _read_object(given: Any, wanted: Any, shape: CallShape | None) -> WrittenTest | None:
    if shape is not None:
        call = shape.read(given)
        return None if call is None else WrittenTest(encode_lines(call), encode(wanted))
    if not isinstance(given, str) or not given.strip() or isinstance(wanted, list | dict | None):
        return None
    given.encode()  # a lone surrogate cannot be written to a pipe
    return WrittenTest(given if given.endswith("\n") else given + "\n", str(wanted))


async def run_written_tests(pool: Pool, members: Sequence[int], ledger: Ledger) -> Outcomes:
    """Ask for tests (one call) and run `members` on them; without a model, or with no readable test, none.

    An output passes as the checker says; where the checker is a program, when it is equal. A test on
    which the sandbox failed does not count.
    """
    tests = await _ask_tests(pool, ledger)
    inputs = list(dict.fromkeys(test.input for test in tests))
    runs = await pool.board.run(members, inputs, ledger)
    alike = cache(compare_with(pool.problem))
    passed: dict[int, set[int]] = {member: set() for member in members}
    lost: set[int] = set()
    for number, test in enumerate(tests):
        place = inputs.index(test.input)
        for member in members:
            run = runs[member][place]
            if run.status is Status.IE:
                lost.add(number)
            output = run.output or ""
            if run.status is Status.OK and (output == test.output or alike(test.output, output)):
                passed[member].add(number)
    if lost:
        ledger.notes.append(f"{len(lost)} of {len(tests)} tests dropped: the sandbox failed on them")
    return Outcomes(
        tuple(members), tuple(tests), tuple(frozenset(passed[member] - lost) for member in members)
    )


async def _ask_tests(pool: Pool, ledger: Ledger) -> list[WrittenTest]:
    if pool.ask is None:
        ledger.notes.append("no model: no test is written")
        return []
    reply = await pool.board.ask(Question.TESTS, "written", ledger, count=WRITTEN_TESTS)
    if reply is None:
        ledger.notes.append("tests: the call failed")
        return []
    tests = parse_tests(reply.text, pool.problem)
    if not tests:
        ledger.notes.append("tests: no test could be read from the reply")
    return tests
