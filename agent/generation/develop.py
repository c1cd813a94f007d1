"""Stage one of the method: a sample, run on the public tests, repaired until it passes or rounds are spent.

A deterministic function of the model's answers: run again with the same answers it makes the same requests,
so a run that was killed is resumed by running it again over the stored answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sstar_code.agent.generation.extract import extract_code
from sstar_code.agent.generation.feedback import describe_failures, summarize_tests
from sstar_code.agent.generation.lineage import Lineage, Round
from sstar_code.agent.generation.memory import read_lesson
from sstar_code.agent.generation.plans import plan_for
from sstar_code.agent.generation.sanitized import watch_failures
from sstar_code.agent.models.request import UNSURE, CallError, ContextError, Purpose, Request, Stage
from sstar_code.agent.prompts.templates import render_macro
from sstar_code.agent.telemetry.events import about, working_on
from sstar_code.problems.problem import Asked
from sstar_code.sandbox import Verdict
from sstar_code.sandbox.grade import run_tests

if TYPE_CHECKING:
    from sstar_code.agent.generation.prefix import Prefix
    from sstar_code.agent.models.request import Answer
    from sstar_code.agent.solving.context import SolveContext
    from sstar_code.problems import Problem

_ROUND_STEP = 1_000_003
"""Between the seeds of two rounds: more than any number of samples, so that no two calls share a seed."""

_MAX_EARLIER = 3
"""Earlier rounds shown; each is capped by the template too."""


def seed_for(seed: int, sample: int, index: int) -> int:
    """`seed` + sample + 1,000,003 * round."""
    return seed + sample + _ROUND_STEP * index


@dataclass(frozen=True, slots=True)
class Target:
    """What a repair starts from: a round, which need not be one of the sample that gets the repair."""

    sample: int
    best: Round
    """The round whose program is repaired."""
    rounds: tuple[Round, ...]
    """Rounds that the prompt may show beside it, oldest first; `best` may be among them."""

    @classmethod
    def of(cls, lineage: Lineage) -> Target:
        """The best round of a sample beside its others."""
        return cls(lineage.sample, lineage.best, lineage.rounds)


def first_sample(problem: Problem, context: SolveContext, sample: int, plan: str | None = None) -> Request:
    """The request for sample number `sample`; samples differ by their seed and, with `plan`, by that."""
    settings = context.settings
    return Request(
        messages=context.prompts.render(
            "generate" if problem.asks is Asked.PROGRAM else "predict",
            problem,
            environment=context.environment,
            style=settings.style,
            plan=plan,
            lessons=context.shown,
        ),
        purpose=Purpose(problem.id, Stage.GENERATE, sample),
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        seed=seed_for(settings.seed, sample, 0),
    )


def repair_round(
    problem: Problem,
    context: SolveContext,
    lineage: Lineage,
    width: str,
    *,
    target: Target | None = None,
    temperature: float | None = None,
) -> Request:
    """The request for the round after those of `lineage`.

    It repairs `target`: without one the best round, not the last. With `width` "all" (the method's default,
    arXiv 2502.14382) it also shows the latest of the other rounds that held a program; with "last" only the
    program to repair. `temperature` takes the place of that of the settings.
    """
    target, settings = target or Target.of(lineage), context.settings
    best = target.best
    others = [item for item in target.rounds if item.code is not None and item.code != best.code]
    return Request(
        messages=context.prompts.render(
            "debug",
            problem,
            environment=context.environment,
            style=settings.style,
            lessons=context.shown,
            code=best.code,
            failures=best.failures,
            summary=best.summary,
            passed=best.passed,
            total=best.total,
            earlier=others[-_MAX_EARLIER:] if width == "all" else [],
            reason=render_macro("feedback.j2", "no_program", target.rounds[-1].truncated),
            is_cut=best.truncated,
        ),
        purpose=Purpose(
            problem.id,
            Stage.DEBUG,
            lineage.sample,
            len(lineage.rounds),
            ordinal="" if width == "all" else "last",
        ),
        temperature=settings.temperature if temperature is None else temperature,
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
    """Whether no round may follow those of `lineage`, however many are allowed.

    Where a test's output is one of several right ones, a model that returns the program as it is says that
    it is right; asked again, it would say so again.
    """
    if not lineage.rounds:
        return False
    if problem.asks is not Asked.PROGRAM:  # nothing that may be run would tell
        return True
    last = lineage.rounds[-1]
    is_given_up = last.finish_reason == UNSURE
    if last.solved or last.error or is_given_up or last.verdict is Verdict.IE or not problem.public_tests:
        return True
    return problem.several_answers and last.unchanged


async def next_round(
    lineage: Lineage,
    problem: Problem,
    context: SolveContext,
    *,
    target: Target | None = None,
    temperature: float | None = None,
    requests: Iterable[Request] = (),
    note: str = "",
    prefix: Prefix | None = None,
) -> Lineage:
    """`lineage` with one round more: its first sample, or a repair (of `target`, else of its best round).

    Of `requests`, which a strategy may bring, the first that the model has room for is asked; a call that
    fails is a round without a program. `note` is what the requests rest on, where that is one line; else the
    round has the lesson that its answer ends with, if one was asked for. `prefix` is what the requests have
    the answer begin with.

    Raises:
        As `develop`.
    """
    if lineage.rounds:
        target = target or Target.of(lineage)
        requests = requests or _list_repairs(lineage, problem, context, target, temperature)
    else:
        plan = await plan_for(lineage.sample, problem, context)
        requests = [first_sample(problem, context, lineage.sample, plan)]
    base = target.best.index if target else None
    source = target.sample if target and target.sample != lineage.sample else None
    failure = CallError("nothing was asked")
    for request in requests:
        try:
            answer = await context.model.ask(request)
        except ContextError as error:
            failure = error
        except CallError as error:
            failure = error
            break
        else:
            answer = prefix.complete(answer) if prefix is not None else answer
            with working_on(problem.id, request.purpose.stage):
                step = await _try_answer(answer, problem, context, lineage, target)
            if target and context.settings.lessons != "off":
                note = note or read_lesson(answer.text)
            if note and target:
                step = replace(step, note=note, helped=step.passed > target.best.passed)
            return Lineage(lineage.sample, (*lineage.rounds, replace(step, base=base, source=source)))
    failed = Round(
        len(lineage.rounds), total=len(problem.public_tests), base=base, source=source, error=str(failure)
    )
    return Lineage(lineage.sample, (*lineage.rounds, failed))


def _list_repairs(
    lineage: Lineage, problem: Problem, context: SolveContext, target: Target, temperature: float | None
) -> Iterator[Request]:
    """The request of the next repair, then a shorter one for a model that it is too long for."""
    width = context.settings.context
    request = repair_round(problem, context, lineage, width, target=target, temperature=temperature)
    yield request
    if width == "all":
        shorter = repair_round(problem, context, lineage, "last", target=target, temperature=temperature)
        if shorter.messages != request.messages:
            yield shorter


async def _try_answer(
    answer: Answer, problem: Problem, context: SolveContext, lineage: Lineage, target: Target | None
) -> Round:
    """The round that `answer` makes; its program is run unless an earlier round has the same."""
    extraction = extract_code(answer, problem, context.settings.language)
    code = extraction.code
    own = next((item for item in lineage.rounds if code is not None and item.code == code), None)
    others = target.rounds if target else ()
    twin = own or next((item for item in others if code is not None and item.code == code), None)
    report = None
    if code is not None and twin is None:
        report = await run_tests(context.sandbox, problem, code, problem.public_tests)
    failures, summary = (twin.failures, twin.summary) if twin else ((), "")
    if code is not None and report is not None:
        watched = await watch_failures(context.sandbox, problem, code, report)
        failures = describe_failures(problem, code, report, context.environment, watched=watched)
        summary = summarize_tests(problem, report)
    outcome = report or twin
    return Round(
        index=len(lineage.rounds),
        code=code,
        passed=outcome.passed if outcome else 0,
        total=len(problem.public_tests),
        score=outcome.score if outcome else None,
        verdict=outcome.verdict if outcome else None,
        failures=failures,
        summary=summary,
        how=extraction.how,
        truncated=extraction.truncated,
        repeats=own.index if own else None,
        unchanged=target is not None and code is not None and code == target.best.code,
        why=extraction.why,
        thinking=answer.reasoning,
        confidence=answer.confidence,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        seconds=answer.seconds,
    )
