"""Verdicts: runs a candidate on a problem's tests and compares outside the sandbox."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from anyio import to_thread

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.calls import CHAINED, PLAIN_CALL
from sstar_code.problems.checkers import accepts, longest_right
from sstar_code.problems.formats.frames import fill_frame
from sstar_code.problems.formats.trust import trusts_candidate
from sstar_code.problems.python_source import parse_python
from sstar_code.problems.values import decode, encode
from sstar_code.sandbox.judging.checkers import ask_checker
from sstar_code.sandbox.judging.interactors import pack_test, pair_up, rule_talk, show_output
from sstar_code.sandbox.judging.ruling import CHECKER_AT_FAULT, INTERACTOR_AT_FAULT, Ruling
from sstar_code.sandbox.languages.cpp import FAILED_ASSERTION
from sstar_code.sandbox.languages.marks import read_mark
from sstar_code.sandbox.languages.table import PYTHON
from sstar_code.sandbox.outcome import Execution, Limits, Mode, Program, Sandbox, Status, Verdict, is_cut

ENTRY_POINT_MISSING = "EntryPointMissing"
"""The type of the failure of a program that compiles and does not define the entry point."""
_BATCH = 16
"""Tests sent at first when the first failure ends the grading, then twice as many each time: little is run in
vain, and a long list is not compiled for again and again."""
KEPT_CHARS = 1 << 16
"""Characters of an output that are kept where nothing is expected, and of each one once it is judged."""
_ASKED_CHARS = 1 << 20
"""Characters of an output that are kept for a checker program; a longer one is made again when it is due."""
_BATCH_CHARS = 1 << 24
"""Characters of outputs that a batch of tests may have in memory before they are judged."""
_QUICK_CHARS = 1 << 16
"""Outputs up to this length are compared without a thread: it takes a hundredth of a second."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's verdict and what happened."""

    __test__ = False

    test: Test
    verdict: Verdict
    execution: Execution
    note: str = ""
    """The checker's own words, where a checker program rejected the output or is itself at fault."""
    score: float | None = None
    """From 0 to 1; None where the checker gave no number."""


@dataclass(frozen=True, slots=True)
class Report:
    """A candidate's verdicts on a list of tests, in order."""

    results: tuple[TestResult, ...]
    total: int
    """Tests asked for; more than `results` where a failure ended the grading early."""

    @property
    def passed(self) -> int:
        """Tests with verdict AC."""
        return sum(result.verdict is Verdict.AC for result in self.results)

    @property
    def verdict(self) -> Verdict:
        """AC when every test passed (also with no tests); IE when any was lost; else the first failure."""
        verdicts = [result.verdict for result in self.results]
        if Verdict.IE in verdicts:
            return Verdict.IE
        return next((verdict for verdict in verdicts if verdict is not Verdict.AC), Verdict.AC)

    @property
    def score(self) -> float | None:
        """The mean score of all tests, from 0 to 1, one that was not run counting 0; None without scores."""
        if all(result.score is None for result in self.results):
            return None
        given = (float(one.verdict is Verdict.AC) if one.score is None else one.score for one in self.results)
        return sum(given) / self.total

    @property
    def checker_fault(self) -> str:
        """How the checker or interactor ended where it is why the verdict is IE; empty where it is not."""
        lost = [result.note for result in self.results if result.verdict is Verdict.IE]
        faults = (CHECKER_AT_FAULT, INTERACTOR_AT_FAULT)
        return lost[0] if lost and all(note.startswith(faults) for note in lost) else ""

    @property
    def failures(self) -> tuple[TestResult, ...]:
        """The tests that did not pass."""
        return tuple(result for result in self.results if result.verdict is not Verdict.AC)


def assemble(problem: Problem, code: str) -> str:
    """The whole program for a candidate: `starter_code` goes in front where the entry point is missing.

    HumanEval's candidates are often a body, or miss the prompt's imports and helper functions. A program that
    is whole, but does not define the entry point, is no body: in front of it goes what the starter code has
    before the entry point, so that the verdict says what is missing.
    """
    if problem.kind is Kind.STDIN or not problem.entry_point or not problem.starter_code:
        return code
    owner, _, method = problem.entry_point.rpartition(".")
    names = {owner or method, *((method, "Solution") if problem.call.either else ())}
    if any(_defines(code, name) for name in names):
        return code
    if _is_whole(code) and _is_open(problem.starter_code, owner, method):
        head = re.split(
            rf"(?m)^(?:async +)?(?:def|class) +{re.escape(owner or method)}\b", problem.starter_code
        )[0]
        return f"{head.rstrip()}\n{code}" if head.strip() else code
    return f"{problem.starter_code.rstrip()}\n{code}"


def _is_whole(code: str) -> bool:
    """Whether it is a program by itself and not the body of a function."""
    tree = parse_python(code)
    return tree is not None and not any(isinstance(node, ast.Return) for node in tree.body)


def _is_open(starter: str, owner: str, method: str) -> bool:
    """Whether the starter code leaves the body of the entry point open."""
    tree = parse_python(starter)
    for node in ast.walk(tree) if tree and method else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == method:
            return all(
                isinstance(line, ast.Pass | ast.Raise)
                or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
                for line in node.body
            )
    return tree is None or not owner


def _defines(code: str, name: str) -> bool:
    tree = parse_python(code)
    if tree is None:
        return f"def {name}" in code or f"class {name}" in code
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return True
        if isinstance(node, ast.Import | ast.ImportFrom) and any(
            (alias.asname or alias.name) == name for alias in node.names
        ):
            return True
    return False


def program_for(problem: Problem, code: str, test: Test | None = None) -> Program:
    """The program that has to run for `test` (None: for any input-output test, and without a frame).

    `code` names its language in its first line, where it is not Python (`languages.marks`).
    """
    if test is not None and test.program is not None:
        mode = Mode.TRUSTING if trusts_candidate(test.program) else Mode.ASSERT
    else:
        mode = Mode.CALL if problem.kind is Kind.FUNCTION else Mode.MAIN
    entry_point = problem.entry_point if mode is not Mode.MAIN else None
    call = problem.call if mode is Mode.CALL else PLAIN_CALL
    language, text = read_mark(code)
    if problem.frame is not None and test is not None and language.name != PYTHON:
        text = fill_frame(problem.frame, text)
    if mode is Mode.MAIN and language.name != PYTHON:
        program = Program(text, language=language.name)
    else:
        program = Program(assemble(problem, code), mode, entry_point, problem.preamble, call)
    return program if problem.interactor is None or mode is not Mode.MAIN else pair_up(program, problem)


def input_for(problem: Problem, test: Test) -> str:
    """The input of the run of `program_for` that tells of `test`."""
    if test.program is not None:
        return test.program
    return test.input if problem.interactor is None else pack_test(test)


def limits_for(problem: Problem) -> Limits:
    """The problem's limits for one run."""
    return Limits(
        cpu_s=problem.time_limit_s,
        memory_mb=problem.memory_limit_mb,
        int_digits=problem.int_digits,
        kept_chars=KEPT_CHARS,
    )


def _make_room(problem: Problem, tests: Sequence[Test]) -> Limits:
    """The limits with room for twice the longest output that `tests` expect; what may be right is kept."""
    limits = limits_for(problem)
    longest = max((len(test.output or "") for test in tests), default=0)
    kept = max((_kept_chars(problem, test) for test in tests), default=0)
    return replace(limits, output_kb=max(limits.output_kb, 2 * longest >> 10), kept_chars=kept)


def _kept_chars(problem: Problem, test: Test) -> int:
    """Characters of the output on `test` that are kept until it is judged."""
    if test.program is not None or test.output is None:
        return KEPT_CHARS
    longest = longest_right(test.output)
    return longest if isinstance(problem.checker, str) else max(longest, _ASKED_CHARS)


def _end_of_batch(problem: Problem, tests: Sequence[Test], start: int, step: int) -> int:
    """The end of the batch of at most `step` tests from `start` on whose outputs fit into memory."""
    (end, longest) = (start + 1, _kept_chars(problem, tests[start]))
    while end < min(start + step, len(tests)):
        longest = max(longest, _kept_chars(problem, tests[end]))
        if (end + 1 - start) * longest > _BATCH_CHARS:
            break
        end += 1
    return end


async def run_tests(
    sandbox: Sandbox, problem: Problem, code: str, tests: Sequence[Test], *, stop_on_failure: bool = False
) -> Report:
    """Run `code` on `tests` and judge every run.

    With `stop_on_failure` the report ends with the batch that holds the first failure, unless tests have
    scores, which count all.

    Raises:
        UserError: a judge of the problem includes testlib's header, which was not named.
    """
    stop_on_failure = stop_on_failure and problem.full_score is None
    results: list[TestResult] = []
    step = _BATCH if stop_on_failure else max(1, len(tests))
    start = 0
    while start < len(tests):
        end = _end_of_batch(problem, tests, start, step)
        batch = await _run_batch(sandbox, problem, code, tests[start:end], stop=stop_on_failure)
        (start, step) = (end, 2 * step)
        results += batch
        if stop_on_failure and any(result.verdict is not Verdict.AC for result in batch):
            break
    return Report(tuple(results), len(tests))


async def _run_batch(
    sandbox: Sandbox, problem: Problem, code: str, tests: Sequence[Test], *, stop: bool
) -> list[TestResult]:
    """Judge `tests`, each mode's runs in one call so that the program is compiled once."""
    executions: dict[int, Execution] = {}
    groups: dict[Program, list[int]] = {}
    plain = program_for(problem, code)
    for place, test in enumerate(tests):
        is_plain = test.program is None and problem.frame is None
        program = plain if is_plain else program_for(problem, code, test)
        groups.setdefault(program, []).append(place)
    for program, places in sorted(groups.items(), key=lambda item: item[0] != plain):
        if stop and any(run.status is not Status.OK for run in executions.values()):
            continue
        inputs = [input_for(problem, tests[place]) for place in places]
        limits = _make_room(problem, [tests[place] for place in places])
        runs = await sandbox.run(program, inputs, limits, stop_on_failure=stop)
        executions.update(zip(places, runs, strict=False))  # fewer runs than places after a failure
    results = []
    for place in sorted(executions):
        test, run = tests[place], executions.pop(place)
        ruling = await _judge(sandbox, problem, code, test, run)
        if problem.interactor is not None and test.program is None:
            run = show_output(run)
        score = ruling.score
        if score is None and problem.full_score is not None:
            score = float(ruling.verdict is Verdict.AC)
        results.append(TestResult(test, ruling.verdict, run.shorten(KEPT_CHARS), ruling.note, score))
    return results


async def _judge(sandbox: Sandbox, problem: Problem, code: str, test: Test, run: Execution) -> Ruling:
    if (test.program is not None and _is_refuted(run)) or (problem.frame is not None and _is_asserted(run)):
        return Ruling(Verdict.WA)
    if problem.interactor is not None and test.program is None and run.status is not Status.IE:
        return await rule_talk(sandbox, problem, test, run)
    if run.status is not Status.OK:
        return Ruling(Verdict(run.status.value))
    if test.program is not None or test.output is None:
        return Ruling(Verdict.AC)
    if isinstance(problem.checker, str):
        return await _compare(problem, problem.checker, test.output, run.output or "")
    return await _ask_about_all(sandbox, problem, code, test, run.output or "")


async def _compare(problem: Problem, checker: str, wanted: str, output: str) -> Ruling:
    """The verdict of a checker by name."""
    if len(output) > longest_right(wanted):
        return Ruling(Verdict.WA, f"over {longest_right(wanted)} characters, not compared")
    expected = _restate(problem, wanted)
    compare = partial(accepts, checker, problem.kind, expected, output)
    is_quick = len(output) + len(expected) <= _QUICK_CHARS
    passed = compare() if is_quick else await to_thread.run_sync(compare, abandon_on_cancel=True)
    return Ruling(Verdict.AC if passed else Verdict.WA)


async def _ask_about_all(sandbox: Sandbox, problem: Problem, code: str, test: Test, output: str) -> Ruling:
    """The checker program's verdict on all of the output: one that was cut is made once more."""
    if is_cut(output):
        limits = replace(_make_room(problem, [test]), kept_chars=None)
        (run,) = await sandbox.run(program_for(problem, code, test), [test.input], limits)
        if run.status is not Status.OK:
            return Ruling(Verdict(run.status.value))
        output = run.output or ""
    return await ask_checker(sandbox, problem, test, output)


def _restate(problem: Problem, output: str) -> str:
    """The expected value as the driver writes it: an empty list or tree is `[]`, nulls end no tree."""
    name = (problem.entry_point or "").rpartition(".")[2]
    if problem.call.driven or problem.call.result_kind(name) not in CHAINED:
        return output
    value = decode(output)
    items = [] if value is None else value
    while isinstance(items, list) and items and items[-1] is None:
        items = items[:-1]
    return encode(items)


def _is_asserted(run: Execution) -> bool:
    """Whether an assertion in C++ failed, the tests' own or the candidate's."""
    return run.failure is not None and run.failure.message.startswith(FAILED_ASSERTION)


def _is_refuted(run: Execution) -> bool:
    """Whether the test's own assertion failed: the line of the candidate is known where its code raised."""
    failure = run.failure
    return (
        run.status is Status.RE
        and failure is not None
        and failure.type == "AssertionError"
        and failure.line is None
    )
