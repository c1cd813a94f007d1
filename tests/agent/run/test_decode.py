"""Records come back from JSON, also those of older and of newer versions."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.allocation.policy import Observed, Repairs
from sstar_code.agent.models.request import Answer, Message, Purpose, Request, Stage, Usage
from sstar_code.agent.run.outcomes import ProblemOutcome, SampleOutcome, read_record
from sstar_code.sandbox import Execution, Failure, Status
from sstar_code.selection import Selection

RECORDS = [
    Request((Message("user", "x\ud800"),), Purpose("p", Stage.DEBUG, 1, 2, "o"), stop=("a", "b"), seed=3),
    Answer("text", "why", "length", Usage(1, None, 2, 3), "m", 0.5),
    Execution(Status.RE, "out", failure=Failure("ValueError", "no", 3), cpu_s=0.5, limit="cpu"),
    Execution(Status.OK),
    ProblemOutcome("p", (SampleOutcome(0, 1, 2, True, None, "AC"),), {"first": 0, "mbr": None}, (0, 1)),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_come_back_equal(record):
    """With nested records, enums, tuples and missing values, though a newer version added keys everywhere."""
    data = json.loads(json.dumps(asdict(record)))
    assert read_record(type(record), data) == record
    assert read_record(type(record), _add_keys(data)) == record


def _add_keys(data):
    if isinstance(data, list):
        return [_add_keys(item) for item in data]
    if isinstance(data, dict) and data and "first" not in data:
        return {name: _add_keys(value) for name, value in data.items()} | {"of_tomorrow": {"a": [1]}}
    return data


@given(st.builds(Observed, st.integers(), st.integers(), repairs=st.lists(st.builds(Repairs)).map(tuple)))
def test_decisions_come_back_equal(seen):
    """What the allocation had seen, whatever it was."""
    assert read_record(Observed, json.loads(json.dumps(asdict(seen)))) == seen


def test_older_records_take_defaults():
    """Keys that a stored row does not have yet are the defaults."""
    sample = {
        "sample": 0,
        "rounds": 1,
        "public_passed": 1,
        "survives": True,
        "first_hidden": None,
        "hidden": None,
    }
    outcome = ProblemOutcome.from_json(
        json.dumps({"problem_id": "p", "samples": [sample], "chosen": {"first": 0}, "tier": [0]})
    )
    assert outcome == ProblemOutcome("p", (SampleOutcome(0, 1, 1, True, None, None),), {"first": 0}, (0,))
    assert read_record(Answer, {"text": "x"}) == Answer("x")
    assert read_record(Selection, {"method": "first", "chosen": 1, "confidence": 0.5}).clusters == ()


@pytest.mark.parametrize("data", [5, [], None, {}, {"text": "x", "usage": 3}])
def test_what_is_no_record_is_refused(data):
    """Another shape, or a field without a value and a default."""
    if data == {"text": "x", "usage": 3} or not isinstance(data, dict):
        with pytest.raises(TypeError, match="is no"):
            read_record(Answer, data)
    else:
        with pytest.raises(TypeError, match="text"):
            read_record(Answer, data)
    with pytest.raises(ValueError, match="asleep"):
        read_record(Execution, {"status": "asleep"})
