"""Finds what is wrong with the problems of a set, without running anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.problems import values
from sstar_code.problems.checkers import validate_checker
from sstar_code.problems.errors import ProblemFileError
from sstar_code.problems.formats.judges import find_judges, is_cpp
from sstar_code.problems.formats.trust import trusts_candidate
from sstar_code.problems.problem import MAX_OUTPUT_MB, READING_NOTES, Asked, Kind
from sstar_code.problems.python_source import UNREADABLE, parse_strictly

if TYPE_CHECKING:
    from sstar_code.problems.problem import Problem, Test

_MOST_REFERENCES = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a problem, or with a row that is none."""

    problem_id: str
    """Empty where a row could not be read."""
    what: str
    """One line."""
    is_note: bool = False
    """Worth knowing, and no reason to refuse the set."""


def find_faults(problems: Iterable[Problem]) -> Iterator[Fault]:
    """Every fault of every problem, in order; one test's fault is told once a problem.

    Looked for: an empty statement, no tests, tests that do not parse or expect nothing, a checker that is
    none, starter code without the entry point, the same statement under two ids.
    """
    first: dict[str, str] = {}
    for problem in problems:
        for what in _find_in(problem):
            yield Fault(problem.id, what)
        for what in _note_of(problem):
            yield Fault(problem.id, what, is_note=True)
        same = first.setdefault(_condense(problem), problem.id)
        if same != problem.id and problem.statement.strip():
            yield Fault(problem.id, f"the same statement as {same!r}")


def list_references(problem: Problem) -> tuple[str, ...]:
    """Programs that the set says are right: its `reference`, or the first three of its `references`."""
    one, many = problem.metadata.get("reference"), problem.metadata.get("references")
    found = [one] if isinstance(one, str) else many if isinstance(many, list) else []
    return tuple(code for code in found[:_MOST_REFERENCES] if isinstance(code, str) and code.strip())


def _condense(problem: Problem) -> str:
    return re.sub(r"\s+", " ", f"{problem.statement}\0{problem.entry_point}\0{problem.starter_code}").strip()


def _find_in(problem: Problem) -> Iterator[str]:
    if not problem.statement.strip():
        yield "empty statement"
    if isinstance(problem.checker, str):
        try:
            validate_checker(problem.checker, problem.kind)
        except ValueError as error:
            yield str(error)
    yield from _find_in_judges(problem)
    yield from _find_in_starter(problem)
    try:
        tests = [("public", problem.public_tests), ("hidden", tuple(problem.hidden_tests))]
    except ProblemFileError as error:
        yield str(error)
        return
    if not any(listed for _, listed in tests):
        yield "no tests"
    for name, listed in tests:
        for place, test in enumerate(listed):
            if (fault := _find_in_test(problem, test)) is not None:
                yield f"{name} test {place}: {fault}"
                break


def _find_in_judges(problem: Problem) -> Iterator[str]:
    for role, judge in find_judges(problem).items():
        fault = None if is_cpp(judge) else _find_in_python(judge.get("program", ""))
        if fault is not None:
            yield f"the {role} program does not compile: {fault}"


def _note_of(problem: Problem) -> Iterator[str]:
    judge = problem.metadata.get("special_judge")
    if judge:
        yield f"its {judge} checker is not run: of several right answers only the given one is accepted"
    told = problem.metadata.get(READING_NOTES)
    yield from (str(note) for note in (told if isinstance(told, list) else ()))
    programs = [test.program for test in problem.public_tests if test.program]
    hidden = problem.hidden_tests if isinstance(problem.hidden_tests, tuple) else ()  # stored ones are large
    programs += [test.program for test in hidden if test.program and test.program not in programs]
    if count := sum(map(trusts_candidate, programs)):
        yield f"{count} of {len(programs)} test programs need the candidate's objects, and trust it"
    if problem.kind is Kind.STDIN and any("\r\n" in test.input for test in (*problem.public_tests, *hidden)):
        yield "lines of a test's input end with CR LF: a program that calls input() finds the CR in the text"


def _find_in_starter(problem: Problem) -> Iterator[str]:
    if problem.kind is Kind.FUNCTION and not problem.entry_point:
        yield "no entry point"
    if not problem.entry_point or not problem.starter_code.strip():
        return
    for name in problem.entry_point.split("."):
        if not re.search(rf"\b(?:def|class)\s+{re.escape(name)}\b", problem.starter_code):
            yield f"the starter code has no {name!r} (entry point {problem.entry_point})"
            return


def _find_in_test(problem: Problem, test: Test) -> str | None:
    if test.program is not None:
        fault = _find_in_python(test.program)
        return None if fault is None else f"the test program does not compile: {fault}"
    if test.output is None:
        if problem.asks is not Asked.PROGRAM and test in problem.public_tests:
            return None  # what is predicted is the answer itself
        return "no expected output, so that every answer passes"
    size_mb = len(test.output.encode("utf-8", "surrogatepass")) / (1 << 20)
    if size_mb > MAX_OUTPUT_MB:
        return f"expects more output than a program may write ({size_mb:.0f} MB of {MAX_OUTPUT_MB} MB)"
    if problem.kind is Kind.FUNCTION:
        for name, text, read in (
            ("input", test.input, values.decode_lines),
            ("output", test.output, values.decode),
        ):
            try:
                read(text)
            except (ValueError, RecursionError) as error:
                return f"{name} is not JSON: {error}"
    return None


def _find_in_python(source: str) -> str | None:
    try:
        parse_strictly(source)
    except UNREADABLE as error:
        return f"{type(error).__name__}: {error}"
    return None
