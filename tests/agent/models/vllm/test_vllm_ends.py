"""What the log of a server that ended says, at its edges."""

from __future__ import annotations

import pytest

from sstar_code.agent.models.vllm.process import explain_end, find_refused_flag, find_step


@pytest.mark.parametrize(
    ("log", "code", "words"),
    [
        ("", 137, "it was killed (SIGKILL): mostly the kernel's, for want of memory; `dmesg` tells"),
        ("", 128, "it ended with code 128"),
        ("", 129, "it ended by signal 1"),
        ("", 0, "it ended with code 0"),
        ("one\ntwo\n\n", 1, "it ended with code 1, last: two"),
        ("a\rb\rlast\n", 1, "it ended with code 1, last: last"),
        ("ValueError: first\nValueError: second\nfine\n", 1, "ValueError: second"),
        ("ValueError: first\nRuntimeError: See root cause above\n", 1, "ValueError: first"),
        ("ValueError: first\nKeyboardInterrupt: x\n", 1, "ValueError: first"),
        (
            "RuntimeError: EngineCore encountered an issue\n",
            1,
            "RuntimeError: EngineCore encountered an issue",
        ),
        ("ValueError: kv cache\n", 1, "ValueError: kv cache; give --vllm-args '--max-model-len 8192'"),
        (
            "ValueError: gated repo\n",
            1,
            "ValueError: gated repo; accept the model's licence and set HF_TOKEN",
        ),
        ("X: 1 validation error for M\n  plain\n  deep error\n", 1, "it ended with code 1, last: deep error"),
        (
            "ValidationError: 1 validation error for M\n  a\n  b\n  c\n  d\n  e error\n  f\n",
            1,
            "ValidationError: 1 validation error for M e error",
        ),
        (
            "ValidationError: 1 validation error for M\n  a\n  b\n  c\n  d\n  e\n  f error\n",
            1,
            "ValidationError: 1 validation error for M",
        ),
        ("ValueError: " + "x" * 288 + "\n", 1, "ValueError: " + "x" * 288),
        ("ValueError: " + "x" * 289 + "\n", 1, "ValueError: " + "x" * 287 + "…"),
    ],
)
def test_the_reason_is_one_line_of_at_most_300_letters(log, code, words):
    """The root of it, before what only repeats that something failed."""
    assert explain_end(log, code) == words


@pytest.mark.parametrize(
    ("log", "step"),
    [
        ("x" * 70, "x" * 70),
        ("x" * 71, "x" * 69 + "…"),
        ("x" * 9 + "\nshort8xx\n", "x" * 9),
        ("Loading the weights\n50%|####| done of it\n", "Loading the weights"),
        ("Loading the weights\n[12345678]\n", "Loading the weights"),
        ("", ""),
    ],
)
def test_a_step_is_the_last_line_that_says_something(log, step):
    """More than eight letters, no bar, and begun by a letter; at most 70 letters are shown."""
    assert find_step(log) == step


def test_the_first_flag_that_is_not_known():
    """Its value is no part of it."""
    log = "x: error: unrecognized arguments: --a=1 --b\n"
    assert find_refused_flag(f"{log}more\n") == "--a"
