"""Solves the task of one request by the whole method, within limits of its own, and tells what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from sstar_code.agent.calls.budget import BudgetSpentError, main_cause
from sstar_code.agent.generation.lineage import explain_lack
from sstar_code.agent.jobs.session import open_session
from sstar_code.agent.jobs.solve_problem import solve_problem
from sstar_code.agent.models.request import Answer, ModelError, ModelUserError
from sstar_code.agent.serving.errors import RefusedError
from sstar_code.agent.solving.solve import Solution
from sstar_code.problems import InfrastructureError, SstarError, UserError
from sstar_code.problems.errors import shorten
from sstar_code.sandbox import SandboxError
from sstar_code.sandbox.outcome import SharedSandbox
from sstar_code.selection import Selection

if TYPE_CHECKING:
    from sstar_code.agent.generation.lineage import Lineage
    from sstar_code.agent.jobs.session import Session
    from sstar_code.agent.models import Model, Request
    from sstar_code.agent.prompts.templates import Prompts
    from sstar_code.agent.serving.limits import Gate
    from sstar_code.agent.serving.task import Task
    from sstar_code.agent.serving.technique import Wish
    from sstar_code.sandbox import Sandbox

_GRACE_S = 60.0
"""Seconds that running programs and choosing may still take when no more calls are made."""
_SHOWN_CHARS = 500
"""Characters of an input or an output in the report."""


@dataclass(slots=True)
class Tally:
    """What the calls for one request took."""

    calls: int = 0
    prompt: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    def add(self, answer: Answer) -> int:
        """Count an answer; its tokens."""
        usage = answer.usage
        prompt, output = usage.prompt or 0, usage.output or 0
        self.calls += 1
        self.prompt += prompt
        self.output += output
        self.cached += usage.cached or 0
        self.reasoning += usage.reasoning or 0
        return prompt + output

    @property
    def tokens(self) -> int:
        """Prompt and output together."""
        return self.prompt + self.output


@dataclass(frozen=True, slots=True)
class Solved:
    """What came of a request."""

    program: str
    why: str
    """One sentence."""
    report: dict[str, Any] = field(default_factory=dict)
    """Candidates, clusters, the telling input, confidence, cost: the field `sstar` of the choice."""

    @property
    def is_limited(self) -> bool:
        """Whether a limit of the request ended the work: `finish_reason` is `length` then."""
        return self.report.get("stopped") in ("tokens", "seconds")

    @property
    def text(self) -> str:
        """The answer: the program in a fence, and why it was chosen."""
        fence = "```"
        while fence in self.program:
            fence += "`"
        return f"{fence}python\n{self.program.rstrip()}\n{fence}\n\n{self.why}"


class Solver:
    """Solves tasks with one model and one sandbox, which are open already.

    Requests share nothing else: each has a store of its own that is gone when it ends.
    """

    def __init__(
        self,
        model: Model,
        sandbox: Sandbox,
        prompts: Prompts,
        gate: Gate,
        *,
        hide: Callable[[str], str] = str,
    ) -> None:
        """Use `model` and `sandbox`; `hide` takes out of a message what is not a client's business."""
        self._model = model
        self._sandbox = sandbox
        self._prompts = prompts
        self._gate = gate
        self._hide = hide

    @property
    def gate(self) -> Gate:
        """Lets requests in; `solve` does not ask it."""
        return self._gate

    async def solve(self, task: Task, wish: Wish, tally: Tally, tell: Callable[[str], None]) -> Solved:
        """Solve `task` as `wish` says.

        Args:
            task: what has to be solved.
            wish: how, and at what cost at most; beyond the server's own limits it cannot go.
            tally: counts the calls while they are made.
            tell: gets a line when something has happened.

        Raises:
            RefusedError: there is no program: a limit, the model or the sandbox stood against it.
        """
        started_s = time.monotonic()
        metered = self.meter(wish, tally)
        opening = self._open(metered, _say_nothing)
        seen: list[Lineage] = []

        def count(made: Lineage) -> None:
            seen.append(made)
            tell(_tell_sample(len(seen), wish.settings.n, made))

        try:
            with anyio.fail_after(self._seconds_of(wish) + _GRACE_S):
                solution = await solve_problem(
                    opening, task.problem, wish.settings, self._prompts, on_sample=count
                )
        except (SstarError, ExceptionGroup, TimeoutError) as error:
            kept = _keep_passing(seen, task, wish) if isinstance(error, TimeoutError) else None
            if kept is None:
                raise self.explain(main_cause(error)) from error
            solution, metered.stopped = kept, "seconds"
        stopped = None if solution.failure is None else metered.stopped or "failure"
        return _describe(solution, task, tally, wish, time.monotonic() - started_s, stopped=stopped)

    def open(
        self, wish: Wish, tally: Tally, say: Callable[[str], None]
    ) -> AbstractAsyncContextManager[Session]:
        """A session of one request, not entered yet: its seconds and its tokens count from now.

        `say` gets a line when something has happened.
        """
        return self._open(self.meter(wish, tally), say)

    def _open(self, model: _MeteredModel, say: Callable[[str], None]) -> AbstractAsyncContextManager[Session]:
        return open_session(None, SharedSandbox(self._sandbox), say, endpoint=model, quiet=True)

    def meter(self, wish: Wish, tally: Tally) -> _MeteredModel:
        """The model within a request's limits, from now on."""
        tokens = [
            most for most in (wish.max_tokens_total, self._gate.limits.max_tokens_request) if most is not None
        ]
        return _MeteredModel(
            self._model,
            tally,
            self._gate,
            tokens=min(tokens, default=None),
            end_s=time.monotonic() + self._seconds_of(wish),
        )

    @contextmanager
    def within_limits(self, wish: Wish) -> Iterator[None]:
        """End the block when the seconds of a request are over; what it raises is what a client is told.

        Raises:
            RefusedError: a limit, the model or the sandbox stood against a result.
        """
        try:
            with anyio.fail_after(self._seconds_of(wish) + _GRACE_S):
                yield
        except (SstarError, ExceptionGroup, TimeoutError) as error:
            raise self.explain(main_cause(error)) from error

    def _seconds_of(self, wish: Wish) -> float:
        most = self._gate.limits.max_seconds_request
        return min(wish.max_seconds or most, most)

    def explain(self, error: BaseException) -> RefusedError:
        """What a client is told of an error that left no program that passes."""
        text = shorten(self._hide(str(error)), 500)
        if isinstance(error, BudgetSpentError):
            return RefusedError(
                504, f"no program passed when a limit was reached: {text}", code="limit_reached"
            )
        if isinstance(error, TimeoutError):
            return RefusedError(
                504, "no program was chosen within the seconds of a request", code="limit_reached"
            )
        if isinstance(error, SandboxError):
            return RefusedError(
                503, f"programs cannot be run: {text}", code="sandbox_failed", retry_after_s=30
            )
        if isinstance(error, ModelError | ModelUserError):
            return RefusedError(502, f"the model failed: {text}", code="upstream_failed")
        if isinstance(error, UserError):
            return RefusedError(400, text, code="invalid_request")
        if isinstance(error, InfrastructureError):
            return RefusedError(503, text, code="server_failed")
        raise error


class _MeteredModel:
    """The model for one request: counts what is spent, and asks no more when a limit is reached."""

    def __init__(self, model: Model, tally: Tally, gate: Gate, *, tokens: int | None, end_s: float) -> None:
        self.name = model.name
        self._model = model
        self._tally = tally
        self._gate = gate
        self._tokens = tokens
        self._end_s = end_s
        self.stopped: str | None = None
        """What is spent, `tokens` or `seconds`; None while neither is."""

    async def ask(self, request: Request) -> Answer:
        """As `Model.ask`.

        Raises:
            BudgetSpentError: tokens or seconds are spent, also while the model is at work.
        """
        if self._tokens is not None and self._tally.tokens >= self._tokens:
            self.stopped = self.stopped or "tokens"
            raise BudgetSpentError(f"the {self._tokens} tokens of a request are spent")
        left = self._gate.left_this_hour()
        if left is not None and left <= 0:
            self.stopped = self.stopped or "tokens"
            raise BudgetSpentError("the tokens of this hour are spent")
        with anyio.move_on_after(self._end_s - time.monotonic()) as scope:
            answer = await self._model.ask(request)
        if scope.cancelled_caught:
            self.stopped = self.stopped or "seconds"
            raise BudgetSpentError("the seconds of a request are spent")
        self._gate.spend(self._tally.add(answer))
        return answer


def _say_nothing(_line: str) -> None:
    """A request has no terminal."""


def _tell_sample(done: int, most: int, made: Lineage) -> str:
    best = made.best
    if best.code is None:
        what = "no program"
    elif best.total:
        what = f"passes {best.passed} of {best.total} tests"
    else:
        what = "a program"
    repairs = len(made.rounds) - 1
    after = f" after {repairs} repair{'s' * (repairs != 1)}" if repairs else ""
    return f"candidate {done} of at most {most}: {what}{after}"


def _keep_passing(seen: list[Lineage], task: Task, wish: Wish) -> Solution | None:
    """The first candidate that passed, where the time for choosing among them is over; None without one."""
    first = next((made for made in seen if made.survives), None)
    if first is None:
        return None
    method = wish.settings.select
    selection = Selection("first", seen.index(first), None)
    failure = BudgetSpentError("the time for choosing is over")
    return Solution(task.problem, tuple(seen), {method: selection}, method, failure=failure)


def _describe(
    solution: Solution, task: Task, tally: Tally, wish: Wish, seconds: float, *, stopped: str | None
) -> Solved:
    """The answer with its report; `stopped` is what ended the work before its end.

    Raises:
        RefusedError: no answer of the model held a program.
    """
    selection, settings = solution.selection, wish.settings
    if solution.chosen is None or not solution.program:
        why = explain_lack(solution.lineages)
        raise RefusedError(
            502,
            f"no answer of the model held a program{f': {shorten(why, 300)}' if why else ''}",
            code="no_program",
        )
    best = solution.lineages[solution.chosen].best
    clusters = [list(cluster) for cluster in selection.clusters]
    own = next((len(cluster) for cluster in clusters if solution.chosen in cluster), 1)
    compared = sum(map(len, clusters))
    telling = selection.distinguishing[0] if selection.distinguishing else None
    report = {
        "strategy": settings.strategy or settings.strategy_name,
        "method": selection.method,
        "candidates": len(solution.lineages),
        "passing": sum(lineage.survives for lineage in solution.lineages),
        "tests": {"from": task.tests_from, "passed": best.passed, "total": best.total},
        "clusters": [len(cluster) for cluster in clusters],
        "chosen_cluster": own,
        "telling_input": None
        if telling is None
        else {
            "input": shorten(telling.input, _SHOWN_CHARS),
            "outputs": {name: shorten(text, _SHOWN_CHARS) for name, text in telling.outputs.items()},
        },
        "confidence": selection.confidence,
        "calls": tally.calls,
        "tokens": tally.tokens,
        "seconds": round(seconds, 3),
        "stopped": stopped,
    }
    tested = "was chosen without any test"
    if best.total:
        tested = f"passes {'all' if best.passed == best.total else f'{best.passed} of'} {best.total} tests"
    agreed = f", {own} of {compared} candidates behave like it" if compared > 1 else ""
    why = f"This program {tested}{agreed}, confidence {selection.confidence_in_words}."
    return Solved(solution.program, why, report)
