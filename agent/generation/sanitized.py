"""What a build that watches itself says of a C++ program that failed: for a repair, never for a verdict.

A crash alone names no line, and a wrong output may come from memory that was never written. So the program is
compiled once more, with AddressSanitizer, UndefinedBehaviorSanitizer and the checks of the C++ library, and
runs on the shortest public inputs that it failed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import limits_for, program_for
from sstar_code.sandbox.languages.cpp import SANITIZERS
from sstar_code.sandbox.languages.table import PYTHON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.problems import Problem, Test
    from sstar_code.sandbox import Sandbox
    from sstar_code.sandbox.grade import Report, TestResult
    from sstar_code.sandbox.outcome import Failure

_MOST_INPUTS = 3
_MOST_CHARS = 100_000
"""Characters of an input: a long one takes longer in every way, and short ones fail more often than not."""
_TIMES_CPU, _MOST_CPU_S = 4.0, 20.0
"""A watched program is about so much slower."""
_TIMES_MEMORY, _MOST_MB = 3, 2048


async def watch_failures(
    sandbox: Sandbox, problem: Problem, code: str, report: Report
) -> Mapping[Test, Failure]:
    """What the sanitizers found on a test that `code` failed by a signal or with another output.

    Empty where they found nothing, for Python, and where the sandbox has none.

    Raises:
        SandboxError: the sandbox broke.
    """
    program = program_for(problem, code)
    failed = [result for result in report.failures if _may_tell(result)]
    if program.language == PYTHON or not failed:
        return {}
    failed = sorted(failed, key=lambda result: len(result.test.input))[:_MOST_INPUTS]
    limits = limits_for(problem)
    limits = replace(
        limits,
        cpu_s=min(_MOST_CPU_S, _TIMES_CPU * limits.cpu_s),
        memory_mb=min(_MOST_MB, _TIMES_MEMORY * limits.memory_mb),
        kept_chars=0,
    )
    watched = replace(program, sanitized=True)
    runs = await sandbox.run(watched, [result.test.input for result in failed], limits)
    for result, run in zip(failed, runs, strict=True):
        if run.failure is not None and run.failure.type == SANITIZERS:
            return {result.test: run.failure}
    return {}


def _may_tell(result: TestResult) -> bool:
    failure = result.execution.failure
    crashed = result.verdict is Verdict.RE and failure is not None and failure.type.startswith("SIG")
    return (crashed or result.verdict is Verdict.WA) and len(result.test.input) <= _MOST_CHARS
