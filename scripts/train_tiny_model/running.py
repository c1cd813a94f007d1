"""Runs the generator's own programs in this process: a hundred times as fast as the sandbox, to the same end.

Only for programs that `tasks` has written. `tests/scripts` holds it to what the sandbox says of them.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

from sstar_code.problems import Kind, Problem
from sstar_code.problems.checkers import accepts
from sstar_code.problems.values import decode_lines, encode
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import Report, TestResult
from sstar_code.sandbox.outcome import Execution, Failure, Status

__all__ = ["run_on", "run_public"]

_FILE = "solution.py"


def run_on(problem: Problem, code: str, text: str) -> Execution:
    """What `code` does on one input."""
    printed = io.StringIO()
    lines = iter(text.split("\n"))
    names: dict[str, Any] = {"input": lambda: next(lines)}
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, _FILE, "exec"), names)  # our own program
            if problem.kind is Kind.FUNCTION:
                result = names[problem.entry_point or ""](*decode_lines(text))
                return Execution(Status.OK, result=encode(result))
        return Execution(Status.OK, printed.getvalue())
    except Exception as error:  # noqa: BLE001 - whatever a wrong program raises is its result
        return Execution(Status.RE, failure=_explain(error))


def _explain(error: Exception) -> Failure:
    (line, trace) = (None, error.__traceback__)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            line = trace.tb_lineno
        trace = trace.tb_next
    return Failure(type(error).__name__, str(error), line)


def run_public(problem: Problem, code: str) -> Report:
    """The verdicts of `code` on the public tests."""
    results = []
    for test in problem.public_tests:
        run = run_on(problem, code, test.input)
        right = run.status is Status.OK and accepts(
            "exact", problem.kind, test.output or "", run.output or ""
        )
        wrong = Verdict.WA if run.status is Status.OK else Verdict.RE
        verdict = Verdict.AC if right else wrong
        results.append(TestResult(test, verdict, run))
    return Report(tuple(results), len(results))
