"""A checker that the model writes, where a statement has several right outputs and no checker is given.

Nobody has seen it before, so it is tried first: it has to accept what is known to be right, refuse what is
surely wrong, and refuse something of what is likely wrong. Then it judges the public tests, for repairs and
for the choice. Hidden tests are judged by what the set says, whatever a model has written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sstar_code.agent.models import Purpose, Request, Stage
from sstar_code.agent.models.request import CallError, Message
from sstar_code.agent.prompts.templates import PromptProblem, load_fixed
from sstar_code.problems import Kind
from sstar_code.problems.errors import shorten
from sstar_code.problems.sets.faults import list_references
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests
from sstar_code.sandbox.judging.checkers import ask_checker
from sstar_code.selection.evidence.harness import find_functions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem, Test

_SYSTEM = "You write checkers for programming contests: programs that decide whether an output is right."
_MOST_TESTS = 5
"""Public tests that it is tried on."""
_SURELY_WRONG = ("", "\n?!\n")
"""Outputs that are wrong for every problem with an output, alone and behind a right one."""
_CHECKER = """\
import json, sys
_question = json.loads(sys.stdin.read())
{source}
_said = check(_question["input"], _question["output"], _question["expected"])
sys.exit(0 if _said == "" else str(_said) if _said else "it does not say whether the output is right")
"""
_INTEGER = re.compile(r"-?\d{1,18}")  # the beginning of a longer one, which Python may not read, does as well


def wants_checker(problem: Problem) -> bool:
    """Whether it has several right outputs, a test to try a checker on, and none."""
    return (
        problem.several_answers
        and problem.kind is Kind.STDIN
        and problem.interactor is None
        and isinstance(problem.checker, str)
        and any(test.output for test in problem.public_tests)
    )


async def write_checker(problem: Problem, context: SolveContext) -> tuple[Problem, str]:
    """`problem` with a checker for its public tests, and a line on what came of it.

    As it was where the call fails, or where what the model writes is not believed; the line says why.

    Raises:
        ModelError: the endpoint is down.
        SandboxError: the sandbox is.
    """
    text = load_fixed("checking/checker.j2").render(problem=PromptProblem.of(problem))
    request = Request(
        messages=(Message("system", _SYSTEM), Message("user", text.strip())),
        purpose=Purpose(problem.id, Stage.INPUTS, ordinal="checker"),
        temperature=0.0,
        max_tokens=context.settings.max_tokens,
        seed=context.settings.seed,
    )
    try:
        answer = await context.model.ask(request)
    except CallError as error:
        return problem, f"no checker was written: {error}"
    source = find_functions(answer.text, ["check"]).get("check")
    if source is None:
        return problem, "no checker was written: no Python block of the answer defines check"
    judge = {"program": _CHECKER.format(source=source)}
    judged = replace(problem, checker=judge, several_answers=False)
    if why := await _find_objection(judged, context):
        return problem, f"the checker that the model wrote is not used: {shorten(why, 200)}"
    return judged, "public tests are judged by a checker that the model wrote: it passed its trial"


async def _find_objection(problem: Problem, context: SolveContext) -> str:
    """Why the problem's checker is not to be believed; empty where nothing speaks against it."""
    tests = [test for test in problem.public_tests if test.output][:_MOST_TESTS]
    for number, test in enumerate(tests):
        if why := await _ask(problem, context, test, test.output or ""):
            return f"it refuses the output of public test {number + 1}: {why}"
        for wrong in (*_SURELY_WRONG, f"{(test.output or '').rstrip()}{_SURELY_WRONG[-1]}"):
            if not await _ask(problem, context, test, wrong):
                return f"it accepts {shorten(repr(wrong), 60)} for public test {number + 1}"
    for number, code in enumerate(list_references(problem)):
        report = await run_tests(context.sandbox, problem, code, tests)
        if report.verdict is not Verdict.AC:
            return f"it refuses what the reference {number} prints: {report.failures[0].note}"
    changed = [(test, output) for test in tests for output in _change(test, tests)]
    for test, output in changed:
        if await _ask(problem, context, test, output):
            return ""
    return "it accepts every output of the right form" if changed else ""


async def _ask(problem: Problem, context: SolveContext, test: Test, output: str) -> str:
    """Why the checker refuses `output`; empty where it accepts it."""
    ruling = await ask_checker(context.sandbox, problem, test, output)
    return "" if ruling.verdict is Verdict.AC else ruling.note or "no reason is given"


def _change(test: Test, tests: Sequence[Test]) -> Iterator[str]:
    """Outputs of the right form that are likely wrong for `test`: those of others, and another number."""
    output = test.output or ""
    yield from (other.output or "" for other in tests if (other.output or "").split() != output.split())
    if (number := _INTEGER.search(output)) is not None:
        yield f"{output[: number.start()]}{int(number[0]) + 1}{output[number.end() :]}"
