"""Spans of model calls follow OpenTelemetry's GenAI conventions."""

from __future__ import annotations

import pytest

from sstar_code.agent.models import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.models.request import CallError
from sstar_code.agent.run.store import Store
from sstar_code.agent.telemetry.spans import observe_call, open_spans, problem_span
from sstar_code.agent.testing.scripted import ScriptedModel

memory = pytest.importorskip(
    "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="OpenTelemetry is not installed"
)

REQUEST = Request(
    (Message("user", "a secret prompt"),),
    Purpose("p", Stage.DEBUG, 3, 1),
    temperature=0.5,
    max_tokens=9,
    seed=4,
)


async def ask(model):
    with observe_call(model.name, REQUEST, Store()) as note:
        note(await model.ask(REQUEST))


@pytest.mark.anyio
async def test_call_is_a_client_span_within_its_problem():
    """Model, settings, tokens and ids are attributes; prompt and answer are not; a failure is marked."""
    answers = [Answer("a secret answer", usage=Usage(7, None, 5), model="tiny-1"), CallError("refused")]
    model = ScriptedModel(answers, name="tiny")
    exporter = memory.InMemorySpanExporter()
    with open_spans("run", exporter), problem_span("p"):
        await ask(model)
        with pytest.raises(CallError):
            await ask(model)
    answered, failed, problem = exporter.get_finished_spans()
    assert problem.name == "problem"
    assert answered.name == failed.name == "chat tiny"
    assert answered.kind.name == "CLIENT"
    assert answered.parent.span_id == failed.parent.span_id == problem.context.span_id
    assert dict(answered.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "tiny",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 4,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.model": "tiny-1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "sstar.problem.id": "p",
        "sstar.stage": "debug",
        "sstar.candidate": 3,
        "sstar.round": 1,
    }
    assert failed.attributes["error.type"] == "CallError"
    assert failed.status.status_code.name == "ERROR"
    assert answered.resource.attributes["sstar.run"] == "run"
    assert "secret" not in answered.to_json() + problem.to_json()


@pytest.mark.anyio
async def test_nothing_is_sent_where_it_was_not_asked_for():
    """Outside of `open_spans` a call makes no span."""
    exporter = memory.InMemorySpanExporter()
    with open_spans("run", exporter):
        pass
    await ask(ScriptedModel(["text"]))
    assert exporter.get_finished_spans() == ()
