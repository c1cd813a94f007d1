"""Feedback: what a model is told of the public tests that its program failed.

A deterministic function of the executions. Those are stored before a model is asked, so a run that is gone on
with tells the same and finds its stored answers again. Times and memory are told only where they are a
quarter of a limit or more: below, two runs of one program are told alike.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sstar_code.agent.prompts.shown import cap, show_call, show_value
from sstar_code.agent.prompts.templates import render_macro
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python
from sstar_code.sandbox import Execution, Verdict
from sstar_code.sandbox.grade import ENTRY_POINT_MISSING, assemble
from sstar_code.sandbox.languages.marks import read_mark
from sstar_code.sandbox.languages.table import PYTHON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sstar_code.problems import Test
    from sstar_code.sandbox import Environment
    from sstar_code.sandbox.grade import Report, TestResult
    from sstar_code.sandbox.outcome import Failure

__all__ = ["FailureNote", "describe_failures", "summarize_tests"]

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_TEST_LINE = re.compile(r'File "test\.py", line (\d+)')
"""The sandbox runs assertions under this file name."""
_CHECKER_SAYS = re.compile(r"the checker: (?:exit status \d+$)?")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_LINES_BEFORE = 3
_MUCH = 0.25
"""Share of a limit from which on it is told how much of it a test used: the template says a quarter."""
_MAX_USED = 5
_MIN_FIELD_CHARS = 60
_MAX_NOTES = 3
_MAX_BRIEF = 100
_SANITIZERS_CHARS = 600
_TEMPLATE = "feedback.j2"
_LIMIT_NAMES = {
    Verdict.TLE: "TimeLimitExceeded",
    Verdict.MLE: "MemoryLimitExceeded",
    Verdict.OLE: "OutputLimitExceeded",
}
_OUTCOMES = {
    Verdict.AC: "passed",
    Verdict.RE: "crashed",
    Verdict.WA: "wrong",
    Verdict.TLE: "too slow",
    Verdict.MLE: "too much memory",
    Verdict.OLE: "too much output",
}


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
    text: str = ""
    """All of it, ready for a prompt; empty where a note before it tells of the same error."""
    tests: tuple[int, ...] = ()
    """Numbers of the public tests that end so, from 1; the first is the one that is told of."""
    difference: str = ""
    """Where two long outputs part."""
    source: str = ""
    """The lines around a syntax error, numbered; empty otherwise."""
    advice: str = ""
    """What to do about an import that fails; empty otherwise."""
    checker: str = ""
    """The words with which a checker program rejected the output; empty where it said none."""
    sanitizers: str = ""
    """What a build that watches itself said on this test (`sanitized`); empty where it said nothing."""

    @property
    def brief(self) -> str:
        """What was run, what was expected, what came: one line for a person."""
        tried = self.call or self.assertion or f"input {_quote(self.input)}"
        parts = [] if self.verdict is Verdict.CE else [_shorten(tried)]
        if self.error:
            place = f" (line {self.line})" if self.line is not None else ""
            parts.append(_shorten(f"{self.error}: {self.message}" if self.message else self.error) + place)
        if self.expected is not None and self.verdict is not Verdict.CE:
            shown = _shorten if self.call else _quote
            got = f", got {shown(self.got)}" if self.got is not None else ""
            parts.append(f"expected {shown(self.expected)}{got}")
        if self.checker:
            parts.append(f"the checker says {_quote(self.checker)}")
        return ": ".join(parts)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_BRIEF else line[: _MAX_BRIEF - 1] + "…"


def _quote(text: str) -> str:
    text = text.rstrip()
    return repr(text) if len(text) <= _MAX_BRIEF else repr(text[: _MAX_BRIEF - 1]) + "…"


def describe_failures(
    problem: Problem,
    code: str,
    report: Report,
    environment: Environment | None = None,
    *,
    watched: Mapping[Test, Failure] | None = None,
    max_chars: int = 4000,
) -> tuple[FailureNote, ...]:
    """Notes on the failures of `code` in `report`, at most three of them, about `max_chars` in all.

    Each kind of failure comes once before any comes twice, the shortest tests first; those that end with an
    error which is told of already come last. Hidden tests are left out, and so are runs that the sandbox
    lost (`IE`).

    Args:
        problem: the problem with the tests.
        code: the program as the model wrote it.
        report: what it did on the public tests, in their order.
        environment: what programs find where they run; None where that is not known.
        watched: what the sanitizers found on a test (`sanitized.watch_failures`).
        max_chars: how long the texts of tests may be, all notes together.
    """
    (language, code) = read_mark(code)  # lines count from the program's own first
    environment = environment if language.name == PYTHON else None
    public = set(problem.public_tests)
    asked_public = all(result.test in public for result in report.failures)
    secret = set() if asked_public else set(problem.hidden_tests) - public  # hidden ones may be many
    failures = [
        (number, result)
        for number, result in enumerate(report.results, start=1)
        if result.verdict not in (Verdict.AC, Verdict.IE) and result.test not in secret
    ]
    if any(result.verdict is Verdict.CE for _, result in failures):
        failures = [item for item in failures if item[1].verdict is Verdict.CE][:1]
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, result in failures:
        groups.setdefault(_error_of(number, result), []).append(number)
    chosen = _vary(failures)[:_MAX_NOTES]
    shown = {_error_of(*item) for item in chosen}
    field_chars = max(_MIN_FIELD_CHARS, max_chars // (3 * max(1, len(shown))))
    notes = []
    for number, result in chosen:
        others = groups.pop(_error_of(number, result), None)
        note = _describe(problem, code, result, environment, field_chars)
        if watched and (told := watched.get(result.test)) is not None:
            note = replace(note, sanitizers=cap(told.message, max(_SANITIZERS_CHARS, field_chars)))
        if others is not None:
            others.remove(number)
            note = replace(note, tests=(number, *others))
            note = replace(note, text=render_macro(_TEMPLATE, "failure", note, _name_answers(problem)))
        notes.append(note)
    return tuple(notes)


def summarize_tests(problem: Problem, report: Report, *, confirmed: int | None = None) -> str:
    """Which public tests passed, which failed and how, and what they used where that is much; a line each.

    From the number `confirmed` on tests are none of the problem's: a judge gave their outputs, and may err.
    """
    counts: dict[str, list[int]] = {"passed": [], "crashed": [], "wrong": [], "too slow": []}
    used: list[tuple[int, float, float]] = []
    rest = 0
    for number, result in enumerate(report.results, start=1):
        if result.verdict in _OUTCOMES:
            counts.setdefault(_OUTCOMES[result.verdict], []).append(number)
        run = result.execution
        shares = (run.cpu_s / problem.time_limit_s, run.memory_mb / problem.memory_limit_mb)
        if result.verdict in _LIMIT_NAMES:
            continue
        if max(shares) >= _MUCH and len(used) < _MAX_USED:
            used.append((number, run.cpu_s, run.memory_mb))
        rest += max(shares) < _MUCH
    limits = (problem.time_limit_s, problem.memory_limit_mb)
    told = tuple((outcome, tuple(numbers)) for outcome, numbers in counts.items())
    return _write_summary(told, tuple(used), rest, *limits, confirmed)


@lru_cache(maxsize=256)
def _write_summary(*told: Any) -> str:
    """The summary in words: most programs of a problem do alike."""
    return render_macro(_TEMPLATE, "summary", *told)


def _error_of(number: int, result: TestResult) -> tuple[object, ...]:
    """What two tests have in common that end with the same error; a wrong output is like no other."""
    failure = result.execution.failure
    if result.verdict in _LIMIT_NAMES:
        return (result.verdict, result.execution.limit)
    if result.verdict is Verdict.RE and failure is not None:
        return (failure.type, failure.message if failure.line is None else failure.line)
    return (number,)


def _vary(failures: list[tuple[int, TestResult]]) -> list[tuple[int, TestResult]]:
    """The failures in an order in which each kind comes once before any comes twice, short tests first.

    Those whose error has come already are last.
    """
    failures = sorted(failures, key=lambda item: len(item[1].test.input) + len(item[1].test.program or ""))
    seen: dict[tuple[Verdict, str], int] = {}
    errors: set[tuple[object, ...]] = set()
    ranked: list[tuple[bool, int, int]] = []
    for index, (number, result) in enumerate(failures):
        kind = (result.verdict, result.execution.failure.type if result.execution.failure else "")
        error = _error_of(number, result)
        ranked.append((error in errors, seen.get(kind, 0), index))
        seen[kind] = seen.get(kind, 0) + 1
        errors.add(error)
    return [failures[index] for *_, index in sorted(ranked)]


def _name_answers(problem: Problem) -> str:
    """How many outputs may be right, as the template's words are named by."""
    if not isinstance(problem.checker, str):
        return "checked"
    return "several" if problem.several_answers else "one"


def _describe(
    problem: Problem, code: str, result: TestResult, environment: Environment | None, limit: int
) -> FailureNote:
    test, run = result.test, result.execution
    is_call = problem.kind is Kind.FUNCTION and test.program is None
    error, message = _explain(problem, result)
    line, line_text = _locate(problem, code, run)
    if run.failure is not None and run.failure.type == ENTRY_POINT_MISSING:
        (error, message) = render_macro(_TEMPLATE, "lacks", problem.entry_point).split(": ", 1)
        line, line_text = None, ""
    assertion = _failing_assert(test.program, run) if test.program is not None else ""
    if message.strip() and message.strip() in assertion:
        message = ""  # the sandbox says which line it was where the assertion itself says nothing
    expected = _shown(test.output, is_call=is_call) if test.program is None else None
    is_compared = result.verdict is Verdict.WA and test.program is None and problem.interactor is None
    is_checked = is_compared and not isinstance(problem.checker, str)
    got = _shown(run.output, is_call=is_call) if is_compared else None
    call = cap(show_call(problem.entry_point, test), limit) if is_call else ""
    shown_input = ", ".join(map(show_value, test.input.splitlines())) if is_call else test.input
    difference = _first_difference(expected, got) if not is_call else ""
    return FailureNote(
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
        difference=difference,
        source=_show_lines(code, line) if result.verdict is Verdict.CE else "",
        advice=_advise(error, message, environment),
        checker=cap(_CHECKER_SAYS.sub("", result.note), min(limit, 500)) if is_checked else "",
    )


def _show_lines(code: str, line: int | None) -> str:
    """The lines of `code` around `line`, which is marked; empty where there is no such line."""
    lines = code.split("\n")
    if line is None or line > len(lines):
        return ""
    first, last = max(1, line - _LINES_BEFORE), min(len(lines), line + 1)
    width = len(str(last))
    return "\n".join(
        f"{'>' if number == line else ' '} {number:>{width}} | {cap(lines[number - 1], 200)}".rstrip()
        for number in range(first, last + 1)
    )


def _advise(error: str, message: str, environment: Environment | None) -> str:
    """What to do about a module or a name that cannot be imported."""
    if error == "ModuleNotFoundError" and (missing := _NO_MODULE.search(message)):
        return render_macro(_TEMPLATE, "not_installed", missing[1], environment)
    if error == "ImportError" and environment is not None:
        return render_macro(_TEMPLATE, "cannot_import", environment)
    return ""


def _explain(problem: Problem, result: TestResult) -> tuple[str, str]:
    """The class of the failure and what it says."""
    name = _LIMIT_NAMES.get(result.verdict)
    if name is None:
        failure = result.execution.failure
        return (failure.type, failure.message) if failure else ("", "")
    is_wall = result.execution.limit == "wall"
    limits = (problem.time_limit_s, problem.memory_limit_mb)
    return name, render_macro(_TEMPLATE, "broken_limit", result.verdict, is_wall, *limits)


def _locate(problem: Problem, code: str, run: Execution) -> tuple[int | None, str]:
    """The line in `code` where the run failed; lines of the starter code put in front do not count."""
    if run.failure is None or run.failure.line is None:
        return None, ""
    lines = assemble(problem, code).split("\n")
    index = run.failure.line - 1
    text = lines[index].strip() if 0 <= index < len(lines) else ""
    line = run.failure.line - (len(lines) - len(code.split("\n")))
    return (line if line > 0 else None), text


def _failing_assert(program: str, run: Execution) -> str:
    tree = parse_python(program)
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)] if tree else []
    lines = program.split("\n")
    named = _TEST_LINE.findall(run.stderr)
    line = int(named[-1]) if named else 0
    for node in asserts:
        if len(asserts) == 1 or node.lineno <= line <= (node.end_lineno or node.lineno):
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
    for number, (want, give) in enumerate(zip(wanted, given, strict=False), start=1):
        if want.rstrip() != give.rstrip():
            texts = [cap(repr(text.rstrip()), 200) for text in (want, give)]
            return render_macro(_TEMPLATE, "differing_line", number, *texts)
    if len(wanted) != len(given):
        return render_macro(_TEMPLATE, "differing_length", len(wanted), len(given))
    return ""
