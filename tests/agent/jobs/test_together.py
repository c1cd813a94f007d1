"""Samples and rounds overlap: all first answers are asked for at once, and no sample waits for another."""

from __future__ import annotations

import threading

from sstar_code.agent.testing.server import chat

RIGHT = "```python\nprint(int(input()) * 2)\n```"
WRONG = "```python\nprint(int(input()) + 100)\n```"


def test_all_samples_are_in_flight_together(sstar, serve, write_set, isolated):
    """No answer of sixteen is given before all sixteen are asked for."""
    all_asked = threading.Barrier(16, timeout=180)

    def respond(_):
        all_asked.wait()
        return chat(RIGHT)

    for command in ("solve", "eval"):
        server = serve(respond)
        spec = write_set() + ("#double" if command == "solve" else "")
        words = [command, spec, "-m", "tiny", "--base-url", server.base_url, "--n", "16", "--rounds", "0"]
        assert sstar(*words, "--select", "first", *isolated).code == 0
        assert (len(server.received), server.most_in_flight) == (16, 16)


def test_a_sample_is_debugged_while_another_is_written(sstar, serve, write_set, isolated):
    """The last first answer is held back until a repair of another sample was asked for."""
    repair_asked = threading.Event()
    overlapped = []

    def respond(body):
        if "repair it" in body["messages"][-1]["content"]:
            repair_asked.set()
            return chat(RIGHT)
        if body["seed"] == 3:
            overlapped.append(repair_asked.wait(30.0))
        return chat(WRONG)

    server = serve(respond)
    words = ["eval", write_set(), "-m", "tiny", "--base-url", server.base_url, "--n", "4", "--rounds", "1"]
    ended = sstar(*words, "--json", *isolated)
    assert overlapped == [True]
    assert ended.json["selected@1"] == 1.0


def test_problems_overlap_too(sstar, serve, write_set, isolated):
    """A problem does not wait for the one before it."""
    both = threading.Barrier(2, timeout=180)

    def respond(_):
        both.wait()
        return chat(RIGHT)

    spec = write_set(*({"id": name, "statement": name, "kind": "stdin"} for name in ("a", "b")))
    words = ["eval", spec, "-m", "tiny", "--base-url", serve(respond).base_url, "--n", "1", "--rounds", "0"]
    assert sstar(*words, "--select", "first", *isolated).code == 0
