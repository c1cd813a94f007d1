"""Prompt styles: what is asked for before an answer, by samples, repairs and judges."""

from __future__ import annotations

import pytest

from sstar_code.agent.generation.plans import IDEAS_A_CALL, read_ideas
from sstar_code.agent.models.request import CallError, Stage
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.solving.context import SolveContext
from sstar_code.agent.solving.settings import STYLES, Settings
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import UserError
from sstar_code.sandbox.fake import FakeSandbox
from sstar_code.selection import Question
from tests.agent.strategies.known import PROBLEM, KnownModel, assert_asked_once, grow, happen

pytestmark = pytest.mark.anyio
WORDS = {
    "cot": ("Think the solution through", "First explain what", "step by step"),
    "direct": ("no explanation", "no explanation", "nothing but the line"),
    "draft": ("at most five words", "at most five words", "at most five words"),
    "plan": ("two or three ideas", "two or three different causes", "two or three lines"),
}


@pytest.mark.parametrize("style", STYLES)
async def test_each_style_asks_in_its_own_words(style):
    """First samples, repairs and judges are all asked in the style, and in no other."""
    model = KnownModel({"0.0": "1000"})
    await grow(model, n=1, rounds=1, style=style)
    judged = ScriptedModel(["ANSWER: A"])
    context = SolveContext(judged, FakeSandbox(happen), Prompts(), Settings(style=style))
    await context.ask(Question.CHOOSE, PROBLEM, "0", input="1", outputs=["1", "2"])
    asked = [item for item in (*model.requests, *judged.requests) if item.purpose.ordinal != "ideas"]
    for place, request in enumerate(asked):
        text = request.messages[-1].content.rpartition("# Answer")[2]
        found = {name for name, words in WORDS.items() if words[place] in text}
        assert found == {name for name, words in WORDS.items() if words[place] == WORDS[style][place]}
        assert "\n\n\n" not in text


async def test_a_sample_follows_its_own_idea():
    """One call lists the ideas of several samples; each prompt has one, and nothing is asked twice."""
    ideas = "\n".join(f"{k}. idea number {k}, which is\n   fast" for k in range(1, 9))
    model = KnownModel({"0.0 ideas": ideas, "8.0 ideas": "1) only one"}, "1111")
    await grow(model, n=10, rounds=0, style="plan")
    assert_asked_once(model.requests)
    prompts = {
        request.purpose.sample: request.messages[-1].content
        for request in model.requests
        if request.purpose.stage is Stage.GENERATE and not request.purpose.ordinal
    }
    assert len(model.requests) == 10 + 2
    for sample in range(IDEAS_A_CALL):
        assert f"idea number {sample + 1}, which is\n   fast" in prompts[sample]
        assert f"idea number {sample + 2}," not in prompts[sample]
    assert "only one" in prompts[8]
    assert "only one" in prompts[9], "ideas that are too few are used again"


@pytest.mark.parametrize("said", ["no list at all", CallError("refused")])
async def test_without_ideas_a_sample_has_none(said):
    """It is asked all the same."""
    (sample,) = await grow(KnownModel({"0.0 ideas": said}, "1111"), n=1, style="plan")
    assert sample.survives


@pytest.mark.parametrize(
    ("text", "ideas"),
    [
        ("Here:\n1. sort\n2) **hash**\nall\n\n3. heap", ["sort", "**hash**\nall", "heap"]),
        ("1.5 is no item", []),
        ("", []),
        ("**1.** bold", ["bold"]),
    ],
)
def test_ideas_are_the_items_of_a_numbered_list(text, ideas):
    """In order; what stands before the first is left out."""
    assert read_ideas(text) == ideas


def test_an_unknown_style_is_told():
    """With those that there are."""
    with pytest.raises(UserError, match="cot, direct, draft, plan"):
        Settings(style="short")
