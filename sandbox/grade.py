"""Verdicts: runs a candidate on a problem's tests and compares outside the sandbox."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sstar_code.problems import Kind, Problem, Test
from sstar_code.problems.checkers import accepts
from sstar_code.problems.python_source import parse_python
from sstar_code.sandbox.outcome import Execution, Limits, Mode, Program, Sandbox, Status, Verdict

_BATCH = 16
"""Tests sent at first when the first failure ends the grading, then twice as many each time: little is run in
vain, and a long list is not compiled for again and again."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's verdict and what happened."""

    __test__ = False

    test: Test
    verdict: Verdict
    execution: Execution


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
    def failures(self) -> tuple[TestResult, ...]:
        """The tests that did not pass."""
        return tuple(result for result in self.results if result.verdict is not Verdict.AC)


def assemble(problem: Problem, code: str) -> str:
    """The whole program for a candidate: `starter_code` goes in front where the entry point is missing.

    HumanEval's candidates are often a body, or miss the prompt's imports and helper functions.
    """
    if problem.kind is Kind.STDIN or not problem.entry_point or not problem.starter_code:
        return code
    name = problem.entry_point.partition(".")[0]
    return code if _defines(code, name) else f"{problem.starter_code.rstrip()}\n{code}"


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
    """The program that has to run for `test` (None: for any input-output test of the problem)."""
    if test is not None and test.program is not None:
        mode = Mode.ASSERT
    else:
        mode = Mode.CALL if problem.kind is Kind.FUNCTION else Mode.MAIN
    entry_point = problem.entry_point if mode is not Mode.MAIN else None
    return Program(assemble(problem, code), mode, entry_point, problem.preamble)


def limits_for(problem: Problem) -> Limits:
    """The problem's limits for one run."""
    return Limits(cpu_s=problem.time_limit_s, memory_mb=problem.memory_limit_mb)


async def run_tests(
    sandbox: Sandbox, problem: Problem, code: str, tests: Sequence[Test], *, stop_on_failure: bool = False
) -> Report:
    """Run `code` on `tests` and judge every run.

    With `stop_on_failure` the report ends with the batch that holds the first failure.
    """
    results: list[TestResult] = []
    step = _BATCH if stop_on_failure else max(1, len(tests))
    (start, end) = (0, step)
    while start < len(tests):
        batch = await _run_batch(sandbox, problem, code, tests[start:end], stop=stop_on_failure)
        (start, end) = (end, end + 2 * (end - start))
        results += batch
        if stop_on_failure and any(result.verdict is not Verdict.AC for result in batch):
            break
    return Report(tuple(results), len(tests))


async def _run_batch(
    sandbox: Sandbox, problem: Problem, code: str, tests: Sequence[Test], *, stop: bool
) -> list[TestResult]:
    """Judge `tests`, each mode's runs in one call so that the program is compiled once."""
    executions: dict[int, Execution] = {}
    for asserting in (False, True):
        places = [place for place, test in enumerate(tests) if (test.program is not None) is asserting]
        if not places or (stop and any(run.status is not Status.OK for run in executions.values())):
            continue
        program = program_for(problem, code, tests[places[0]])
        texts = [tests[place].program if asserting else tests[place].input for place in places]
        inputs = [text or "" for text in texts]
        runs = await sandbox.run(program, inputs, limits_for(problem), stop_on_failure=stop)
        executions.update(zip(places, runs, strict=False))  # fewer runs than places after a failure
    return [
        TestResult(tests[place], await _judge(sandbox, problem, tests[place], run), run)
        for place, run in sorted(executions.items())
    ]


async def _judge(sandbox: Sandbox, problem: Problem, test: Test, run: Execution) -> Verdict:
    if test.program is not None and _is_refuted(run):
        return Verdict.WA
    if run.status is not Status.OK:
        return Verdict(run.status.value)
    if test.program is not None or test.output is None:
        return Verdict.AC
    if isinstance(problem.checker, str):
        passed = accepts(problem.checker, problem.kind, test.output, run.output or "")
        return Verdict.AC if passed else Verdict.WA
    return await _run_checker(sandbox, problem.checker, test, run)


def _is_refuted(run: Execution) -> bool:
    """Whether the test's own assertion failed: the line of the candidate is known where its code raised."""
    failure = run.failure
    return (
        run.status is Status.RE
        and failure is not None
        and failure.type == "AssertionError"
        and failure.line is None
    )


async def _run_checker(sandbox: Sandbox, checker: Mapping[str, str], test: Test, run: Execution) -> Verdict:
    """A checker program reads {"input", "expected", "output"} as JSON on stdin; status 0 accepts, 1 rejects.

    It runs isolated like a candidate; any other end is the checker's fault, so it is reported as IE.
    """
    question = {"input": test.input, "expected": test.output, "output": run.output}
    (verdict,) = await sandbox.run(Program(checker["program"]), [json.dumps(question)], Limits(cpu_s=10.0))
    if verdict.status is Status.OK:
        return Verdict.AC
    rejected = verdict.status is Status.RE and verdict.failure and verdict.failure.type == "exit status 1"
    return Verdict.WA if rejected else Verdict.IE
