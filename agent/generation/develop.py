"""Stage one of the method: a sample, run on the public tests and mended until it passes or rounds are spent.

A deterministic function of the model's answers: run again with the same answers it makes the same requests,
so a run that was killed is resumed by running it again over the stored answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.generation.feedback import describe_failures
from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.generation.repair import Context, debug_round, seed_for
from sstar_code.agent.models.errors import CallError, ContextError
from sstar_code.agent.models.request import Purpose, Request, Stage
from sstar_code.agent.telemetry.work import working_on
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sstar_code.agent.models.request import Answer, Model
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox
    from sstar_code.sandbox.grade import Report

__all__ = ["develop", "first_sample", "has_ended", "next_round"]


class _Sampling(TypedDict):
    temperature: float | None
    seed: int | None
    max_tokens: int | None


def first_sample(
    problem: Problem,
    prompts: Prompts,
    sample: int,
    *,
    temperature: float | None = 0.7,
    seed: int | None = 0,
    max_tokens: int | None = None,
) -> Request:
    """The request for sample number `sample`; samples differ by their seed alone."""
    return Request(
        messages=prompts.render("generate", problem),
        purpose=Purpose(problem.id, Stage.GENERATE, sample),
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed_for(seed, sample, 0),
    )


async def develop(
    sample: int,
    *,
    problem: Problem,
    model: Model,
    sandbox: Sandbox,
    prompts: Prompts,
    rounds: int = 2,
    temperature: float | None = 0.7,
    seed: int | None = 0,
    max_tokens: int | None = None,
    context: Context = "all",
    on_round: Callable[[int, Round, Report | None], None] | None = None,
) -> Lineage:
    """Ask for a program, run it on the public tests, let the model mend the best for up to `rounds` rounds.

    Ends early when every public test passes, and at once where there are none. A failed call is a round
    without a program and the sample's last; a prompt too long for the model is first asked again without the
    other rounds. Every debugging round starts from the best round so far: a regression is rolled back.
    A program that an earlier round had already is not run again. `on_round` gets the sample's number, each
    round as it ends and, where something was run, the report.

    Raises:
        ModelError: the endpoint is down (a `CallError`, of one call alone, never leaves here).
        SandboxError: the sandbox is.
        UserError: a prompt template fails.
    """
    lineage = Lineage(sample, ())
    while len(lineage.rounds) <= rounds and not has_ended(lineage, problem):
        lineage, report = await next_round(
            lineage,
            problem=problem,
            model=model,
            sandbox=sandbox,
            prompts=prompts,
            temperature=temperature,
            seed=seed,
            max_tokens=max_tokens,
            context=context,
        )
        if on_round is not None:
            on_round(sample, lineage.rounds[-1], report)
    return lineage


def has_ended(lineage: Lineage, problem: Problem) -> bool:
    """Whether no round may follow those of `lineage`, however many are allowed."""
    if not lineage.rounds:
        return False
    last = lineage.rounds[-1]
    return last.solved or bool(last.error) or last.verdict is Verdict.IE or not problem.public_tests


async def next_round(
    lineage: Lineage,
    *,
    problem: Problem,
    model: Model,
    sandbox: Sandbox,
    prompts: Prompts,
    temperature: float | None = 0.7,
    seed: int | None = 0,
    max_tokens: int | None = None,
    context: Context = "all",
) -> tuple[Lineage, Report | None]:
    """`lineage` with one round more, its first sample or a repair, and the report where something was run.

    Raises:
        As `develop`.
    """
    sampling: _Sampling = {"temperature": temperature, "seed": seed, "max_tokens": max_tokens}
    index = len(lineage.rounds)
    if index == 0:
        requests = [first_sample(problem, prompts, lineage.sample, **sampling)]
    else:
        contexts: tuple[Context, ...] = ("all", "last") if context == "all" else ("last",)
        requests = [debug_round(problem, prompts, lineage, context=width, **sampling) for width in contexts]
    base = lineage.best.index if index else None
    answer = await _ask(model, requests)
    report: Report | None = None
    if isinstance(answer, CallError):
        step = Round(index, total=len(problem.public_tests), base=base, error=str(answer))
    else:
        with working_on(problem.id, requests[0].purpose.stage):
            step, report = await _try_answer(answer, problem, sandbox, lineage.rounds, base)
    return Lineage(lineage.sample, (*lineage.rounds, step)), report


async def _ask(model: Model, requests: Sequence[Request]) -> Answer | CallError:
    """The answer to the first of `requests` that the model's context takes, or why there is none."""
    failure = CallError("nothing was asked")
    for place, request in enumerate(requests):
        if place and request.messages == requests[place - 1].messages:
            continue
        try:
            return await model.ask(request)
        except ContextError as error:
            failure = error
        except CallError as error:
            return error
    return failure


async def _try_answer(
    answer: Answer, problem: Problem, sandbox: Sandbox, earlier: Sequence[Round], base: int | None
) -> tuple[Round, Report | None]:
    """The round that `answer` makes, and the report where its program had to be run."""
    extraction = extract_code(answer, problem)
    code = extraction.code
    twin = next((item for item in earlier if code is not None and item.code == code), None)
    report: Report | None = None
    if code is not None and twin is None:
        report = await run_tests(sandbox, problem, code, problem.public_tests)
    failures = twin.failures if twin else ()
    if code is not None and report is not None:
        failures = describe_failures(problem, code, report)
    outcome = report or twin
    step = Round(
        index=len(earlier),
        code=code,
        passed=outcome.passed if outcome else 0,
        total=len(problem.public_tests),
        verdict=outcome.verdict if outcome else None,
        failures=failures,
        how=extraction.how,
        truncated=extraction.truncated,
        base=base,
        repeats=twin.index if twin else None,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        seconds=answer.seconds,
    )
    return step, report
