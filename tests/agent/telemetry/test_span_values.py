"""What a span of a call holds, with a double in the place of OpenTelemetry."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from sstar_code.agent.models.request import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.telemetry import spans

REQUEST = Request(
    (Message("user", "secret"),), Purpose("p", Stage.DEBUG, 3, 2), temperature=0.7, max_tokens=100
)


class Tracer:
    """Keeps every span as (name, kind, attributes)."""

    def __init__(self):
        self.spans = []

    @contextmanager
    def start_as_current_span(self, name, kind=None, attributes=None):
        self.spans.append((name, kind, attributes))
        yield SimpleNamespace(set_attribute=attributes.__setitem__)


@pytest.fixture
def tracer(monkeypatch):
    """A tracer that is open."""
    trace = SimpleNamespace(SpanKind=SimpleNamespace(CLIENT="client"))
    monkeypatch.setitem(sys.modules, "opentelemetry", SimpleNamespace(trace=trace))
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", trace)
    made = Tracer()
    token = spans._TRACER.set(made)
    yield made
    spans._TRACER.reset(token)


def test_a_call_is_described_without_its_texts(tracer):
    """What was asked for, which call it is, and what the answer was; what is not known is left out."""
    with spans.problem_span("p"), spans.call_span("m", REQUEST) as note:
        note(Answer("answer", finish_reason="length", usage=Usage(10, None, 0, None), model="m-1"))
    with spans.call_span("m", REQUEST) as note:
        note(Answer("answer"))
    asked = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.max_tokens": 100,
        "sstar.problem.id": "p",
        "sstar.stage": "debug",
        "sstar.candidate": 3,
        "sstar.round": 2,
    }
    answered = {
        "gen_ai.response.finish_reasons": ["length"],
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 0,
    }
    assert tracer.spans == [
        ("problem", None, {"sstar.problem.id": "p"}),
        ("chat m", "client", asked | answered),
        ("chat m", "client", asked | {"gen_ai.response.finish_reasons": ["stop"]}),
    ]


def test_an_error_is_named_and_passed_on(tracer):
    """Its class is an attribute of the span."""
    with pytest.raises(ZeroDivisionError), spans.call_span("m", REQUEST):
        _ = 1 / 0
    assert tracer.spans[0][2]["error.type"] == "ZeroDivisionError"


def test_without_a_tracer_nothing_happens():
    """Calls and problems go on as without spans."""
    with spans.problem_span("p"), spans.call_span("m", REQUEST) as note:
        note(Answer("answer"))
