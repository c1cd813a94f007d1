"""The penalty on switching thoughts: bias and stops are sent as the age of each thought wants it."""

from __future__ import annotations

import pytest

from sstar_code.agent.models import ModelUserError
from sstar_code.agent.testing.token_server import TokenServer
from sstar_code.agent.thinking.options import SwitchPenalty, Thinking, read_thinking
from sstar_code.problems import UserError
from tests.agent.thinking.scripts import DOUBLE, Script, ask, drop_probes

pytestmark = pytest.mark.anyio
PENALTY = Thinking(penalty=SwitchPenalty(3.0, 5))
AGES = "one two three Alternatively four five six seven eight nine Alternatively ten"
KEPT = "one two three So four five six seven eight nine Alternatively ten"


def calls_of(server):
    """(tokens generated for before, most tokens, whether the bias was on) of each call that thinks."""
    bodies = [body for body in drop_probes(server.bodies) if "stop_token_ids" in body]
    words = {
        server.encode(form)[0]
        for form in ("Alternatively", " Alternatively", "alternatively", " alternatively")
    }
    for body in bodies:
        assert body["stop"] == ["Alternatively", "alternatively"]
        assert body["include_stop_str_in_output"] is True
        assert body.get("logit_bias") in (None, {str(word): -3.0 for word in words})
    return [(body["max_tokens"], "logit_bias" in body) for body in bodies]


def write(written):
    """Goes on with the thought that it was kept on, or with the one that it switched to."""
    for text in (KEPT, AGES):
        whole = f"{text}</think>\n\n{DOUBLE}"
        if whole.startswith(written):
            return whole[len(written) :]
    raise AssertionError(written)


async def test_a_young_thought_is_kept_and_an_old_one_may_end():
    """The first switch comes too early and is penalised away; the second is allowed, and begins a thought."""
    with TokenServer(lambda written: write(written) if written else AGES + "</think>\n\n" + DOUBLE) as server:
        server.instead = {" Alternatively": " So"}
        answer, _ = await ask(server, PENALTY)
        assert calls_of(server) == [(5, True), (995, False), (5, True)]
        prompts = [
            server.decode(body["prompt"]).rpartition("<think>\n")[2]
            for body in drop_probes(server.bodies)[1:]
        ]
    assert prompts == ["one two three So four", KEPT.removesuffix(" ten"), KEPT + "</think>"]
    assert (answer.text, answer.reasoning) == (DOUBLE, KEPT)


async def test_a_switch_under_the_penalty_begins_a_thought():
    """Where the word is written all the same, the next piece is under the penalty for its whole length."""
    with TokenServer(Script(AGES + "</think>\n\n" + DOUBLE)) as server:
        answer, _ = await ask(server, PENALTY)
        assert calls_of(server) == [(5, True), (5, True), (991, False), (5, True)]
    assert (answer.text, answer.reasoning) == (DOUBLE, AGES)


async def test_the_penalty_and_a_most_of_tokens():
    """No piece is longer than what is left of the thinking."""
    with TokenServer(Script("hm " * 50, DOUBLE, marker="now.\n</think>\n\n")) as server:
        answer, _ = await ask(server, Thinking(most=12, penalty=SwitchPenalty(3.0, 5)))
        assert calls_of(server) == [(5, True), (7, False)]
    assert (answer.text, answer.usage.reasoning) == (DOUBLE, 12)


async def test_a_server_without_token_ids_is_told_of():
    """There is nothing to put the bias on."""
    with (
        TokenServer(Script("hm " * 50), gives_ids=False, parses=True) as server,
        pytest.raises(ModelUserError, match="--switch-penalty: the server gives no token ids"),
    ):
        await ask(server, PENALTY)


@pytest.mark.parametrize("text", ["3", "3:0", "0:600", "101:5", "-3:600", "a:b", "3:600:1"])
def test_a_wrong_penalty_is_told(text):
    """The form is said."""
    with pytest.raises(UserError, match=r"--switch-penalty .*: it must be ALPHA:TOKENS like 3:600"):
        read_thinking(None, None, "", text)
