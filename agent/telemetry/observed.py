"""Tells of each call and batch of runs: events, spans, and failed calls for `--retry errors`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sstar_code.agent.models.errors import CallError, ContextError
from sstar_code.agent.telemetry.events import log_event
from sstar_code.agent.telemetry.spans import call_span
from sstar_code.agent.telemetry.work import current_work

if TYPE_CHECKING:
    from sstar_code.agent.models import Answer, Request
    from sstar_code.agent.run.store import Store
    from sstar_code.sandbox import Execution, Limits, Program, Sandbox


@contextmanager
def observe_call(model: str, request: Request, store: Store) -> Iterator[Callable[[Answer], Answer]]:
    """Events and a span of one call, which is made inside; the function is to be given its answer.

    It gives the answer back with the seconds that the call took, where the model did not tell. `store` hears
    of a call that failed, but not of a prompt that is too long: a shorter one is asked for in its place, and
    asking again changes nothing.
    """
    purpose = request.purpose
    ids = {
        "problem": purpose.problem_id,
        "candidate": purpose.sample,
        "stage": purpose.stage.value,
        "round": purpose.round,
        "ordinal": purpose.ordinal,
    }
    log_event("call.asked", **ids)
    started_s = time.monotonic()
    try:
        with call_span(model, request) as note_span:

            def note(answer: Answer) -> Answer:
                note_span(answer)
                seconds = time.monotonic() - started_s
                log_event(
                    "call.answered",
                    **ids,
                    seconds=round(seconds, 3),
                    prompt_tokens=answer.usage.prompt,
                    output_tokens=answer.usage.output,
                    finish_reason=answer.finish_reason,
                )
                return answer if answer.seconds else replace(answer, seconds=seconds)

            yield note
    except CallError as error:
        if not isinstance(error, ContextError):
            store.put_failure(request, str(error))
        log_event("call.failed", **ids, error=str(error))
        raise


class ObservedSandbox:
    """A sandbox with an event for every batch that it runs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.name = sandbox.name
        self._sandbox = sandbox

    @property
    def workers(self) -> int:
        """Programs that run at once."""
        return self._sandbox.workers

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sandbox.__aexit__(kind, error, trace)

    async def run(
        self,
        program: Program,
        inputs: Sequence[str],
        limits: Limits,
        *,
        stop_on_failure: bool = False,
    ) -> list[Execution]:
        """Run like `Sandbox.run`."""
        started_s = time.monotonic()
        runs = await self._sandbox.run(program, inputs, limits, stop_on_failure=stop_on_failure)
        problem, stage = current_work()
        log_event(
            "batch.run",
            **({"problem": problem} if problem else {}),
            stage=stage,
            inputs=len(inputs),
            statuses=dict(Counter(run.status.value for run in runs)),
            cpu_s=round(sum(run.cpu_s for run in runs), 4),
            seconds=round(time.monotonic() - started_s, 3),
        )
        return runs
