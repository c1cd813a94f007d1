"""Stage one of the method: a sample, run on the public tests, repaired until it passes or rounds are spent.

A deterministic function of the model's answers: run again with the same answers it makes the same requests,
so a run that was killed is resumed by running it again over the stored answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.generation.lineage import Lineage, Round, describe_failures
from sstar_code.agent.models.request import CallError, ContextError, Purpose, Request, Stage
from sstar_code.agent.prompts.templates import render_macro
from sstar_code.agent.telemetry.events import about, working_on
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from sstar_code.agent.models.request import Answer
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.agent.solving.settings import Settings
    from sstar_code.problems import Problem
    from sstar_code.sandbox import Sandbox

_ROUND_STEP = 1_000_003
"""Between the seeds of two rounds: more than any number of samples, so that no two calls share a seed."""

_MAX_EARLIER = 3
"""Earlier rounds shown; each is capped by the template too."""


def seed_for(seed: int, sample: int, index: int) -> int:
    """`seed` + sample + 1,000,003 * round."""
    return seed + sample + _ROUND_STEP * index


def first_sample(problem: Problem, prompts: Prompts, sample: int, settings: Settings) -> Request:
    """The request for sample number `sample`; samples differ by their seed alone."""
    return Request(
        messages=prompts.render("generate", problem),
        purpose=Purpose(problem.id, Stage.GENERATE, sample),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, sample, 0),
    )


def repair_round(
    problem: Problem, prompts: Prompts, lineage: Lineage, settings: Settings, width: str
) -> Request:
    """The request for the round after those of `lineage`.

    It repairs the best round, not the last. With `width` "all" (the method's default, arXiv 2502.14382) it
    also shows the latest of the other rounds that held a program; with "last" only the program to repair.
    """
    best = lineage.best
    others = [item for item in lineage.rounds if item.code is not None and item.code != best.code]
    return Request(
        messages=prompts.render(
            "debug",
            problem,
            code=best.code,
            failures=best.failures,
            passed=best.passed,
            total=best.total,
            earlier=others[-_MAX_EARLIER:] if width == "all" else [],
            reason=render_macro("feedback.j2", "no_program", lineage.rounds[-1].truncated),
        ),
        purpose=Purpose(
            problem.id,
            Stage.DEBUG,
            lineage.sample,
            len(lineage.rounds),
            ordinal="" if width == "all" else "last",
        ),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, lineage.sample, len(lineage.rounds)),
    )


async def develop(
    sample: int,
    problem: Problem,
    context: SolveContext,
    on_sample: Callable[[Lineage], None] = lambda _: None,
) -> Lineage:
    """Ask for a program, run it on the public tests, let the model repair the best for up to `rounds` rounds.

    Ends early when every public test passes, and at once where there are none. A failed call is a round
    without a program and the sample's last; a prompt too long for the model is first asked again without the
    other rounds. Every repair starts from the best round so far: a regression is rolled back. A program that
    an earlier round had already is not run again. `on_sample` gets the finished sample.

    Raises:
        ModelError: the endpoint is down (a `CallError`, of one call alone, never leaves here).
        SandboxError: the sandbox is.
        UserError: a prompt template fails.
    """
    lineage = Lineage(sample, ())
    with about(candidate=sample):
        while len(lineage.rounds) <= context.settings.rounds and not has_ended(lineage, problem):
            lineage = await next_round(lineage, problem, context)
    on_sample(lineage)
    return lineage


def has_ended(lineage: Lineage, problem: Problem) -> bool:
    """Whether no round may follow those of `lineage`, however many are allowed."""
    if not lineage.rounds:
        return False
    last = lineage.rounds[-1]
    return last.solved or bool(last.error) or last.verdict is Verdict.IE or not problem.public_tests


async def next_round(lineage: Lineage, problem: Problem, context: SolveContext) -> Lineage:
    """`lineage` with one round more: its first sample, or a repair.

    Raises:
        As `develop`.
    """
    base = lineage.best.index if lineage.rounds else None
    failure = CallError("nothing was asked")
    for request in _list_requests(lineage, problem, context):
        try:
            answer = await context.model.ask(request)
        except ContextError as error:
            failure = error
        except CallError as error:
            failure = error
            break
        else:
            with working_on(problem.id, request.purpose.stage):
                step = await _try_answer(answer, problem, context.sandbox, lineage.rounds, base)
            return Lineage(lineage.sample, (*lineage.rounds, step))
    failed = Round(len(lineage.rounds), total=len(problem.public_tests), base=base, error=str(failure))
    return Lineage(lineage.sample, (*lineage.rounds, failed))


def _list_requests(lineage: Lineage, problem: Problem, context: SolveContext) -> Iterator[Request]:
    """The request of the next round, then a shorter one for a model that it is too long for."""
    prompts, settings = context.prompts, context.settings
    if not lineage.rounds:
        yield first_sample(problem, prompts, lineage.sample, settings)
        return
    request = repair_round(problem, prompts, lineage, settings, settings.context)
    yield request
    if settings.context == "all":
        shorter = repair_round(problem, prompts, lineage, settings, "last")
        if shorter.messages != request.messages:
            yield shorter


async def _try_answer(
    answer: Answer, problem: Problem, sandbox: Sandbox, earlier: Sequence[Round], base: int | None
) -> Round:
    """The round that `answer` makes; its program is run unless an earlier round has the same."""
    extraction = extract_code(answer, problem)
    code = extraction.code
    twin = next((item for item in earlier if code is not None and item.code == code), None)
    report = None
    if code is not None and twin is None:
        report = await run_tests(sandbox, problem, code, problem.public_tests)
    failures = twin.failures if twin else ()
    if code is not None and report is not None:
        failures = describe_failures(problem, code, report)
    outcome = report or twin
    return Round(
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
