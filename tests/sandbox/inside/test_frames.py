"""Frames of the sandbox's protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sstar_code.sandbox.inside.frames import Decoder, pack

_HEADS = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=4)


@given(st.lists(st.tuples(_HEADS, st.binary(max_size=200)), max_size=5), st.data())
def test_frames_survive_any_cutting(sent, data):
    """What was packed is decoded, whatever pieces the stream arrives in."""
    stream = b"".join(pack(head, blob) for head, blob in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    got = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += decoder.feed(stream[start:end])
    assert got == sent


def test_surrogates_travel_in_heads():
    """A program with a lone surrogate reaches the other side unchanged."""
    assert Decoder().feed(pack({"code": "'\ud800'"})) == [({"code": "'\ud800'"}, b"")]


@pytest.mark.parametrize(
    "stream", [b"\xff" * 16, b"\0\0\0\1\0\0\0\0x", b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\1\0\0\0\0\xff"]
)
def test_nonsense_is_refused(stream):
    """A stream that is not made of frames is a ValueError, not a wait for ever."""
    with pytest.raises(ValueError):
        Decoder().feed(stream)
