"""Runs what a set brings along to check it: references on all tests, validators on inputs, generators.

What a generator makes is shown to the problem's validator and given to its references, which have to end well
and, as far as its checker tells, to agree.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.jobs.grade_samples import Graded, grade_samples, is_tested
from sstar_code.problems import Test
from sstar_code.problems.sets.faults import Fault
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.judging.generators import make_inputs
from sstar_code.sandbox.judging.validators import find_objections
from sstar_code.sandbox.outcome import is_cut

if TYPE_CHECKING:
    from sstar_code.agent.jobs.session import Session
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the references."""

    faults: tuple[Fault, ...]
    references: int
    passed: int
    lost: int
    """By the sandbox (IE): nothing is known of them."""
    generated: int = 0
    """Different inputs that generators made."""


async def check_run(
    opening: AbstractAsyncContextManager[Session],
    references: Sequence[tuple[Problem, int, str]],
    problems: Sequence[Problem] = (),
) -> Checked:
    """Run the references with progress, and the validators and generators of `problems`.

    Raises:
        As `open_session`.
    """
    async with opening as session:
        found: list[Fault] = []
        generated = 0
        for problem in problems:
            if problem.validator is not None:
                found += [fault async for fault in _find_refused(problem, session.sandbox)]
            if problem.generator is not None:
                own = [item for item in references if item[0].id == problem.id]
                (faults, inputs) = await check_generator(problem, own, session.sandbox)
                found += faults
                generated += inputs
        if not references:
            return Checked(tuple(found), 0, 0, 0, generated)
        with session.progress("references", len(references)) as progress:
            checked = await check_references(
                references, session.sandbox, lambda graded: progress.advance(graded.verdict.value)
            )
    return replace(checked, faults=(*found, *checked.faults), generated=generated)


async def _find_refused(problem: Problem, sandbox: Sandbox) -> AsyncIterator[Fault]:
    """The first public and the first hidden test whose input the problem's validator does not accept."""
    for name, tests in (("public", problem.public_tests), ("hidden", tuple(problem.hidden_tests))):
        inputs = [test.input for test in tests if test.program is None]
        objections = await find_objections(sandbox, problem, inputs) if inputs else []
        for place, words in enumerate(objections):
            if words:
                yield Fault(problem.id, f"{name} test {place}: the validator refuses the input: {words}")
                break


async def check_generator(
    problem: Problem, references: Sequence[tuple[Problem, int, str]], sandbox: Sandbox
) -> tuple[list[Fault], int]:
    """What is wrong with what the problem's generator makes, and how many different inputs that is.

    One fault of each kind: a run that fails, an input that the validator refuses, and for each reference an
    input on which it fails, or on which what it prints is no answer beside that of the first.

    Raises:
        SandboxError: the sandbox lost a run.
        UserError: it includes testlib's header, which was not named.
    """
    made = await make_inputs(sandbox, problem)
    faults = [f"the generator fails with arguments {one.command!r}: {one.fault}" for one in made if one.fault]
    commands: dict[str, str] = {}
    for one in made:
        if one.input.strip():
            commands.setdefault(one.input, one.command)
    if not faults and not commands:
        faults = ["the generator prints nothing"]
    del faults[1:]
    inputs = list(commands)
    if problem.validator is not None and inputs:
        objections = zip(inputs, await find_objections(sandbox, problem, inputs), strict=True)
        refused = [(text, words) for text, words in objections if words]
        faults += [
            f"the validator refuses the input generated with {commands[text]!r}: {words}"
            for text, words in refused[:1]
        ]
        inputs = [text for text in inputs if text not in dict(refused)]
    tests = [Test(text) for text in inputs]
    for _, number, code in references:
        report = await run_tests(sandbox, problem, code, tests)
        if report.failures:
            first = report.failures[0]
            where = f"the input generated with {commands[first.test.input]!r}"
            faults.append(f"reference {number} fails on {where}: {first.verdict.value} {first.note}".strip())
            continue
        if tests and tests[0].output is None and problem.interactor is None:
            told = [(one.test.input, one.execution.output or "") for one in report.results]
            tests = [Test(text, output) for text, output in told if not is_cut(output)]
    return [Fault(problem.id, what) for what in faults], len(commands)


async def check_references(
    references: Iterable[tuple[Problem, int, str]], sandbox: Sandbox, on_graded: Callable[[Graded], None]
) -> Checked:
    """Run (problem, number, program) triples on all tests; one that fails is a fault of its problem."""
    graded: list[Graded] = []

    def note(item: Graded) -> None:
        graded.append(item)
        on_graded(item)

    await grade_samples(_with_tests(references), sandbox, on_graded=note, at_once=2 * sandbox.workers)
    faults = tuple(
        Fault(item.problem_id, f"reference {item.sample} fails: {item.row['error']}")
        for item in graded
        if item.verdict not in (Verdict.AC, Verdict.IE) or item.checker_fault or item.error
    )
    lost = sum(item.is_lost for item in graded)
    return Checked(faults, len(graded), len(graded) - lost - len(faults), lost)


def _with_tests(references: Iterable[tuple[Problem, int, str]]) -> Iterator[tuple[Problem, int, str]]:
    return (item for item in references if is_tested(item[0]))
