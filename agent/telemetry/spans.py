"""Spans of model calls, and what is observed of calls and runs of programs.

Where they go is OpenTelemetry's own business: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` and so on.
Prompts and answers are not part of them.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sstar_code.agent.models.request import CallError, ContextError
from sstar_code.agent.telemetry.events import current_work, log_event
from sstar_code.problems import UserError
from sstar_code.sandbox.outcome import SandboxWrapper, run_part

if TYPE_CHECKING:
    from sstar_code.agent.models import Answer, Request
    from sstar_code.agent.run.store import Store
    from sstar_code.sandbox import Execution, Limits, Program

_TRACER: ContextVar[Any] = ContextVar("tracer", default=None)


@contextmanager
def open_spans(run: str, exporter: Any = None) -> Iterator[None]:
    """Send a span for every call and every problem of what is done inside.

    `exporter` is an OpenTelemetry one; None: OTLP over HTTP.

    Raises:
        UserError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
    except ImportError as error:
        raise UserError(
            "--otel needs OpenTelemetry: pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        ) from error
    service = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "sstar"}
    resource = Resource.create({**service, "sstar.run": run})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    token = _TRACER.set(provider.get_tracer("sstar"))
    try:
        yield
    finally:
        _TRACER.reset(token)
        provider.shutdown()


@contextmanager
def problem_span(problem_id: str) -> Iterator[None]:
    """The work on a problem; its calls are inside."""
    tracer = _TRACER.get()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span("problem", attributes={"sstar.problem.id": problem_id}):
        yield


@contextmanager
def call_span(model: str, request: Request) -> Iterator[Callable[[Answer], None]]:
    """One call; the function is to be given its answer. What is raised inside is noted as its error."""
    tracer = _TRACER.get()
    if tracer is None:
        yield lambda _: None
        return
    from opentelemetry.trace import SpanKind

    with tracer.start_as_current_span(
        f"chat {model}", kind=SpanKind.CLIENT, attributes=_describe(model, request)
    ) as span:

        def note(answer: Answer) -> None:
            span.set_attribute("gen_ai.response.finish_reasons", [answer.finish_reason])
            for name, value in (
                ("gen_ai.response.model", answer.model or None),
                ("gen_ai.usage.input_tokens", answer.usage.prompt),
                ("gen_ai.usage.output_tokens", answer.usage.output),
            ):
                if value is not None:
                    span.set_attribute(name, value)

        try:
            yield note
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            raise


def _describe(model: str, request: Request) -> dict[str, Any]:
    purpose = request.purpose
    known = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.request.temperature": request.temperature,
        "gen_ai.request.max_tokens": request.max_tokens,
        "gen_ai.request.seed": request.seed,
        "sstar.problem.id": purpose.problem_id,
        "sstar.stage": purpose.stage.value,
        "sstar.candidate": purpose.sample,
        "sstar.round": purpose.round,
    }
    return {name: value for name, value in known.items() if value is not None}


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


class ObservedSandbox(SandboxWrapper):
    """A sandbox with an event for every batch, or part of one, that it runs."""

    async def run(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """Run like `Sandbox.run`."""
        return await _observe(self._sandbox.run, program, inputs, limits, stop_on_failure=stop_on_failure)

    async def run_part(
        self, program: Program, inputs: Sequence[str], limits: Limits, *, stop_on_failure: bool = False
    ) -> list[Execution]:
        """Run like `sandbox.outcome.run_part`."""
        run = partial(run_part, self._sandbox)
        return await _observe(run, program, inputs, limits, stop_on_failure=stop_on_failure)


async def _observe(
    run: Callable[..., Awaitable[list[Execution]]],
    program: Program,
    inputs: Sequence[str],
    limits: Limits,
    *,
    stop_on_failure: bool,
) -> list[Execution]:
    started_s = time.monotonic()
    runs = await run(program, inputs, limits, stop_on_failure=stop_on_failure)
    problem, stage = current_work()
    log_event(
        "batch.run",
        **({"problem": problem} if problem else {}),
        stage=stage,
        inputs=len(inputs),
        statuses=dict(Counter(one.status.value for one in runs)),
        cpu_s=round(sum(one.cpu_s for one in runs), 4),
        seconds=round(time.monotonic() - started_s, 3),
    )
    return runs
