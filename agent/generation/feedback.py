"""What a model is told about the public tests that its program failed.

Deterministic: no times, no addresses, nothing measured. The same program on the same tests gives the same
text, so that a stored answer is found again by its request.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sstar_code.agent.prompts.formatting import cap, fence, show_call, show_value
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python
from sstar_code.sandbox import Execution, Verdict
from sstar_code.sandbox.grade import assemble

if TYPE_CHECKING:
    from sstar_code.sandbox.grade import Report, TestResult

__all__ = ["FailureNote", "describe_failures"]

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_TEST_LINE = re.compile(r'File "test\.py", line (\d+)')
"""The sandbox runs assertions under this file name."""
_MIN_FIELD = 60


@dataclass(frozen=True, slots=True)
class FailureNote:
    """One failed public test in words. Text fields are capped."""

    verdict: Verdict
    input: str
    """Standard input, or the arguments as Python literals."""
    call: str
    """`f(1, 'a')`; empty for `stdin` and assertions."""
    assertion: str
    """The failing assert (or, where it is not known which, the whole test); empty for input-output tests."""
    expected: str | None
    """Expected output, a Python literal for functions; None where unknown."""
    got: str | None
    """Actual output in the same form; None where the program did not end well."""
    error: str
    """Exception class, signal or broken limit; empty for a wrong output."""
    message: str
    line: int | None
    """1-based line of the program as the model wrote it."""
    line_text: str
    text: str
    """All of it, ready for a prompt."""


def describe_failures(
    problem: Problem, code: str, report: Report, *, max_tests: int = 3, max_chars: int = 4000
) -> tuple[FailureNote, ...]:
    """Notes on the failures of `code` in `report`, at most `max_tests` of them, about `max_chars` in all.

    Each kind of failure comes once before any comes twice, the shortest tests first. Hidden tests are left
    out, and so are runs that the sandbox lost (`IE`).
    """
    public = set(problem.public_tests)
    asked_public = all(result.test in public for result in report.failures)
    secret = set() if asked_public else set(problem.hidden_tests) - public  # hidden ones may be many
    failures = [
        result for result in report.failures if result.verdict is not Verdict.IE and result.test not in secret
    ]
    if any(result.verdict is Verdict.CE for result in failures):
        failures = [result for result in failures if result.verdict is Verdict.CE][:1]
    chosen = _vary(failures)[:max_tests]
    field_chars = max(_MIN_FIELD, max_chars // (3 * max(1, len(chosen))))
    return tuple(_describe(problem, code, result, field_chars) for result in chosen)


def _vary(failures: list[TestResult]) -> list[TestResult]:
    failures = sorted(failures, key=lambda item: len(item.test.input) + len(item.test.program or ""))
    seen: dict[tuple[Verdict, str], int] = {}
    ranked: list[tuple[int, int]] = []
    for place, result in enumerate(failures):
        kind = (result.verdict, result.execution.failure.type if result.execution.failure else "")
        ranked.append((seen.get(kind, 0), place))
        seen[kind] = seen.get(kind, 0) + 1
    return [failures[place] for _, place in sorted(ranked)]


def _describe(problem: Problem, code: str, result: TestResult, limit: int) -> FailureNote:
    test, run = result.test, result.execution
    is_call = problem.kind is Kind.FUNCTION and test.program is None
    error, message = _explain(problem, result)
    line, line_text = _locate(problem, code, run)
    assertion = _failing_assert(test.program, run) if test.program is not None else ""
    if message.strip() and message.strip() in assertion:
        message = ""  # the sandbox says which line it was where the assertion itself says nothing
    expected = _shown(test.output, is_call=is_call) if test.program is None else None
    got = _shown(run.output, is_call=is_call) if result.verdict is Verdict.WA else None
    call = cap(show_call(problem.entry_point, test), limit) if is_call else ""
    shown_input = ", ".join(map(show_value, test.input.splitlines())) if is_call else test.input
    difference = _first_difference(expected, got) if not is_call else ""
    note = FailureNote(
        verdict=result.verdict,
        input=cap(shown_input, limit),
        call=call,
        assertion=cap(assertion, limit),
        expected=None if expected is None else cap(expected, limit),
        got=None if got is None else cap(got, limit),
        error=error,
        message=cap(_ADDRESS.sub("0x...", message), min(limit, 500)),
        line=line,
        line_text=cap(line_text, 200),
        text="",
    )
    return _with_text(note, difference, exact=isinstance(problem.checker, str))


def _explain(problem: Problem, result: TestResult) -> tuple[str, str]:
    """The class of the failure and what it says."""
    failure = result.execution.failure
    match result.verdict:
        case Verdict.TLE:
            limit_s = f"{problem.time_limit_s:g} s"
            if result.execution.limit == "wall":
                return (
                    "TimeLimitExceeded",
                    f"it waited or slept and did not finish; it has {limit_s} of CPU time",
                )
            return "TimeLimitExceeded", f"it did not finish within {limit_s} of CPU time"
        case Verdict.MLE:
            return "MemoryLimitExceeded", f"it used more than {problem.memory_limit_mb} MB of memory"
        case Verdict.OLE:
            return "OutputLimitExceeded", "it wrote far too much output"
        case _:
            return (failure.type, failure.message) if failure else ("", "")


def _locate(problem: Problem, code: str, run: Execution) -> tuple[int | None, str]:
    """The line in `code` where the run failed; lines of the starter code put in front do not count."""
    if run.failure is None or run.failure.line is None:
        return None, ""
    lines = assemble(problem, code).split("\n")
    place = run.failure.line - 1
    text = lines[place].strip() if 0 <= place < len(lines) else ""
    line = run.failure.line - (len(lines) - len(code.split("\n")))
    return (line if line > 0 else None), text


def _failing_assert(program: str, run: Execution) -> str:
    tree = parse_python(program)
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)] if tree else []
    lines = program.split("\n")
    named = _TEST_LINE.findall(run.stderr)
    place = int(named[-1]) if named else 0
    for node in asserts:
        if len(asserts) == 1 or node.lineno <= place <= (node.end_lineno or node.lineno):
            return "\n".join(lines[node.lineno - 1 : node.end_lineno]).strip()
    return program.strip()


def _shown(text: str | None, *, is_call: bool) -> str | None:
    return show_value(text) if is_call and text is not None else text


def _first_difference(expected: str | None, got: str | None) -> str:
    """Where two outputs of several lines part; empty where both are short enough to compare at sight."""
    if expected is None or got is None:
        return ""
    wanted, given = expected.rstrip().split("\n"), got.rstrip().split("\n")
    if max(len(wanted), len(given)) < 3:
        return ""
    for place, (want, give) in enumerate(zip(wanted, given, strict=False), start=1):
        if want.rstrip() != give.rstrip():
            return (
                f"They differ first in line {place}: expected {cap(repr(want.rstrip()), 200)}, "
                f"got {cap(repr(give.rstrip()), 200)}."
            )
    if len(wanted) != len(given):
        return f"Expected {len(wanted)} lines, got {len(given)}."
    return ""


def _with_text(note: FailureNote, difference: str, *, exact: bool) -> FailureNote:
    parts: list[str] = []
    if note.verdict is Verdict.CE:
        parts.append("The program cannot be used on any test.")
    elif note.assertion:
        parts.append(f"This test failed:\n{fence(note.assertion, 'python')}")
    elif note.call:
        parts.append(f"On this call:\n{fence(note.call, 'python')}")
    else:
        parts.append(f"On this input:\n{fence(note.input)}")
    if note.error:
        what = f"{note.error}: {note.message}" if note.message else note.error
        parts.append(f"Error:\n{fence(what + _where(note))}")
    if note.got is not None:
        parts.append(
            f"Output of the program:\n{fence(note.got)}" if note.got.strip() else "It printed nothing."
        )
    if note.expected is not None and note.verdict is not Verdict.CE:
        wanted = "Expected output" if exact else "One accepted output (others may be right too)"
        parts.append(f"{wanted}:\n{fence(note.expected)}")
    if difference:
        parts.append(difference)
    fields = {name: getattr(note, name) for name in FailureNote.__slots__}
    return FailureNote(**{**fields, "text": "\n".join(parts)})


def _where(note: FailureNote) -> str:
    if note.line is not None:
        return f"\nline {note.line}: {note.line_text}"
    return f"\nat: {note.line_text}" if note.line_text else ""
