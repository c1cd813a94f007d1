"""Feedback and edits, on known programs."""

from __future__ import annotations

import pytest

from sstar_code.agent.models.request import CallError
from tests.agent.strategies.known import KnownModel, assert_asked_once, grow

pytestmark = pytest.mark.anyio
USEFUL = (
    "The program is partially right. It reads the numbers well, but leaves the last one out: read them all."
)
PRAISE = (
    "The program is perfectly right. It reads the numbers well and prints all of them in order, as asked."
)
TABLE = {
    "0.0": "1000",
    "0.1 feedback-0": USEFUL,
    "0.1": "0000",
    "0.2 feedback-0": PRAISE,
    "0.2 feedback-1": "Fine.",
    "0.2 feedback-2": USEFUL,
    "0.2": "1110",
    "1.0": "1111",
}


async def test_an_edit_follows_the_first_constructive_feedback():
    """Feedback is asked for again where it praises or says nothing; an edit starts from the best program."""
    model = KnownModel(TABLE)
    samples = await grow(model, "feedback-edit", n=2, rounds=2)
    of_first = [visit for visit in model.visits if visit[0].startswith("0.")]
    assert of_first == [
        *(("0.0", None), ("0.1 feedback-0", None), ("0.1", "0.0")),
        *((f"0.2 feedback-{number}", None) for number in range(3)),
        ("0.2", "0.0"),  # not from 0.1, which broke it
    ]
    assert len(model.requests) == len(of_first) + 1, "a draft that passes is left alone"
    assert [sample.best.passed for sample in samples] == [3, 4]
    assert_asked_once(model.requests)
    review, edit = model.requests[2].messages[-1].content, model.requests[3].messages[-1].content
    assert "wrong 0" in review
    assert "# 0.0" in review
    assert USEFUL in edit
    assert "wrong 0" not in edit, "the editor sees the feedback, not the tests"


@pytest.mark.parametrize("said", [PRAISE, "", CallError("refused")])
async def test_without_feedback_it_is_a_repair(said):
    """After `tries` attempts the editor is told what happened; an edit that breaks a draft is rolled back."""
    model = KnownModel({"0.0": "1100", "0.1": "0000", "0.1 feedback-0": said, "0.1 feedback-1": said})
    (sample,) = await grow(model, "feedback-edit:tries=2", n=1, rounds=1)
    assert [name for name, _ in model.visits] == ["0.0", "0.1 feedback-0", "0.1 feedback-1", "0.1"]
    assert "wrong 0" in model.requests[-1].messages[-1].content
    assert sample.best.passed == 2
