"""The lines that a program executes up to its first wrong observable value, seen on a public test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from sstar_code.problems import Kind
from sstar_code.problems.calls import PLAIN_CALL
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import assemble, limits_for, program_for, run_tests

if TYPE_CHECKING:
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Program, Sandbox
    from sstar_code.sandbox.grade import TestResult

_MOST_LINES = 100_000


async def trace_failure(problem: Problem, code: str, sandbox: Sandbox) -> list[int]:
    """Lines of `code` in the order of their last execution, the one of the first wrong value at the end.

    The run is that of the shortest public test that fails. The value is, on standard output, the first word
    that is not the expected one; else what is returned, or where the run ended. Where it cannot be traced,
    the lines are all of the program up to the one that failed, where that is known, else all.

    Raises:
        SandboxError: the sandbox is gone.
    """
    report = await run_tests(sandbox, problem, code, problem.public_tests)
    failures = [result for result in report.failures if result.verdict is not Verdict.IE]
    shortest = min(failures, key=lambda result: len(result.test.input), default=None)
    count = len(code.rstrip().split("\n"))
    if shortest is None:
        return list(range(1, count + 1))
    failure = shortest.execution.failure
    offset = assemble(problem, code).count("\n") - code.count("\n")
    """Lines that stand before the program where the starter code is put in front."""
    program = _instrument(problem, code, shortest)
    if program is not None:
        limits = replace(limits_for(problem), kept_chars=None)
        (run,) = await sandbox.run(program, [shortest.test.input], limits)
        lines = [line - offset for line in _read(run.output or "", shortest)]
        if found := [line for line in lines if 1 <= line <= count]:
            return found
    last = failure.line - offset if failure and failure.line else count
    return list(range(1, max(1, min(last, count)) + 1))


def _instrument(problem: Problem, code: str, failed: TestResult) -> Program | None:
    """The program that runs `code` traced; None where that is not possible."""
    if failed.test.program is not None or failed.verdict is Verdict.CE:
        return None
    plain, source = program_for(problem, code), assemble(problem, code)
    tracer = (resources.files("sstar_code.agent.strategies.backtracking") / "tracer.py").read_text("utf-8")
    if problem.kind is Kind.STDIN:
        return replace(plain, code=f"{tracer}\n\nrun_main({source!r})\n")
    if replace(problem.call, either=False) != PLAIN_CALL:
        return None  # the report could not be given back in place of a node or an argument
    call = f"trace_calls({source!r}, {problem.entry_point!r}, globals())"
    return replace(plain, code=f"{tracer}\n\n{call}\n", call=PLAIN_CALL)


def _read(output: str, failed: TestResult) -> list[int]:
    """The lines of a report up to the wrong value; none where it is no report."""
    try:
        data: Any = json.loads(output)
        data = json.loads(data) if isinstance(data, str) else data  # a value that was returned
        writes = [(int(length), _lines_of(lines)) for length, lines in data["writes"]]
        end = _lines_of(data["end"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return []
    printed = failed.execution.stdout if failed.execution.result is None else ""
    if failed.verdict is Verdict.WA and failed.test.output is not None and printed:
        place = find_difference(printed, failed.test.output)
        return next((lines for length, lines in writes if length > place), end)
    return end


def _lines_of(value: Sequence[object]) -> list[int]:
    return [line for line in value[:_MOST_LINES] if isinstance(line, int)]


def find_difference(got: str, expected: str) -> int:
    """Where the first word of `got` stands that is not the expected one; its end where words are missing."""
    place = 0
    wanted = expected.split()
    for number, word in enumerate(got.split()):
        place = got.index(word, place)
        if number >= len(wanted) or word != wanted[number]:
            return place
        place += len(word)
    return len(got)
