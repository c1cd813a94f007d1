"""Spans of model calls for OpenTelemetry (`--otel`, extra `otel`), by its GenAI conventions.

Where they go is OpenTelemetry's own business: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME` and so on.
Prompts and answers are not part of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sstar_code.problems import UserError

if TYPE_CHECKING:
    from sstar_code.agent.models import Answer, Request

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
