"""Thinking that repeats itself is found and ended; other texts are left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.models.thinking import END_OF_THINKING
from sstar_code.agent.testing.token_server import TokenServer
from sstar_code.agent.thinking.loops import PIECE, is_looping
from sstar_code.agent.thinking.options import Thinking
from tests.agent.thinking.scripts import DOUBLE, Script, ask, drop_probes, make_request


@given(st.text(alphabet="ab \n", min_size=1, max_size=150), st.text(max_size=50))
def test_a_text_that_repeats_is_a_loop(piece, before):
    """Whatever stands before it, and wherever in the piece it ends."""
    times = max(5, -(-700 // len(piece)))
    text = before + (piece * times)[: len(piece) * times - len(piece) // 2]
    assert is_looping(text) or len(text.rstrip()) < len(text) - 50


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hm " * 20,
        "".join(f"Case {number}: the sum is {number * number}.\n" for number in range(200)),
        "\n".join(f"{number} {number + 1} {number + 2}" for number in range(300)),
        "I try again. " * 60 + "Now I see: it is the square of the number, so the loop is not needed at all.",
    ],
    ids=["empty", "short", "cases", "table", "over"],
)
def test_what_is_no_loop_is_left_alone(text):
    """A short repetition, a list, a table, and a loop that the model has left."""
    assert not is_looping(text)


@pytest.mark.anyio
async def test_a_loop_is_ended_and_answered():
    """Thinking goes on in pieces; the first that ends in a loop is the last, and the model answers."""
    loop = "Let me see once more. " * 2_000
    with TokenServer(Script("It is twice. " + loop, DOUBLE, marker=re.escape(END_OF_THINKING))) as server:
        answer, _ = await ask(server, Thinking(cuts_loops=True), make_request(max_tokens=8_000))
        bodies = drop_probes(server.bodies)
    assert [body["max_tokens"] for body in bodies] == [PIECE, 8_000 - PIECE]
    assert (answer.text, answer.usage.reasoning) == (DOUBLE, PIECE)


@pytest.mark.anyio
async def test_thinking_without_a_loop_goes_on_piece_by_piece():
    """The pieces are those of one generation."""
    thought = "".join(f"Case {number} is new. " for number in range(500))
    with TokenServer(Script(f"{thought}</think>\n\n{DOUBLE}")) as server:
        answer, _ = await ask(server, Thinking(cuts_loops=True), make_request(max_tokens=8_000))
        limits = [body["max_tokens"] for body in drop_probes(server.bodies)]
        assert limits[:2] == [PIECE, PIECE]
    assert (answer.text, answer.reasoning) == (DOUBLE, thought)
