"""Thinking in an answer is told from the answer, and tags that are spoken of are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.models.think_tags import cut_later_thinking, split_thinking
from tests.support.growth import assert_linear


@pytest.mark.parametrize(
    ("content", "text", "thinking"),
    [
        ("plain", "plain", ""),
        ("  plain\n", "  plain\n", ""),
        ("<think>\nhm\n</think>\n\ndone", "done", "hm"),
        ("\n<think></think>done", "done", ""),
        ("hm\n</think>\n\ndone", "done", "hm"),
        ("<think>hm, and then", "", "hm, and then"),
        ("<think>", "", ""),
        ("<think>a</think><think>b</think>done", "done", "a\nb"),
        ("<think>a</think>done <think>not this</think>", "done <think>not this</think>", "a"),
        ("I use <think> here", "I use <think> here", ""),
        ('s.split("</think>")', 's.split("</think>")', ""),
        ("", "", ""),
        ("hm</think>```python\nx", "```python\nx", "hm"),
        ("<think>hm</think>`x`", "`x`", "hm"),
        ("<think>it's so</think>'tis", "'tis", "it's so"),
        ("<think>use `</think>` here</think>done", "done", "use `</think>` here"),
        ("<think>a</think>\n\n    return 1", "    return 1", "a"),
        ("It ends at </think> only.", "It ends at </think> only.", ""),
        ("x = 'a</think>b'\n", "x = 'a</think>b'\n", ""),
        ('```python\n"""\n</think>\n"""\n```\n', '```python\n"""\n</think>\n"""\n```\n', ""),
        ("```python\n1\n```\n<think>\nso\n</think>", "```python\n1\n```\n<think>\nso\n</think>", ""),
        ("Sure.\n<think>hm</think>\ndone", "done", "Sure.\n<think>hm"),
        ("◁think▷hm◁/think▷done", "done", "hm"),
        ('<thinking time="3">hm</thinking>done', "done", "hm"),
        ("analysisWe do.assistantfinalDone", "Done", "We do."),
        ("analysisWe do", "analysisWe do", ""),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>a", "a", "hm"),
    ],
)
def test_thinking_is_told_from_the_answer(content, text, thinking):
    """Tags at the start, cut, begun by the template or merely spoken of are each read as what they are."""
    assert split_thinking(content) == (text, thinking)


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", "\n", " ", '"']), max_size=12).map("".join))
def test_splitting_ends_and_invents_nothing(content):
    """Whatever the tags, text is a tail of the content."""
    text, _ = split_thinking(content)
    assert content.endswith(text)


def test_thinking_behind_the_first_words_is_cut_out():
    """A pair on lines of its own goes, one that never ends goes to the end, and tags in a sentence stay."""
    text = "```python\n1\n```\n<think>\nno\n</think>\nIt is <think> so.\n<think>\nor"
    kept, thinking = cut_later_thinking(text)
    assert kept.split() == ["```python", "1", "```", "It", "is", "<think>", "so."]
    assert thinking.split() == ["no", "or"]
    assert cut_later_thinking("x = '<think>'\n") == ("x = '<think>'\n", "")


@pytest.mark.parametrize("piece", ["<think>", "</think>", "<think></think>", "`</think>`", "```\n</think>\n"])
def test_time_is_linear(piece):
    """Many tags cost no more each than a few."""
    assert_linear(lambda size: split_thinking(piece * (size // len(piece))), 20_000)
    assert_linear(lambda size: cut_later_thinking(piece * (size // len(piece))), 20_000)
