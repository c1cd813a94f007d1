"""How a candidate came to be: rounds of one sample, of which the best counts, and what each failure was.

Deterministic: no times, no addresses, nothing measured. The same program on the same tests gives the same
text, so that a stored answer is found again by its request.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sstar_code.agent.models.request import Usage
from sstar_code.agent.prompts.templates import cap, render_macro, show_call, show_value
from sstar_code.problems import Kind, Problem
from sstar_code.problems.python_source import parse_python
from sstar_code.sandbox import Execution, Verdict
from sstar_code.sandbox.grade import assemble

if TYPE_CHECKING:
    from sstar_code.sandbox.grade import Report, TestResult

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
_TEST_LINE = re.compile(r'File "test\.py", line (\d+)')
"""The sandbox runs assertions under this file name."""
_MIN_FIELD_CHARS = 60
_MAX_NOTES = 3
_TEMPLATE = "feedback.j2"
_LIMIT_NAMES = {
    Verdict.TLE: "TimeLimitExceeded",
    Verdict.MLE: "MemoryLimitExceeded",
    Verdict.OLE: "OutputLimitExceeded",
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
    text: str
    """All of it, ready for a prompt."""


def describe_failures(
    problem: Problem, code: str, report: Report, *, max_chars: int = 4000
) -> tuple[FailureNote, ...]:
    """Notes on the failures of `code` in `report`, at most three of them, about `max_chars` in all.

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
    chosen = _vary(failures)[:_MAX_NOTES]
    field_chars = max(_MIN_FIELD_CHARS, max_chars // (3 * max(1, len(chosen))))
    return tuple(_describe(problem, code, result, field_chars) for result in chosen)


def _vary(failures: list[TestResult]) -> list[TestResult]:
    """The failures in an order in which each kind comes once before any comes twice, short tests first."""
    failures = sorted(failures, key=lambda item: len(item.test.input) + len(item.test.program or ""))
    seen: dict[tuple[Verdict, str], int] = {}
    ranked: list[tuple[int, int]] = []
    for index, result in enumerate(failures):
        kind = (result.verdict, result.execution.failure.type if result.execution.failure else "")
        ranked.append((seen.get(kind, 0), index))
        seen[kind] = seen.get(kind, 0) + 1
    return [failures[index] for _, index in sorted(ranked)]


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
    is_exact = isinstance(problem.checker, str)
    return replace(note, text=render_macro(_TEMPLATE, "failure", note, difference, is_exact))


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


@dataclass(frozen=True, slots=True)
class Round:
    """One answer of the model and what its program did on the public tests."""

    index: int
    """0 for the first program, 1 and up for repairs."""
    code: str | None = None
    """None where the call failed or the answer held no program."""
    passed: int = 0
    total: int = 0
    """Number of public tests."""
    verdict: Verdict | None = None
    """Verdict on the public tests together; None without a program. `IE`: the sandbox lost a run."""
    failures: tuple[FailureNote, ...] = ()
    how: str = "none"
    """How the program was found in the answer: `extract.Extraction.how`."""
    truncated: bool = False
    """Whether the answer was cut."""
    base: int | None = None
    """Index of the round that this one tried to repair."""
    repeats: int | None = None
    """Index of the earlier round with the same program, whose verdicts were taken over."""
    error: str = ""
    """Why the call failed; empty where there was an answer."""
    finish_reason: str = ""
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    """Wall time of the call."""

    @property
    def solved(self) -> bool:
        """There is a program and every public test passed (with no public tests every program counts)."""
        return self.verdict is Verdict.AC


@dataclass(frozen=True, slots=True)
class Lineage:
    """One sample: its first program and the repairs."""

    sample: int
    rounds: tuple[Round, ...]

    @property
    def best(self) -> Round:
        """The round with a program and the most public tests passed; the earlier one wins a tie."""
        return max(self.rounds, key=lambda item: (item.code is not None, item.passed, -item.index))

    @property
    def code(self) -> str | None:
        """The best round's program; None where no round has one."""
        return self.best.code

    @property
    def survives(self) -> bool:
        """The best round passed every public test."""
        return self.best.solved

    @property
    def lost(self) -> bool:
        """The sandbox lost a run of the best round: its verdict is not the program's fault."""
        return self.best.verdict is Verdict.IE
