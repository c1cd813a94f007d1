"""Thinking is forced to go on and to end: token by token where a server gives and takes ids, else by text."""

from __future__ import annotations

import json

import pytest

from sstar_code.agent.calls.budget import Budget
from sstar_code.agent.calls.stored_model import CapSpentError
from sstar_code.agent.models import ModelUserError, request_key
from sstar_code.agent.models.thinking import END_OF_THINKING
from sstar_code.agent.run.store import Store
from sstar_code.agent.testing.token_server import TokenServer
from sstar_code.agent.thinking.options import Thinking, read_thinking
from sstar_code.problems import UserError
from tests.agent.thinking.scripts import DOUBLE, SQUARE, Script, ask, drop_probes, make_request

pytestmark = pytest.mark.anyio
FIRST = f"I square it.\n{SQUARE}\nThat is it."
SECOND = ", 3 gives 9, so I double it."
WAITING = Script(f"{FIRST}</think>\n\n{SQUARE}", f"{SECOND}</think>\n\n{DOUBLE}", marker=r"\nWait")


def prompt_of(server, *texts):
    """The ids of a prompt behind which `texts` stand."""
    return [item for text in ("<|user|>x<|assistant|><think>\n", *texts) for item in server.encode(text)]


async def test_a_thought_that_ends_is_gone_on_with():
    """The end is taken away, "Wait" put in its place, and each call has exactly the tokens before it."""
    with TokenServer(WAITING) as server:
        answer, stored = await ask(server, Thinking(waits=1))
        end = server.encode("</think>")
        first, second, last = drop_probes(server.bodies)
        assert "prompt" not in first
        assert (first["stop_token_ids"], first["return_token_ids"]) == (end, True)
        assert second["prompt"] == prompt_of(server, FIRST, "\nWait")
        assert second["stop_token_ids"] == end
        assert last["prompt"] == prompt_of(server, FIRST, "\nWait", SECOND, "</think>")
        assert "stop_token_ids" not in last
        assert {body["seed"] for body in (first, second, last)} == {7}
        thought = len(server.encode(FIRST)) + len(server.encode(SECOND)) + 2
        assert [body["max_tokens"] for body in (first, second)] == [
            1000,
            1000 - len(server.encode(FIRST)) - 1,
        ]
        assert last["max_tokens"] == 1000 - thought
    assert answer.text == DOUBLE
    assert answer.reasoning == f"{FIRST}\nWait{SECOND}"
    assert answer.usage.reasoning == thought
    assert answer.usage.output == thought + len(server.encode("\n\n" + DOUBLE)) + 1
    assert stored.tally.calls == 2 + 3, "two calls found out what the server can do"
    probes = [item for _, _, item in stored._store.answers()][:2]
    spent = sum((item.usage.prompt or 0) + (item.usage.output or 0) for item in probes)
    assert stored.tally.tokens == spent + answer.usage.prompt + answer.usage.output, "counted once"


async def test_what_is_not_forced_is_what_one_call_would_write():
    """Thinking and answer in two calls are token for token those of one generation."""
    with TokenServer(WAITING) as server:
        answer, _ = await ask(server, Thinking(least=3))
        first, last = drop_probes(server.bodies)
        whole = server.encode(WAITING(""))
        assert last["prompt"] == [*prompt_of(server), *whole[: len(last["prompt"]) - len(prompt_of(server))]]
        assert server.encode("\n\n" + answer.text) == whole[len(last["prompt"]) - len(prompt_of(server)) :]
    assert "prompt" not in first
    assert (answer.text, answer.reasoning, answer.finish_reason) == (SQUARE, FIRST, "stop")


async def test_thinking_that_is_too_long_is_ended():
    """It is cut at its most, its end is written for the model, and the answer has the rest of the limit."""
    script = Script("hm " * 100, DOUBLE, marker="have to answer now.\n</think>\n\n")
    with TokenServer(script) as server:
        answer, _ = await ask(server, Thinking(most=20), make_request(max_tokens=60))
        first, last = drop_probes(server.bodies)
        assert (first["max_tokens"], last["max_tokens"]) == (20, 40)
        assert last["prompt"][-len(server.encode(END_OF_THINKING)) :] == server.encode(END_OF_THINKING)
    assert (answer.text, answer.finish_reason, answer.usage.reasoning) == (DOUBLE, "stop", 20)
    assert answer.reasoning.split() == ["hm"] * 20 + ["I", "have", "to", "answer", "now."]


async def test_thinking_that_fills_the_answer_is_cut():
    """Without a most of its own, thinking that reaches the limit of the answer is an answer that was cut."""
    with TokenServer(Script("hm " * 100)) as server:
        answer, _ = await ask(server, Thinking(waits=1), make_request(max_tokens=30))
    assert (answer.is_cut_thinking, answer.usage.output) == (True, 30)


async def test_thinking_that_is_too_short_is_forced_until_it_is_long_enough():
    """As many times as it takes to have its least, in the words given for waiting."""
    script = Script(*(["one two three four five six.</think>\n\n" + DOUBLE] * 6), marker="\nHmm")
    with TokenServer(script) as server:
        thinking = read_thinking(20, None, "1:Hmm")
        answer, _ = await ask(server, thinking)
    assert answer.reasoning.count("Hmm") == 2
    assert (answer.text, answer.usage.reasoning) == (DOUBLE, 24)


async def test_a_model_that_has_nothing_to_add_is_left_alone():
    """A forced thought of a few characters is the last."""
    with TokenServer(Script("Done.</think>\n\n" + DOUBLE, ".</think>\n\n" + DOUBLE)) as server:
        answer, _ = await ask(server, Thinking(waits=8))
    assert (answer.text, answer.reasoning) == (DOUBLE, "Done.\nWait.")


async def test_a_draft_is_run_and_what_it_did_is_told():
    """`execute`: the failure is told in place of "Wait"; a draft that passes everything ends the thinking."""
    right = f", I double it.\n{DOUBLE}\nThat is it."
    stages = (f"{FIRST}</think>\n\n{SQUARE}", f"{right}</think>\n\n{DOUBLE}", "It is the one above.")
    marker = r"\nLet me run[\s\S]*?(?:Wait, the program is not right yet\.|</think>\n\n)"
    with TokenServer(Script(*stages, marker=marker)) as server:
        answer, _ = await ask(server, read_thinking(None, None, "5:execute"))
        texts = [server.decode(body["prompt"]) for body in drop_probes(server.bodies)[1:]]
    assert "Public tests: 0 passed, 0 crashed, 2 wrong (tests 1, 2), 0 too slow.\n" in texts[0]
    assert "Input:\n```\n3\n```\n" in texts[0]
    assert "Expected output:\n```\n6\n```\n" in texts[0]
    assert texts[0].endswith("\nWait, the program is not right yet.")
    assert len(texts) == 2, "the second draft passes, so no other thought is forced"
    assert texts[1].endswith("The program passes all public tests, so it is my answer.\n</think>\n\n")
    assert answer.text == "It is the one above."


async def test_without_a_new_draft_the_model_is_told_to_wait():
    """There is nothing to run twice."""
    stages = (f"{FIRST}</think>x", ", hm, I am sure of it.</think>x", ", yes, I am still sure.</think>\n\nok")
    with TokenServer(Script(*stages, marker=r"\nLet me run[\s\S]*?not right yet\.|\nWait")) as server:
        answer, _ = await ask(server, read_thinking(None, None, "2:execute"))
    assert answer.reasoning.count("Let me run this program") == 1
    assert answer.reasoning.endswith("sure of it.\nWait, yes, I am still sure.")


@pytest.mark.parametrize("parses", [False, True])
async def test_texts_are_continued_where_there_are_no_tokens(parses):
    """A server that continues messages, and gives no ids, gets the thinking so far as the last message."""
    script = Script(*WAITING.stages, DOUBLE, marker=r"\nWait|\n</think>\n\n")

    def write(written):
        return ("" if parses or written else "<think>\n") + script(written.removeprefix("<think>\n"))

    with TokenServer(write, gives_ids=False, parses=parses, opens=parses) as server:
        answer, _ = await ask(server, Thinking(waits=1))
        _, second, last = drop_probes(server.bodies)
    for body, ending in ((second, f"{FIRST}\nWait"), (last, f"\nWait{SECOND}\n</think>\n\n")):
        assert body["messages"][-1]["role"] == "assistant"
        assert body["messages"][-1]["content"].endswith(ending)
        assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert (answer.text, answer.reasoning) == (DOUBLE, f"{FIRST}\nWait{SECOND}")


async def test_a_model_that_does_not_think_this_time_is_let_through():
    """An answer without thinking is the answer."""
    with TokenServer(lambda written: f"<think>hm, {'hm ' * 40}"[len(written) :], opens=False) as server:
        store = Store()
        await ask(server, Thinking(waits=1), make_request(max_tokens=30), store=store)
        server.write = lambda _: DOUBLE
        answer, _ = await ask(server, Thinking(waits=1), make_request(seed=8), store=store)
    assert (answer.text, answer.reasoning) == (DOUBLE, "")


@pytest.mark.parametrize(
    ("write", "options", "words"),
    [
        (lambda _: "There are 17 primes below 60, and that is it.", {"opens": False}, "did not think when"),
        (Script("hm " * 100), {"gives_ids": False, "continues": False, "parses": True}, "it refuses to"),
    ],
    ids=["model", "server"],
)
async def test_what_cannot_be_led_is_told_in_one_line(write, options, words):
    """A model that does not think, and a server that does not continue, end the run."""
    with TokenServer(write, **options) as server, pytest.raises(ModelUserError, match=words) as told:
        await ask(server, Thinking(waits=1))
    assert "\n" not in str(told.value)


async def test_a_kill_at_any_call_loses_nothing():
    """Gone on with after each call: the same answer, and only what is not stored is asked for."""
    with TokenServer(WAITING) as server:
        whole, _ = await ask(server, Thinking(waits=1), store=(full := Store()))
        calls = full.calls("p")
        assert len({request_key(request) for request, _ in calls}) == len(calls) == len(server.bodies)
        assert len({request.purpose for request, _ in calls}) == len(calls)
        for known in range(len(calls)):
            store = Store()
            for request, answer in calls[:known]:
                store.put_answer(request, answer)
            before = len(server.bodies)
            again, _ = await ask(server, Thinking(waits=1), store=store)
            assert len(server.bodies) - before == len(calls) - known
            assert (again.text, again.reasoning) == (whole.text, whole.reasoning)


async def test_a_budget_holds_between_the_pieces():
    """Each piece counts when it is paid for, so the next is not asked."""
    with TokenServer(WAITING) as server, pytest.raises(CapSpentError):
        await ask(server, Thinking(waits=1), budget=Budget(max_tokens_problem=60))
    assert len(drop_probes(server.bodies)) == 1


@pytest.mark.parametrize("text", ["x", "0", "65", "2:", "2: ", "-1", "2 Wait"])
def test_a_wrong_wait_is_told(text):
    """The form is said."""
    with pytest.raises(UserError, match=r"--think-wait .*: it must be K, K:TEXT or K:execute"):
        read_thinking(None, None, text)


def test_the_least_is_not_more_than_the_most():
    """They are told together."""
    with pytest.raises(UserError, match="--think-min 9 is more than --think-max 5"):
        read_thinking(9, 5, "")


def test_commands_tell_what_does_not_go_together(sstar, serve, write_set, folder):
    """Two caps, two models for programs and a model that does not think: one line each, exit 2."""
    set_ = write_set()
    words = ["eval", set_, "-m", "tiny", "--n", "1", "--base-url", serve().base_url, "--sandbox", "unsafe"]
    for more, told in (
        (["--think-wait", "1", "--max-thinking", "9"], "the cap is --think-max"),
        (["--think-max", "9", "--role-model", "editor=x"], "need one model for all programs"),
        (["--think-wait", "none"], "it must be K, K:TEXT or K:execute"),
        (["--think-wait", "1"], "tiny did not think when asked to"),
    ):
        ended = sstar(*words, *more, "--out", f"run-{len(told)}")
        assert ended.code == 2, ended.err
        assert told in " ".join(ended.err.split())


def test_a_run_is_led_and_resumed(sstar, write_set, isolated, folder):
    """`eval` runs the draft in the sandbox and tells the model; the same command again asks nothing."""
    stages = (f"{FIRST}</think>\n\n{SQUARE}", f" I double it.\n{DOUBLE}\nDone.</think>\n\n{DOUBLE}", "Done.")
    marker = r"\nLet me run[\s\S]*?(?:not right yet\.|</think>\n\n)"
    problem = {
        "id": "double",
        "statement": "Print twice the number.",
        "kind": "stdin",
        "public_tests": [{"input": "3\n", "output": "6"}],
        "hidden_tests": [{"input": "5\n", "output": "10"}],
    }
    with TokenServer(Script(*stages, marker=marker)) as server:
        words = ["eval", write_set(problem), "-m", "tiny", "--n", "2", "--rounds", "0", "--json", *isolated]
        words += ["--base-url", server.base_url, "--think-wait", "3:execute", "--out", "run"]
        ended = sstar(*words)
        assert ended.code == 0, ended.err
        asked = len(server.bodies)
        again = sstar(*words)
        assert len(server.bodies) == asked == 2 + 2 * 3
    assert ended.json["pass@1"] == again.json["pass@1"] == 1.0, "the program of the thinking is taken"
    assert ended.json["tokens"]["calls"] == asked
    thinking = json.loads((folder / "run" / "summary.json").read_text())["thinking"]
    assert (thinking["answers"], thinking["drafts"], thinking["with_right"]) == (2, 4, 2)
    other = sstar(*[word for word in words if word not in ("--think-wait", "3:execute")])
    assert other.code == 2
