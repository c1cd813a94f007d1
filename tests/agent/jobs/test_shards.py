"""Shards of a set partition it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.agent.jobs.merge_runs import Shard
from sstar_code.problems import UserError


@given(items=st.lists(st.integers()), of=st.integers(1, 20))
def test_shards_partition(items, of):
    """Together the parts are the whole in order, each item in one of them, their sizes even."""
    parts = [Shard(number, of).take(list(enumerate(items))) for number in range(1, of + 1)]
    assert sorted(pair for part in parts for pair in part) == list(enumerate(items))
    assert all(part == sorted(part) for part in parts)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


@given(of=st.integers(1, 99), data=st.data())
def test_text_comes_back(of, data):
    """A shard is written as it is read."""
    number = data.draw(st.integers(1, of))
    assert str(Shard.parse(f"{number}/{of}")) == f"{number}/{of}"


@pytest.mark.parametrize("text", ["", "2", "0/8", "9/8", "1/0", "-1/8", "1/8/2", "a/b", "1.5/3"])
def test_nonsense_is_told(text):
    """A part that does not exist is a usage error that says how to write one."""
    with pytest.raises(UserError, match="--shard"):
        Shard.parse(text)
