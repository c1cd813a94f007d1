"""Steps that the model is unsure of are written again, the others once: which, by requests to a server."""

from __future__ import annotations

import math

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import CapSpentError
from sstar_code.agent.models import ModelUserError
from sstar_code.agent.run.store import Store
from sstar_code.agent.testing.token_server import TokenServer
from sstar_code.agent.thinking.options import Mur, Thinking, read_thinking
from sstar_code.agent.thinking.uncertainty import _SEED_STEP
from sstar_code.problems import UserError
from tests.agent.thinking.scripts import DOUBLE, ask, make_request

pytestmark = pytest.mark.anyio
PLAN = Thinking(mur=Mur(0.9))
SURE = 0.1


WORDS = {"two": 1.0, "alt1": 0.9, "alt2": 0.3, "alt3": 0.95}
"""Minus the log probabilities of the second step's word and of others in its place; all others have SURE."""


class MurServer(TokenServer):
    """Three steps and a program; the second is unsure, and written otherwise with the seed of a candidate."""

    def __init__(self):
        super().__init__(lambda _: "")
        self.sureness = lambda token: WORDS.get(token, SURE)

    def _complete(self, body, prompt, *, is_chat):
        number = (body["seed"] - 7) // _SEED_STEP
        second = f"alt{number}" if number else "two"

        def write(written):
            for word in WORDS:
                whole = f"one\n\n{word}\n\nthree\n\n{DOUBLE}"
                if word in written and whole.startswith(written):
                    return whole[len(written) :]
            whole = f"one\n\n{second}\n\nthree\n\n{DOUBLE}"
            assert whole.startswith(written), written
            return whole[len(written) :]

        self.write = write
        return super()._complete(body, prompt, is_chat=is_chat)


def calls_of(server):
    """(what stands behind the prompt, which candidate) of each call."""
    told = []
    for body in server.bodies:
        assert (body["return_token_ids"], body["include_stop_str_in_output"]) == (True, True)
        assert body["stop"] == ["\n\n"]
        assert body["logprobs"] == (True if "messages" in body else 0)
        written = server.decode(body["prompt"]).rpartition("<think>\n")[2] if "prompt" in body else ""
        told.append((written, (body["seed"] - 7) // _SEED_STEP))
    return told


async def test_only_the_unsure_step_is_written_again():
    """By the published rule: exp(u) < gamma exp(m), not the first; the surest candidate is gone on with."""
    with MurServer() as server:
        answer, stored = await ask(server, PLAN)
        assert calls_of(server)[:2] == [("", 0), ("one\n\n", 0)]
        assert sorted(calls_of(server)[2:5]) == [("one\n\n", number) for number in (1, 2, 3)]
        assert calls_of(server)[5:] == [(f"one\n\n{text}", 0) for text in ("alt2\n\n", "alt2\n\nthree\n\n")]
    assert answer.text == f"one\n\nalt2\n\nthree\n\n{DOUBLE}"
    assert stored.asked == 7


async def test_what_decides_is_the_moving_mean():
    """The step is written once where gamma exp(m) is just below its certainty, and again just above."""
    first, second = (0.1 + 2 * SURE) / 3, (1.0 + 2 * SURE) / 3  # a step is a word and two line ends
    edge = math.exp(-second) / math.exp(0.1 * -first)
    for gamma, calls in ((edge - 0.001, 4), (edge + 0.001, 7)):
        with MurServer() as server:
            await ask(server, Thinking(mur=Mur(gamma)))
            assert len(server.bodies) == calls, gamma


async def test_nothing_is_asked_twice_and_the_budget_holds():
    """An answer that was cut off by the budget goes on where it was, and becomes the same."""
    with MurServer() as server:
        whole, _ = await ask(server, PLAN)
        asked = len(server.bodies)
        store = Store()
        with pytest.raises((CapSpentError, ExceptionGroup)):
            await ask(server, PLAN, store=store, budget=Budget(max_tokens_problem=30))
        kept = len(list(store.answers()))
        assert 0 < kept < asked
        again, stored = await ask(server, PLAN, store=store)
        assert (again.text, stored.asked) == (whole.text, asked - kept)


async def test_nothing_is_scaled_at_temperature_0():
    """There is nothing else to be sampled."""
    with MurServer() as server:
        await ask(server, PLAN, make_request(temperature=0.0))
        assert len(server.bodies) == 4


async def test_a_server_that_does_not_tell_is_told_of():
    """Without log probabilities no step is known to be unsure."""
    with MurServer() as server:
        server.sureness = None
        with pytest.raises(ModelUserError, match="--mur: the server gives no token ids"):
            await ask(server, PLAN)


@pytest.mark.parametrize("text", ["", "0", "2", "0.9:1", "0.9:", "a", "-0.5"])
def test_a_wrong_option_is_told(text):
    """The form is said."""
    with pytest.raises(UserError, match=r"--mur .*: it must be GAMMA\[:CANDIDATES\] like 0.9"):
        read_thinking(None, None, mur=text or " ")


def test_it_does_not_go_with_others():
    """Two ways of writing an answer in pieces."""
    for others in ({"think_wait": "2"}, {"confidence": "keep=0.9"}, {"cut_loops": True}):
        with pytest.raises(UserError, match="--mur: it writes an answer in steps of its own"):
            read_thinking(None, None, mur="0.9", **others)
    assert read_thinking(None, None, mur="0.9:8").mur == Mur(0.9, 8)
