"""`solve` says why: the first failure of the best program, and why answers held none."""

from __future__ import annotations

import pytest

from sstar_code.agent.testing.server import chat

THOUGHT = {"reasoning": "Let me see."}


@pytest.fixture
def solve(sstar, serve, write_set, isolated):
    """Run `solve` on the problem `double` (2 -> 4) with a server that gives `reply`; gives what it said."""

    def run(reply, *words):
        server = serve(lambda _: reply)
        model = ["-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "0"]
        return sstar("solve", write_set() + "#double", *model, *words, *isolated)

    return run


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("print(int(input()) + 1)", "first failure: input '2': expected '4', got '3'"),
        ("print(input()[9])", "first failure: input '2': IndexError: string index out of range (line 1)"),
        ("print(2", "first failure: SyntaxError: '(' was never closed (line 1)"),
    ],
)
def test_the_first_failure_is_shown(solve, program, why):
    """Input, error with its line, expected output and what came."""
    ended = solve(chat(f"```python\n{program}\n```"))
    assert (ended.code, ended.out) == (1, program + "\n")
    assert why in ended.err


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (chat(None, message=THOUGHT, finish_reason="length"), "2 cut while thinking; raise --max-tokens"),
        (chat(None, message={"refusal": "I can't help."}), 'refused: "I can\'t help."'),
        (chat("", finish_reason="content_filter"), "2 stopped by the server's content filter"),
        (
            chat(
                None,
                message={"tool_calls": [{"function": {"arguments": '{"q": "x"}'}}]},
                finish_reason="tool_calls",
            ),
            "2 a call of a tool, without code",
        ),
        (chat(""), "2 empty"),
        (chat("It is 4."), "2 text without code: 'It is 4.'"),
    ],
)
def test_answers_without_a_program_say_why(solve, reply, why):
    """Thinking that was cut, refusals, filters, tools, nothing, words: counted, in one line."""
    ended = solve(reply)
    assert (ended.code, ended.out) == (1, "")
    (line,) = [line for line in ended.err.splitlines() if "no answer held a program" in line]
    assert why in line


def test_a_program_that_was_only_thought_is_used_and_counted(sstar, serve, write_set, isolated):
    """Where the server takes all for thinking, `eval` says so and loses nothing."""
    server = serve(
        lambda _: chat(None, message={"reasoning": "So:\n```python\nprint(int(input()) * 2)\n```"})
    )
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "2", "--rounds", "0"]
    ended = sstar(*words, *isolated)
    assert "2 answers were thinking alone, in which the last program counts" in ended.out
    assert "1 problems: 1 with a sample that passes the public tests" in ended.out
